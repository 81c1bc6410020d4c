"""Scenes to listen to: which ones, and their mixture, references and estimates as pictures and sound."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from s5lib.audio import data_uri, read_audio
from s5lib.data.directory import Recording
from s5lib.errors import DataError
from s5lib.evaluation import RecordingScores, scene_set
from s5lib.metrics import SceneScore
from s5lib.report.charts import minus
from s5lib.report.experiment import System
from s5lib.report.spectrogram import mel_picture, spectrogram_chart
from s5lib.systems.outputs import read_sources

__all__ = ["LONGEST", "Clip", "ListeningScene", "choose_scenes", "clips_of", "listening_scene", "louder"]

LONGEST = 30.0  # seconds that go into the page


@dataclass(frozen=True)
class Clip:
    """One waveform in the page."""

    title: str
    note: str
    """Such as its SDRi, or that it was missed."""
    kind: str
    """``reference``, ``right``, ``missed``, ``false`` (a false positive), or ``nothing`` to show"""
    picture: Markup | None = None
    """None: there is no waveform."""
    audio: str = ""
    """A ``data:`` address; empty: none."""


@dataclass(frozen=True)
class ListeningScene:
    """All that is shown of one scene."""

    id: str
    reason: str
    summary: str
    labels: str
    mixture: Clip
    rows: tuple[tuple[Clip, ...], ...]
    """A reference and the estimate of each system, or the false positives of the systems."""
    answers: tuple[tuple[str, str, str], ...]
    """Of each system: its name, what it predicted, its score."""


def choose_scenes(recordings: Sequence[RecordingScores], names: Sequence[str] = ()) -> dict[str, str]:
    """Return scenes worth listening to, and why.

    Without ``names`` the worst, the median and the best one of those with a value, the same-class one in the middle of
    its kind, and the one with most false positives; none comes twice.

    Raises:
        DataError: a name is not that of a scene.
    """
    known = [recording.id for recording in recordings]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=5, cutoff=0)
            raise DataError(
                f"--scenes {name}: not among the {len(known)} scenes that were scored. The nearest: {', '.join(close)}."
            )
    if names:
        return dict.fromkeys(names, "As asked for")
    scores = [(recording, recording.predicted or recording.oracle) for recording in recordings]
    ranked = sorted((score.value, r.id) for r, score in scores if score and score.value is not None and r.labels)
    same_class = {r.id for r, score in scores if score and scene_set(score) == "DupSet"}
    false = sorted((-float(r.predicted.fp), r.id) for r in recordings if r.predicted and r.predicted.fp)
    candidates = {
        "Worst": ranked,
        "Best": ranked[::-1],
        "Median": _from_the_middle(ranked),
        "Same-class sources": _from_the_middle([item for item in ranked if item[1] in same_class]),
        "With false positives": false,
    }
    chosen: dict[str, str] = {}
    for reason, items in candidates.items():
        left = [name for _, name in items if name not in chosen]
        if left:
            chosen[left[0]] = reason
    order = ["Best", "Median", "Worst"]
    return dict(sorted(chosen.items(), key=lambda item: order.index(item[1]) if item[1] in order else len(order)))


def _from_the_middle(ranked: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    middle = (len(ranked) - 1) / 2
    return [ranked[i] for i in sorted(range(len(ranked)), key=lambda i: abs(i - middle))]


@dataclass(frozen=True)
class _Output:
    """A system's estimates: with predicted labels or, if there is no such output, with oracle labels."""

    system: str
    metric: str
    labels: list[str]
    waveforms: np.ndarray
    score: SceneScore | None


def _read_output(system: System, name: str, num_samples: int) -> _Output:
    if system.outputs is None:
        return _Output(system.name, "", [], np.zeros((0, num_samples), np.float32), None)
    kind = system.outputs.name
    scores = (getattr(r, kind) for r in system.summary.recordings if r.id == name)
    labels, waveforms = read_sources(system.outputs, name, num_samples)
    metric = "CA-PI-SDRi" if kind == "predicted" else "PI-SDRi"
    return _Output(system.name, metric, labels, waveforms, next(scores, None))


def listening_scene(recording: Recording, reason: str, systems: Sequence[System], audio: str = "mp3") -> ListeningScene:
    """Read the waveforms of a scene and turn them into clips, all with the same gain.

    Args:
        recording: with the references that the systems were scored with.
        reason: why it is shown.
        systems: with outputs.
        audio: ``mp3``, ``flac`` or ``none``.

    Raises:
        DataError: a file is missing or damaged.
    """
    mixture, rate = read_audio(recording.mixture)
    references = [read_audio(path)[0][0] for path in recording.sources]
    outputs = [_read_output(system, recording.id, mixture.shape[1]) for system in systems]
    length = min(mixture.shape[1], int(LONGEST * rate))
    everything = [mixture[0], *references, *(wave for output in outputs for wave in output.waveforms)]
    clip, gain = clips_of([wave[:length] for wave in everything], rate, audio)
    labels = list(recording.labels or ())
    rows = [
        (
            clip(label, f"reference {index + 1}", "reference", reference),
            *(_paired(index, output, clip) for output in outputs),
        )
        for index, (label, reference) in enumerate(zip(labels, references, strict=False))
    ]
    whole = f" of {mixture.shape[1] / rate:.4g} s" if length < mixture.shape[1] else ""
    there = ", ".join(labels)
    return ListeningScene(
        recording.id,
        reason,
        f"{there or 'no target source'}; {length / rate:.3g} s{whole}; played {louder(gain)}",
        there or "nothing",
        clip("Mixture", "reference channel", "reference", mixture[0]),
        (*rows, *_false_positives(outputs, clip)),
        tuple((output.system, ", ".join(output.labels) or "nothing", _value(output)) for output in outputs),
    )


def clips_of(
    waveforms: Sequence[np.ndarray], rate: int, audio: str
) -> tuple[Callable[[str, str, str, np.ndarray], Clip], float]:
    """Return what makes clips of one scene, and the gain they are played with.

    Args:
        waveforms: all of the scene, ``[T]``: they share one gain, by which the loudest reaches full scale, and one
            scale of the spectrograms.
        rate: in Hz.
        audio: ``mp3``, ``flac`` or ``none``.
    """
    length = max(map(len, waveforms))
    gain = 0.9 / max(1e-9, *(float(np.abs(wave).max(initial=0)) for wave in waveforms))
    brightest = max(float(mel_picture(gain * wave, rate).max()) for wave in waveforms)

    def clip(title: str, note: str, kind: str, waveform: np.ndarray) -> Clip:
        loud = gain * waveform[:length]
        picture = spectrogram_chart(loud, rate, brightest, f"Spectrogram of {title}, {note}")
        return Clip(
            title,
            note,
            kind,
            picture,
            "" if audio == "none" else data_uri(loud, rate, "mp3" if audio == "mp3" else "flac16"),
        )

    return clip, gain


def louder(gain: float) -> str:
    """Return a gain in words.

    >>> louder(10.0), louder(0.5), louder(1.0)
    ('20 dB louder', '6 dB softer', 'as loud as recorded')
    """
    level = round(20 * float(np.log10(gain)))
    return f"{abs(level)} dB {'louder' if level > 0 else 'softer'}" if level else "as loud as recorded"


def _value(output: _Output) -> str:
    if output.score is None or output.score.value is None:
        return "no score: no source, and none predicted"
    return f"{output.metric} {minus(f'{output.score.value:.2f}')} dB"


def _paired(index: int, output: _Output, clip: Callable[..., Clip]) -> Clip:
    """Return the estimate that was paired with reference ``index``."""
    if output.score is None:
        return Clip(output.system, "no output", "nothing")
    for pair in output.score.pairs:
        if pair.reference == index and pair.estimate < len(output.labels):
            note = f"{output.labels[pair.estimate]}, SDRi {minus(f'{pair.sdri:.1f}')} dB"
            return clip(output.system, note, "right", output.waveforms[pair.estimate])
    return Clip(output.system, "missed", "missed")


def _false_positives(outputs: Sequence[_Output], clip: Callable[..., Clip]) -> list[tuple[Clip, ...]]:
    """Return rows for the estimates without a reference, each system's one after the other."""
    columns = [
        [
            clip(output.system, f"{output.labels[false.index]}, false positive", "false", output.waveforms[false.index])
            for false in (output.score.false_positives if output.score else ())
            if false.index < len(output.labels)
        ]
        for output in outputs
    ]
    nothing = Clip("no reference", "no such source", "nothing")
    return [
        (
            nothing,
            *(
                column[row] if row < len(column) else Clip(output.system, "no false positive", "nothing")
                for output, column in zip(outputs, columns, strict=True)
            ),
        )
        for row in range(max(map(len, columns), default=0))
    ]
