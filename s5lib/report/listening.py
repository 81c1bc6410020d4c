"""Scenes to listen to: which ones, and their mixture, references and estimates as pictures and sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from s5lib.audio import read_audio
from s5lib.data.directory import DataDirectory
from s5lib.errors import DataError, nearest
from s5lib.evaluation import scene_set
from s5lib.evaluation.records import SceneResult
from s5lib.metrics import SceneScore
from s5lib.report.experiment import System
from s5lib.report.spectrogram import audio_uri, mel_picture, spectrogram_chart
from s5lib.systems.outputs import read_sources

__all__ = ["Clip", "ListeningScene", "SourceRow", "choose_scenes", "listening_scene"]

LONGEST = 30.0  # seconds that go into the page


@dataclass(frozen=True)
class Clip:
    """One waveform in the page."""

    title: str
    note: str
    """What there is to say about it: its SDRi, that it was missed."""
    picture: Markup | None = None
    """None: there is no waveform."""
    audio: str = ""
    """A ``data:`` address; empty: none."""
    kind: str = "reference"
    """``reference``, ``right``, ``missed``, ``invented`` or, where there is nothing to show, ``nothing``."""


@dataclass(frozen=True)
class SourceRow:
    """A reference and what the systems made of it, or an estimate of nothing."""

    reference: Clip
    estimates: tuple[Clip, ...]
    """One for each system."""


@dataclass(frozen=True)
class ListeningScene:
    """All that is shown of one scene."""

    id: str
    reason: str
    summary: str
    mixture: Clip
    rows: tuple[SourceRow, ...]
    answers: tuple[tuple[str, str, str], ...]
    """Of each system: its name, what it predicted, its score."""


def choose_scenes(scenes: Sequence[SceneResult], names: Sequence[str] = ()) -> dict[str, str]:
    """Return scenes worth listening to, and why.

    Without ``names`` the worst, the median and the best one of those with a value, the same-class one in the middle of
    its kind, and of those with an invented source the one with most of them; none comes twice.

    Raises:
        DataError: a name is no scene's.
    """
    known = {scene.id: scene for scene in scenes}
    for name in names:
        if name not in known:
            raise DataError(f"--scenes {name}: no such scene was scored. {_some_nearest(name, known)}")
    if names:
        return dict.fromkeys(names, "As asked for")
    chosen: dict[str, str] = {}

    def take(candidates: Sequence[SceneResult], reason: str) -> None:
        left = [scene for scene in candidates if scene.id not in chosen]
        if left:
            chosen[left[0].id] = reason

    ranked = sorted((s for s in scenes if s.value is not None and s.references), key=lambda s: (s.value, s.id))
    take(ranked, "Worst")
    take(ranked[::-1], "Best")
    take(_from_the_middle(ranked), "Median")
    same = [s for s in ranked if scene_set(_any_score(s)) == "DupSet"]
    take(_from_the_middle(same), "Same-class sources")
    invented = [s for s in scenes if s.predicted and s.predicted.fp]
    take(sorted(invented, key=lambda s: (-s.predicted.fp, s.id)), "With an invented source")
    order = ["Best", "Median", "Worst"]
    return dict(sorted(chosen.items(), key=lambda item: order.index(item[1]) if item[1] in order else len(order)))


def _any_score(scene: SceneResult) -> SceneScore:
    return scene.predicted or scene.oracle


def _from_the_middle(ranked: Sequence[SceneResult]) -> list[SceneResult]:
    middle = (len(ranked) - 1) / 2
    return [ranked[i] for i in sorted(range(len(ranked)), key=lambda i: abs(i - middle))]


def _some_nearest(name: str, known) -> str:
    if len(known) <= 12:
        return nearest(name, known)
    hint = nearest(name, known).rpartition(" Did you mean ")
    return f"There are {len(known)}." + (f" Did you mean {hint[2]}" if hint[1] else "")


def listening_scene(
    name: str, reason: str, data: DataDirectory, systems: Sequence[System], audio: str = "mp3"
) -> ListeningScene:
    """Read one scene's waveforms and turn them into clips; all are louder by the same gain.

    Raises:
        DataError: the scene is not in ``data``, or a file is missing or damaged.
    """
    recording = next((item for item in data if item.id == name), None)
    if recording is None:
        raise DataError(
            f"{data.path} has no recording {name}: it is not what the scores were made of. Give that by --data_dir."
        )
    mixture, rate = read_audio(recording.mixture)
    references = [read_audio(path)[0][0] for path in recording.sources]
    outputs = [_estimates(system, name, mixture.shape[1]) for system in systems]
    length = min(mixture.shape[1], int(LONGEST * rate))
    everything = [mixture[0], *references, *(wave for _, waves in outputs for wave in waves)]
    everything = [wave[:length] for wave in everything]
    gain = 0.9 / max(1e-9, *(float(np.abs(wave).max(initial=0)) for wave in everything))
    brightest = max(float(mel_picture(gain * wave, rate).max()) for wave in everything)

    def clip(title: str, note: str, waveform: np.ndarray, kind: str) -> Clip:
        loud = gain * waveform[:length]
        picture = spectrogram_chart(loud, rate, brightest, f"Spectrogram of {title}, {note}")
        return Clip(title, note, picture, "" if audio == "none" else audio_uri(loud, rate, audio), kind)

    labels = list(recording.labels or ())
    rows = [
        SourceRow(
            clip(label, f"reference {index + 1}", reference, "reference"),
            tuple(_answer(index, system, name, output, clip) for system, output in zip(systems, outputs, strict=True)),
        )
        for index, (label, reference) in enumerate(zip(labels, references, strict=False))
    ]
    rows += _inventions(systems, name, outputs, clip)
    told = f"{', '.join(labels) or 'no target source'}; {length / rate:.3g} s"
    told += f" of {mixture.shape[1] / rate:.4g} s" if length < mixture.shape[1] else ""
    told += f"; level {20 * np.log10(gain):+.0f} dB"
    whole = clip("Mixture", "reference channel", mixture[0], "reference")
    answers = [_told(system, name, output[0]) for system, output in zip(systems, outputs, strict=True)]
    return ListeningScene(name, reason, told, whole, tuple(rows), tuple(answers))


def _told(system: System, name: str, labels: Sequence[str]) -> tuple[str, str, str]:
    """Return the system's name, the labels of its estimates, and its score of the scene in words."""
    score, kind = _scored(system, name), _kind(system)
    value = score and score.value
    metric = "CA-PI-SDRi" if kind == "predicted" else "PI-SDRi"
    told = "no score: nothing is there, nothing was found" if value is None else f"{metric} {_minus(f'{value:.2f}')} dB"
    return system.name, ", ".join(labels) or "nothing", told


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def _kind(system: System) -> str:
    """Return the folder of the estimates that are played: those of the whole system where there are any."""
    return "predicted" if (system.infer_dir / "predicted").is_dir() else "oracle"


def _estimates(system: System, name: str, num_samples: int) -> tuple[list[str], np.ndarray]:
    if system.infer_dir is None:
        return [], np.zeros((0, num_samples), np.float32)
    return read_sources(system.infer_dir / _kind(system), name, num_samples)


def _scored(system: System, name: str) -> SceneScore | None:
    """Return the score that belongs to the estimates that are played."""
    scene = next((scene for scene in system.scenes if scene.id == name), None)
    return None if scene is None or system.infer_dir is None else getattr(scene, _kind(system))


def _answer(index: int, system: System, name: str, output, clip) -> Clip:
    """Return the estimate that was paired with reference ``index``."""
    score = _scored(system, name)
    if score is None:
        return Clip(system.name, "no output", kind="nothing")
    labels, waveforms = output
    for pair in score.pairs:
        if pair.reference == index and pair.estimate < len(labels):
            told = f"{labels[pair.estimate]}, SDRi {_minus(f'{pair.sdri:.1f}')} dB"
            return clip(system.name, told, waveforms[pair.estimate], "right")
    return Clip(system.name, "missed", kind="missed")


def _inventions(systems, name, outputs, clip) -> list[SourceRow]:
    """Return rows for the estimates that were paired with nothing, each system's one after the other."""
    columns = []
    for system, (labels, waveforms) in zip(systems, outputs, strict=True):
        score = _scored(system, name)
        taken = {pair.estimate for pair in score.pairs} if score else set(range(len(labels)))
        columns.append(
            [
                clip(system.name, f"{label}, invented", waveform, "invented")
                for index, (label, waveform) in enumerate(zip(labels, waveforms, strict=True))
                if index not in taken
            ]
        )
    nothing = Clip("no reference", "nothing of this kind is there", kind="nothing")
    empty = [Clip(system.name, "nothing invented", kind="nothing") for system in systems]
    return [
        SourceRow(
            nothing,
            tuple(column[i] if i < len(column) else blank for column, blank in zip(columns, empty, strict=True)),
        )
        for i in range(max(map(len, columns), default=0))
    ]
