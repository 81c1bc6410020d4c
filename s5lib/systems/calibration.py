"""Calibration of a tagger's decisions: from probabilities to labels with biases that were tuned on a validation set.

A tagger chooses for each slot the likeliest of the classes and silence, which is right for label accuracy if its
probabilities are.  They seldom are, and CA-PI-SDRi weighs otherwise: a missed and an invented source each cost a share
of the mixture's score.  A calibration adds a bias to the log-probability of silence and, where this has proved
itself, of single classes, before the likeliest is taken.  All biases 0 is the plain decision.

It is kept in ``NAME.calibration.json`` beside the tagger's ``NAME.safetensors`` and holds the checkpoint's SHA-256, so
that it is never used with weights that it was not tuned for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from s5lib.errors import CheckpointError, ConfigError
from s5lib.provenance.digest import file_digest
from s5lib.provenance.files import write_text
from s5lib.untrusted import is_real, json_record, shown, to_json

__all__ = ["Calibration", "calibration_file", "choose", "decide", "find_calibration", "with_threshold"]

log = logging.getLogger(__name__)

_TINY = 1e-12  # of a probability: a softmax in float32 can be 0


@dataclass(frozen=True)
class Calibration:
    """Biases of a decision, in natural logarithms of probabilities."""

    silence: float = 0.0
    """above 0: fewer sources are found, below: more"""
    classes: tuple[tuple[str, float], ...] = ()
    """label and bias of each class that has one"""
    threshold: float | None = None
    """from which probability on a slot's likeliest class is a source; silence does not compete then"""

    def biases(self, labels: Sequence[str]) -> np.ndarray:
        """Return ``[C + 1]``, of ``labels`` and silence.

        Raises:
            CheckpointError: a bias is of a class that is not among ``labels``.
        """
        of = dict(self.classes)
        unknown = sorted(set(of) - set(labels))
        if unknown:
            raise CheckpointError(
                f"the calibration has a bias for {unknown[0]}, which the tagger does not know; calibrate again."
            )
        return np.array([*(of.get(label, 0.0) for label in labels), self.silence])

    def as_json(self) -> dict[str, Any]:
        """Return the biases as plain values."""
        threshold = {} if self.threshold is None else {"threshold": self.threshold}
        return {"silence": self.silence, "classes": dict(self.classes), **threshold}

    def write(self, path: Path, checkpoint: str | Path, report: Mapping[str, Any]) -> None:
        """Write the calibration of the tagger ``checkpoint``; ``report``: what it gained, for people to read."""
        content = {"format": 1, "checkpoint_sha256": _sha256(checkpoint), **self.as_json(), "report": dict(report)}
        try:
            write_text(path, to_json(content, indent=1) + "\n")
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}. Choose another place by --out.") from None


def decide(
    probabilities: np.ndarray, labels: Sequence[str], calibration: Calibration | None = None
) -> list[tuple[str, float]]:
    """Return ``(label, probability)`` of the slots that are not silent, in the order of the labels.

    Args:
        probabilities: ``[K, C + 1]`` of ``labels`` and, last, silence; each row sums to 1.
        labels: of the classes.
        calibration: None: the likeliest of each slot.

    The probability given is the tagger's own, without biases.

    >>> slots = np.array([[0.1, 0.4, 0.5], [0.9, 0.1, 0.0]])
    >>> decide(slots, ["Cough", "Speech"]), decide(slots, ["Cough", "Speech"], Calibration(silence=-1.0))
    ([('Cough', 0.9)], [('Cough', 0.9), ('Speech', 0.4)])
    """
    classes = choose(probabilities, labels, calibration).tolist()
    best = sorted((c, float(row[c])) for c, row in zip(classes, probabilities, strict=True))
    return [(labels[c], p) for c, p in best if c < len(labels)]


def choose(probabilities: np.ndarray, labels: Sequence[str], calibration: Calibration | None = None) -> np.ndarray:
    """Return ``[K]``, the class of each slot of ``probabilities [K, C + 1]``; C is silence.

    A threshold takes the place of the comparison with silence: the likeliest class, by the biases of classes, is a
    source if its probability, without biases, reaches the threshold.

    >>> slots = np.array([[0.1, 0.4, 0.5], [0.9, 0.1, 0.0]])
    >>> [choose(slots, ["Cough", "Speech"], Calibration(threshold=p)).tolist() for p in (0.3, 0.5, 0.95)]
    [[1, 0], [2, 0], [2, 2]]
    """
    weights = np.log(np.maximum(probabilities, _TINY)) + calibration.biases(labels) if calibration else probabilities
    if calibration is None or calibration.threshold is None:
        chosen: np.ndarray = weights.argmax(1)
        return chosen
    best = weights[:, : len(labels)].argmax(1)
    is_source = probabilities[np.arange(len(best)), best] >= calibration.threshold
    return np.where(is_source, best, len(labels))


def with_threshold(calibration: Calibration | None, threshold: float | None) -> Calibration | None:
    """Return the calibration with a threshold, or as it is without one.

    Raises:
        ConfigError: the threshold is no probability.
    """
    if threshold is None:
        return calibration
    if not is_real(threshold) or not 0 <= threshold <= 1:
        raise ConfigError(f"--threshold is {shown(threshold)}; expected a probability from 0 to 1.")
    return replace(calibration or Calibration(), threshold=float(threshold))


def calibration_file(checkpoint: str | Path) -> Path:
    """Return where the calibration of a checkpoint is kept.

    >>> calibration_file("exp/tagger/model.safetensors").name
    'model.calibration.json'
    """
    return Path(checkpoint).with_suffix(".calibration.json")


def find_calibration(choice: Calibration | str | Path | None, checkpoint: str | Path | None) -> Calibration | None:
    """Return the calibration to use with a tagger, and log which it is.

    Args:
        choice: ``"auto"``: what is beside the checkpoint, if it is of these weights; None or ``"none"``: none; a file;
            or a calibration, which is returned.
        checkpoint: the tagger's; None: there is no tagger, and nothing to calibrate.

    Raises:
        CheckpointError: a file that was asked for is of other weights, or one is damaged.
        ConfigError: a file that was asked for cannot be read, or there is no tagger to use it with.
    """
    if choice is None or (choice in ("none", "auto") and (choice == "none" or checkpoint is None)):
        return None
    if checkpoint is None:
        raise ConfigError(f"--calibration {choice} needs a tagger that predicts labels: leave it out.")
    if isinstance(choice, Calibration):
        return choice
    path = calibration_file(checkpoint) if choice == "auto" else Path(choice)
    if choice == "auto" and not path.is_file():
        return None
    calibration, digest = _read(path)
    if digest != _sha256(checkpoint):
        if choice != "auto":
            raise CheckpointError(f"{path} was tuned for other weights than {checkpoint}: run 's5lib calibrate' again.")
        log.warning(
            "%s was tuned for other weights than %s now has: it is not used. Run 's5lib calibrate', or delete it.",
            path,
            checkpoint,
        )
        return None
    if calibration == Calibration():
        log.info("%s says that plain decisions are best", path)
        return None
    biases = "".join(f", {label} {bias:+g}" for label, bias in calibration.classes)
    log.info("decisions calibrated by %s: silence %+g%s", path, calibration.silence, biases)
    return calibration


def _read(path: Path) -> tuple[Calibration, str]:
    """Return what :meth:`Calibration.write` has written, and the digest of the checkpoint it belongs to."""
    if not path.is_file():
        raise ConfigError(f"{path}: No such file. Give --calibration none, or a file of 's5lib calibrate'.")
    advice = "The file is no calibration: delete it and run 's5lib calibrate' again."
    content = json_record(path, error=CheckpointError, advice=advice)
    content.integer("format", least=1, most=1)
    classes = content.record("classes")
    biases = tuple((label, classes.number(label)) for label in classes.values)
    return Calibration(content.number("silence"), biases), content.text("checkpoint_sha256")


def _sha256(path: str | Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
