"""Assemble the page and write it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from s5lib.data.directory import DataDirectory
from s5lib.errors import DataError
from s5lib.report import views
from s5lib.report.experiment import Experiment, System, read_experiments
from s5lib.report.listening import ListeningScene, choose_scenes, listening_scene
from s5lib.report.model_versions import curve_views, made_of
from s5lib.report.page import check_audio, page, write_page
from s5lib.systems.records import record_path

__all__ = ["write_report"]

log = logging.getLogger(__name__)


def write_report(
    paths: Sequence[str | Path],
    out: Path,
    *,
    data_dir: Path | None = None,
    scenes: Sequence[str] = (),
    audio: str = "mp3",
    title: str | None = None,
) -> Path:
    """Write one HTML page about experiments and return its path.

    Args:
        paths: experiment folders of the recipe, or single ``RESULTS.jsonl``.
        out: the page; an older one is replaced once the new one is complete.
        data_dir: data directory of the test set, with references; None: ``data/NAME/test`` beside ``exp/NAME``, if
            it exists.
        scenes: names of the scenes to listen to; empty: chosen by their scores.
        audio: ``mp3``, ``flac`` or ``none``.
        title: of the page; None: from the names of the experiments.

    Raises:
        DataError: nothing was found, what was found is damaged, or ``data_dir`` is not what was scored.
        ConfigError: ``audio`` is another word, or ``out`` cannot be written.
    """
    check_audio(audio)
    experiments = read_experiments(paths)
    return write_page(out, _render(experiments, data_dir, scenes, audio, title))


def _render(
    experiments: list[Experiment], data_dir: Path | None, scenes: Sequence[str], audio: str, title: str | None
) -> str:
    systems = [system for experiment in experiments for system in experiment.systems]
    listening, silent = _listening(experiments, data_dir, scenes, audio)
    return page(
        "template.html",
        title=title or f"Report of {', '.join(experiment.name for experiment in experiments)}",
        experiments=experiments,
        systems=systems,
        several=len(systems) > 1,
        same=len({frozenset((name, *sorted(of)) for name, of in _labels(system).items()) for system in systems}) < 2,
        views=views,
        figures=views.COLUMNS,
        separation_oracle=all(system.has_oracle for system in systems),
        made_of=made_of,
        curves=curve_views(experiments),
        listening=listening,
        silent=silent,
        audio=audio,
    )


def _listening(
    experiments: list[Experiment], data_dir: Path | None, scenes: Sequence[str], audio: str
) -> tuple[list[ListeningScene], str]:
    """Return the scenes to listen to, and what is missing there."""
    systems = [system for experiment in experiments for system in experiment.systems]
    if not systems:
        return [], "nothing was scored yet"
    place = data_dir or _data_directory(experiments)
    if place is None:
        if scenes:
            raise DataError(
                "--scenes needs the test set's data directory: give --data_dir DIR, such as data/mini/test."
            )
        return [], "the test set's data directory was not found: give it by --data_dir"
    chosen = choose_scenes(systems[0].summary.recordings, scenes)
    recordings = {recording.id: recording for recording in DataDirectory.read(place)}
    log.info("found %s (%d recordings with references)", place, len(recordings))
    there = {name: recording.labels or () for name, recording in recordings.items()}
    if wrong := _misfit(systems[0], there, chosen):
        message = f"{place} is not what was scored: {wrong}"
        if data_dir or scenes:
            raise DataError(f"{message}. Name the right one by --data_dir, or run 's5lib score' again.")
        return [], f"{message}; name the right one by --data_dir"
    shown: list[System] = []
    silent: dict[str, list[str]] = {}  # by the reason
    for system in systems:
        if system.made_again:
            reason = "the outputs of {} were made again after scoring: run s5lib score"
        elif _misfit(system, there, chosen):
            reason = "the scores of {} are of another test set"
        elif not (system.outputs and all(record_path(system.outputs, name).is_file() for name in chosen)):
            reason = "there are no outputs of {} for these scenes"
        else:
            shown.append(system)
            continue
        silent.setdefault(reason, []).append(system.name)
    missing = "; ".join(reason.format(", ".join(names)) for reason, names in silent.items())
    return [listening_scene(recordings[name], reason, shown, audio) for name, reason in chosen.items()], missing


def _labels(system: System) -> dict[str, tuple[str, ...]]:
    """Return the labels of the references that were scored, by recording: drawn test sets all have the same IDs."""
    return {scores.id: scores.labels for scores in system.summary.recordings}


def _misfit(system: System, there: Mapping[str, tuple[str, ...]], names: Collection[str]) -> str:
    """Return where a data directory, its labels by recording, differs from what was scored; nothing if it does not.

    Recordings that it lacks matter only among ``names``, which are to be heard.
    """
    for name, labels in _labels(system).items():
        if name not in there and name in names:
            return f"it has no recording {name}"
        if there.get(name, labels) != labels:
            return (
                f"{name} has {', '.join(there[name]) or 'no source'}, but had {', '.join(labels) or 'none'} when scored"
            )
    return ""


def _data_directory(experiments: Sequence[Experiment]) -> Path | None:
    """Return the recipe's ``data/NAME/test`` that belongs to ``exp/NAME``."""
    for experiment in experiments:
        folder = experiment.folder.resolve()
        for place in (folder.parent.parent / "data" / folder.name / "test", folder.parent / "data/test"):
            if (place / "wav.scp").is_file():
                return place
    return None
