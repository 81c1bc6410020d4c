"""Tune a calibration on a validation set, for the CA-PI-SDRi of the whole system.

The labels decide what the separator is asked for, so each set of labels that some candidate chooses for a recording is
separated and scored, once.  There are few: with one bias for silence, at most one more than there are slots.  After
that the search only looks scores up and can afford cross-validation: it is repeated with a fifth of the recordings held
out, on which its result is measured.  A bias is kept only if it gains there; on the recordings that it was tuned on, it
always seems to gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import fsum

import numpy as np
from tqdm import tqdm

from s5lib.audio import open_audio
from s5lib.data import DataDirectory, Recording
from s5lib.errors import ConfigError, DataError
from s5lib.evaluation.scoring import reference_labels
from s5lib.evaluation.waveforms import Workspace, read_rows
from s5lib.metrics import SceneScore, ca_pi_sdri
from s5lib.systems.calibration import Calibration, decide
from s5lib.systems.tag_separate import TagThenSeparate

__all__ = ["Trial", "Tuned", "tune_calibration"]

_SILENCE = tuple((np.arange(-24, 25) / 4).tolist())  # biases tried: e**6 = 400 times as likely, either way
_CLASSES = tuple((np.arange(-6, 7) / 2).tolist())
_SMOOTH = 2  # neighbours on each side that a bias is judged with: one lucky value between bad ones is no optimum
_LEAST_GAIN = 0.01  # dB on the recordings tuned on, for a class to get a bias of its own


@dataclass(frozen=True)
class Trial:
    """A kind of calibration that was tried."""

    name: str
    calibration: Calibration
    """tuned on all recordings"""
    tuned: tuple[SceneScore, ...]
    """with it, on the recordings that it was tuned on: optimistic for others"""
    held_out: tuple[SceneScore, ...]
    """each recording with the calibration that was tuned in the same way without its fold"""


@dataclass(frozen=True)
class Tuned:
    """All trials, and the one to keep; all scores are of the same recordings in the same order."""

    plain: tuple[SceneScore, ...]
    """without calibration"""
    trials: tuple[Trial, ...]
    kept: Trial | None
    """None: none gains on held-out recordings"""
    separations: int
    """sets of labels that were separated"""

    @property
    def calibration(self) -> Calibration:
        """The calibration to use."""
        return self.kept.calibration if self.kept else Calibration()


def tune_calibration(
    system: TagThenSeparate, data: DataDirectory, *, folds: int = 5, classes: bool = True, seed: int = 0
) -> Tuned:
    """Tune a calibration of the system's tagger.

    Args:
        system: with tagger and separator; its own calibration is ignored.
        data: recordings with labels and references.
        folds: of the cross-validation.
        classes: try biases of single classes, too; this takes more separations.
        seed: of the assignment to folds.

    Raises:
        ConfigError: fewer than two folds, or the system lacks a model.
        DataError: there are fewer recordings than folds or no references, or a recording or a label does not match the
            system.
    """
    if system.tagger is None or system.separator is None:
        raise ConfigError("calibrating needs a tagger and a separator: --tagger FILE --separator FILE.")
    if folds < 2:
        raise ConfigError(f"--folds is {folds}; expected 2 or more.")
    if len(data) < folds:
        raise DataError(f"{data.path} has {len(data)} recordings: too few for {folds} folds.")
    data.check_labels(system.labels)
    search = _Search(system, data)
    fold_of = (np.random.default_rng(seed).permutation(len(data)) % folds).tolist()
    everything = range(len(data))
    plain = search.scores(everything, Calibration())
    ways = {"bias of silence": search.silence} | ({"biases of silence and classes": search.classes} if classes else {})
    trials: list[Trial] = []
    kept, best = None, _mean(plain)
    for name, tune in ways.items():
        without_fold = [tune([row for row in everything if fold_of[row] != fold]) for fold in range(folds)]
        held_out = tuple(search.score(row, without_fold[fold_of[row]]) for row in everything)
        calibration = tune(everything)
        trials.append(Trial(name, calibration, search.scores(everything, calibration), held_out))
        # the simpler one comes first: the next has to gain beyond it
        if _mean(held_out) > best and calibration != Calibration():
            kept, best = trials[-1], _mean(held_out)
    return Tuned(plain, tuple(trials), kept, search.separations)


class _Search:
    """Finds biases for any selection of recordings; probabilities and scores are computed once."""

    def __init__(self, system: TagThenSeparate, data: DataDirectory):
        self._system, self._recordings = system, data.recordings
        self._scores: dict[tuple[int, tuple[str, ...]], SceneScore] = {}
        self._loaded: tuple[int, tuple[np.ndarray, np.ndarray, list[str]]] | None = None
        self._probabilities: list[np.ndarray | None] = []
        # recording by recording, so that each is read once
        for row in tqdm(range(len(data)), unit="recording", disable=None):
            mixture = self._load(row)[0]
            self._probabilities.append(system.probabilities(mixture) if mixture.any() else None)
            for bias in _SILENCE:
                self.score(row, Calibration(bias))

    @property
    def separations(self) -> int:
        """How many sets of labels were separated."""
        return sum(bool(labels) for _, labels in self._scores)

    def silence(self, rows: Sequence[int]) -> Calibration:
        """Return the best bias of silence for the recordings ``rows``."""
        return self._best(rows, [Calibration(bias) for bias in _SILENCE])

    def classes(self, rows: Sequence[int]) -> Calibration:
        """Return biases of silence and classes for ``rows``: from that of silence, class by class, if it gains."""
        best = self.silence(rows)
        mean = _mean(self.scores(rows, best))
        for label in self._system.labels:
            tried = [replace(best, classes=(*best.classes, (label, bias))) for bias in _CLASSES]
            candidate = self._best(rows, tried)
            gained = _mean(self.scores(rows, candidate))
            if dict(candidate.classes)[label] and gained > mean + _LEAST_GAIN:
                best, mean = candidate, gained
        return best

    def scores(self, rows: Sequence[int], calibration: Calibration) -> tuple[SceneScore, ...]:
        """Return the scores of the recordings ``rows``."""
        return tuple(self.score(row, calibration) for row in rows)

    def score(self, row: int, calibration: Calibration) -> SceneScore:
        """Return the score of one recording with the labels that a calibration gives it."""
        probabilities = self._probabilities[row]
        found = [] if probabilities is None else decide(probabilities, self._system.labels, calibration)
        labels = tuple(label for label, _ in found)
        if (row, labels) not in self._scores:
            mixture, references, reference_labels = self._load(row)
            estimates = self._system.separate(mixture, labels)
            score = ca_pi_sdri(estimates, labels, references, reference_labels, mixture[0])
            self._scores[row, labels] = score
        return self._scores[row, labels]

    def _best(self, rows: Sequence[int], candidates: Sequence[Calibration]) -> Calibration:
        """Return the best of ``candidates``, which are in the order of one bias with 0 in the middle."""
        means = np.array([_mean(self.scores(rows, candidate)) for candidate in candidates])
        window = np.ones(2 * _SMOOTH + 1) / (2 * _SMOOTH + 1)
        means = np.convolve(np.pad(means, _SMOOTH, mode="edge"), window, mode="valid")
        top = np.flatnonzero(means >= means.max() - 1e-9).tolist()
        return candidates[min(top, key=lambda index: abs(index - len(candidates) // 2))]  # of equals, the least bias

    def _load(self, row: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        if self._loaded is None or self._loaded[0] != row:
            self._loaded = row, _read(self._recordings[row], self._system)
        return self._loaded[1]


def _read(recording: Recording, system: TagThenSeparate) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return mixture ``[M, T]``, references ``[R, T]`` and their labels."""
    labels = reference_labels(recording)
    with open_audio(recording.mixture, layout=system.layout()) as audio:
        if audio.sample_rate != system.sample_rate:
            raise DataError(
                f"{recording.mixture} has {audio.sample_rate} Hz, the models {system.sample_rate} Hz: prepare the data "
                "at that rate."
            )
        mixture = audio.read()
    references, _ = read_rows(recording.sources, mixture.shape[1], system.sample_rate, "reference", Workspace())
    return mixture, references, labels


def _mean(scores: Sequence[SceneScore]) -> float:
    """Return the mean in dB over the scenes that have a value, 0 if none has."""
    values = [score.value for score in scores if score.value is not None]
    return fsum(values) / len(values) if values else 0.0
