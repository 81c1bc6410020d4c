"""Run a system over many recordings; finished ones are not done again, unreadable ones are reported and skipped.

A result is finished if its record says that it was made from the same recording (by content), channel order, labels,
models, calibration and settings, and its files are intact.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from humanfriendly import format_timespan, pluralize
from tqdm import tqdm

from s5lib.audio import ChannelLayout, split_entry
from s5lib.data import DataDirectory
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.models.checkpoint import model_header
from s5lib.plugins import find, register_plugin
from s5lib.provenance import (
    FileStamp,
    Fingerprint,
    file_digest,
    folder_lock,
    no_empty_folders,
    problem_of,
    remove_scratch,
    write_json,
)
from s5lib.systems.calibration import find_calibration, with_threshold
from s5lib.systems.iterative import MARGIN, SILENCE
from s5lib.systems.load import check_models, filters_spatially
from s5lib.systems.naming import name_recordings
from s5lib.systems.outputs import FORMATS
from s5lib.systems.records import OF_LABELS, identity, is_output, read_record, record_path, recording_text
from s5lib.systems.training_data import LONGEST, SHORTEST, WINDOW, suitable_window
from s5lib.systems.workers import Job, Task, separate_all
from s5lib.untrusted import printable, shown, to_json
from s5lib.version import __version__

__all__ = ["infer_data_directory", "infer_files"]

log = logging.getLogger(__name__)

_CHECKPOINTS = ("tagger", "separator", "joint_model")


def infer_data_directory(
    data_dir: Path, out: Path, kinds: Sequence[str], system: dict, device: str = "cpu", nj: int | None = 1, **how: Any
) -> None:
    """Separate a data directory's recordings, into one folder of ``out`` for each of ``kinds``.

    Args:
        data_dir: a data directory, or a folder of recordings, which are then separated as a test set is.
        kinds: of labels: ``"predicted"`` by the system, ``"oracle"``: the data directory's.
        system: keywords of :func:`s5lib.systems.load_system` but the device.
        nj: processes, on the CPU; None: as many as cores and memory allow.
        how: ``format``, ``sample_rate``, ``remainder``, ``threshold``, ``window_seconds``, ``dask``, ``plugins``; see
            :func:`infer_files`.

    Raises:
        ConfigError: another kind, or an option or label that cannot be.
        DataError: the data directory is not what it must be, or recordings could not be separated.
    """
    data = DataDirectory.of(data_dir)
    tasks = []
    for kind in dict.fromkeys(kinds):
        if kind not in ("predicted", "oracle"):
            raise ConfigError(f"--labels {kind!r}: with --data_dir expected 'predicted', 'oracle' or both.")
        for recording in data:
            labels = recording.labels if kind == "oracle" else None
            if kind == "oracle" and labels is None:
                raise DataError(f"{data_dir} has no file 'labels': --labels can only be 'predicted'.")
            tasks.append(Task(recording.id, os.path.abspath(recording.mixture), (out / kind).absolute(), labels))
    _infer(tasks, out, system, device, nj, data=data, **how)


def infer_files(
    inputs: Iterable[str],
    out: Path,
    labels: Sequence[str] | None,
    system: dict,
    device: str = "cpu",
    nj: int | None = 1,
    layout: ChannelLayout | None = None,
    **how: Any,
) -> None:
    """Separate recordings, or all recordings in folders, into ``out``.

    Where the results go is said in :func:`s5lib.systems.naming.name_recordings`.

    Args:
        labels: of the sources to extract from each; None: predicted.
        system: keywords of :func:`s5lib.systems.load_system` but the device.
        nj: processes, on the CPU; None: as many as cores and memory allow.
        layout: of the recordings' channels; by default four are first-order Ambisonics as the models have it.
        how: ``format`` of the files, one of :data:`s5lib.systems.outputs.FORMATS`; ``sample_rate`` of the files,
            ``"own"``, that of each recording, or ``"model"`` (by default own, of a data directory the models');
            ``remainder``, whether to write what the sources leave of the reference channel; ``threshold``, the least
            probability of a source; ``window_seconds``, what the system hears at once; ``dask``, address of a
            scheduler whose workers see the same folders; ``plugins`` to register in each process.

    Raises:
        ConfigError: an option or label that cannot be.
        DataError: there is nothing to separate, or some recordings could not be separated.
    """
    given = tuple(labels) if labels is not None else None
    tasks = []
    for place, file in name_recordings(list(inputs)):
        folder = (out / place).parent
        tasks.append(Task(os.path.basename(place), os.path.abspath(file), folder.absolute(), given))
    _infer(tasks, out, system, device, nj, layout=layout or ChannelLayout(), **how)


def _infer(
    tasks: list[Task],
    out: Path,
    system: dict,
    device: str,
    nj: int | None,
    *,
    data: DataDirectory | None = None,
    format: str = "float",
    window_seconds: float | None = None,
    layout: ChannelLayout | None = None,
    sample_rate: str | None = None,
    remainder: bool = False,
    threshold: float | None = None,
    dask: str | None = None,
    plugins: Sequence[str] = (),
) -> None:
    if format not in FORMATS:
        raise ConfigError(f"--format {format!r} is unknown. {nearest(format, FORMATS)}")
    if window_seconds is not None and not SHORTEST <= window_seconds <= LONGEST:
        raise ConfigError(
            f"--window is {window_seconds:g} s; expected 0.5 to 600, such as the duration of training scenes."
        )
    if format == "mp3" and data is not None:
        raise ConfigError("--format mp3 is lossy and cannot be scored: choose another --format.")
    sample_rate = sample_rate or ("own" if data is None else "model")
    system = _checked(system, {task.labels is None for task in tasks})
    if threshold is not None and not (system.get("tagger") or system.get("joint_model")):
        raise ConfigError("--threshold applies to predicted labels, but labels are given: leave it out.")
    for plugin in plugins:
        register_plugin(plugin)
    models, headers = _models(system)
    if window_seconds is None:  # a corpus's scenes are scored in one piece
        suitable = suitable_window(headers)
        window_seconds = suitable if data is None else max(WINDOW, suitable)
    calibration = find_calibration(system.get("calibration", "auto"), system.get("tagger"))
    system["calibration"] = with_threshold(calibration, threshold)
    made_by = {
        **_made_by(system, models, window_seconds, layout or ChannelLayout()),
        "format": format,
        "sample_rate": sample_rate,
        "remainder": remainder,
        "match_level": data is None,
    }
    _check_labels(tasks, data, headers[-1])
    _check_recordings_stay(tasks)
    folders = {task.folder for task in tasks}
    with no_empty_folders(out, *folders), contextlib.ExitStack() as held:
        try:
            held.enter_context(folder_lock(out))
        except OSError as error:
            raise ConfigError(f"cannot write into {out}: {error.strerror}. Choose another folder.") from None
        _refuse_other_system(out, system["system"])
        for folder in folders:
            remove_scratch(folder)
        todo = _unfinished(tasks, made_by, out, data is not None)
        if not todo:
            return
        keywords = tuple({**system, "device": device}.items())
        names = tuple(map(str, plugins))
        job = Job(
            keywords,
            window_seconds,
            format,
            to_json(made_by),
            names,
            sample_rate,
            remainder,
            layout,
            match_level=data is None,
        )
        _separate(job, todo, nj if device == "cpu" else 1, dask, log_each=data is None)


def _separate(job: Job, todo: list[Task], nj: int | None, dask: str | None, log_each: bool) -> None:
    """Separate, log what comes out, and raise DataError if something could not be separated."""
    failed, unlike, audio, since = [], 0, 0.0, time.monotonic()
    with tqdm(total=len(todo), unit="recording", disable=None) as bar:
        for outcome in separate_all(job, todo, nj, dask):
            bar.update()
            audio += outcome.seconds
            if outcome.error is not None:
                failed.append(outcome.task)
                path, cause = outcome.task.path, outcome.error
                log.error("%s", printable(cause if path in cause else f"{path}: {cause}", keep=""))
                continue
            unlike += bool(outcome.warnings)
            if log_each:
                log.info("%s", outcome.words)
                for warning in outcome.warnings:
                    log.warning("%s: %s", printable(outcome.task.path, keep=""), warning)
    elapsed = time.monotonic() - since
    if len(failed) == len(todo):
        raise DataError(f"none of {len(todo)} recordings could be separated, the first is {failed[0].path}.")
    log.info(
        "%s, %s of audio, in %s (%.1f times real time)",
        pluralize(len(todo) - len(failed), "recording"),
        format_timespan(round(audio, 1)),
        format_timespan(round(elapsed, 1)),
        audio / elapsed,
    )
    if unlike and not log_each:
        log.info("%d recordings are unlike the training mixtures: see the warnings in their JSON", unlike)
    if failed:
        raise DataError(
            f"{len(failed)} of {len(todo)} recordings could not be separated, the first is {failed[0].path}."
        )


def _checked(system: dict, predicted: set[bool]) -> dict:
    """Return ``system`` with its name and without a model that is not needed; ``predicted``: whether labels are."""
    models = [system.get(kind) for kind in _CHECKPOINTS]
    name = check_models(system.get("system"), *models)
    system = {**system, "system": name, "spatial_filter": filters_spatially(name, system.get("spatial_filter", False))}
    if system["system"] == "joint":
        if False in predicted:
            raise ConfigError("a joint model predicts the labels itself: --labels can only be 'predicted'.")
        return system
    if system.get("separator") is None:
        raise ConfigError("there is nothing to separate with: give --separator FILE, or --joint_model FILE.")
    if True not in predicted:
        return {**system, "tagger": None}
    if system.get("tagger") is None:
        raise ConfigError("predicting labels needs a tagger: give --tagger FILE, or the labels by --labels.")
    return system


def _models(system: dict) -> tuple[dict[str, dict[str, str]], list[dict[str, Any]]]:
    """Return the file of each checkpoint and digests of what the model depends on, by its kind; and the headers."""
    models, headers = {}, []
    for kind in _CHECKPOINTS:
        if file := system.get(kind):
            models[kind] = {"file": os.path.abspath(file), "sha256": _digest(kind, file)}
            headers.append(model_header(file))
            models[kind] |= _code(kind, headers[-1])
    return models, headers


def _code(kind: str, header: dict[str, Any]) -> dict[str, str]:
    """Return the digest of a plugin's source, on which a model depends as on its weights; nothing for a built-in."""
    if header.get("distribution", "s5lib") == "s5lib":
        return {}
    component = find(kind, header["name"], distribution=header["distribution"], version=header["version"])
    return {"code": component.code_digest()}


def _made_by(system: dict, models: dict, window_seconds: float, layout: ChannelLayout) -> dict[str, Any]:
    """Return what the JSON of a recording says about where its sources come from."""
    settings = {key: value for key, value in system.items() if key not in _CHECKPOINTS and value is not None}
    if system["system"] == "iterative":
        settings |= {"margin": MARGIN, "silence": SILENCE}
    else:
        settings.pop("rounds", None)
    if system["calibration"]:
        settings["calibration"] = system["calibration"].as_json()
    elif system.get("tagger") or system.get("joint_model"):
        settings["calibration"] = "none"
    return {
        "s5lib": __version__,
        "models": models,
        **settings,
        "window_seconds": window_seconds,
        "channel_order": layout.order,
        "normalisation": layout.normalisation,
        "channels": layout.channels if isinstance(layout.channels, str) else ",".join(map(str, layout.channels)),
    }


def _check_labels(tasks: Sequence[Task], data: DataDirectory | None, header: dict[str, Any]) -> None:
    """Refuse labels that the models do not know, and more than they have slots, before anything is written."""
    known = header["labels"]
    if data is not None:
        data.check_labels(known)
    slots = header.get("config", {}).get("num_sources")  # official checkpoints say it by their weights alone
    for task in tasks:
        if slots and task.labels and len(task.labels) > slots:
            raise ConfigError(f"{task.name} has {len(task.labels)} labels; the separator has {slots} slots.")
    for label in {label for task in tasks for label in task.labels or ()} - set(known):
        raise ConfigError(f"label {shown(label)} is unknown to the models. {nearest(label, known)}")


def _check_recordings_stay(tasks: Sequence[Task]) -> None:
    """Refuse a recording whose own sources could take its name, before anything is written."""
    for task in tasks:
        folder, file = os.path.split(os.path.realpath(split_entry(task.path)[0]))
        if is_output(file, task.name) and folder == os.path.realpath(task.folder):
            raise ConfigError(
                f"{printable(task.path, keep='')} could be overwritten by its own sources: choose another --out."
            )


def _digest(kind: str, path: str | Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ConfigError(f"--{kind} {path}: {error.strerror}.") from None


def _refuse_other_system(out: Path, system: str) -> None:
    """Raise ConfigError where another system's results for given labels would stay among those of a joint model."""
    if system == "joint" and any(out.glob("oracle/*.json")):
        raise ConfigError(
            f"{out} holds another system's output for oracle labels: choose another --out for the joint model."
        )


def _refuse_other_recording(path: Path, record: dict[str, Any], stamp: FileStamp | None, task: Task) -> None:
    """Raise ConfigError where a result is of another recording of that name, which is still there."""
    other, _ = split_entry(str(record.get("recording")))
    if stamp is not None and os.path.isfile(other) and FileStamp.of(other, stamp).sha256 == stamp.sha256:
        raise ConfigError(
            f"{path} has the sources of {other}, not of {task.path}: choose another --out, or separate both at once, "
            "which keeps them apart."
        )


def _unfinished(tasks: list[Task], made_by: dict, out: Path, of_data: bool) -> list[Task]:
    """Return the tasks whose results are missing, damaged, or made from something else or by something else."""
    todo, reasons = [], set()
    wanted = Fingerprint(identity(made_by))
    for task in tasks:
        path = record_path(task.folder, task.name)
        try:
            record = read_record(path)
            before = identity(record.get("made_by") or {})
        except DataError:
            todo.append(task)
            continue
        changes = {change.name.partition(".")[0] for change in wanted.changes_since(before)}
        if task.labels is not None:
            changes -= OF_LABELS
        labels = "predicted" if task.labels is None else "given"
        if record.get("labels") != labels or (
            task.labels is not None and [entry["label"] for entry in record["sources"]] != list(task.labels)
        ):
            changes.add("labels")
        file, offset = split_entry(os.path.abspath(task.path))
        known = FileStamp.read(record.get("recording_stamp"))
        try:
            stamp = FileStamp.of(file, known)
        except OSError:  # reported when it is separated; what there is of it is left alone
            todo.append(task)
            continue
        if known is None or stamp.sha256 != known.sha256 or not str(record.get("recording")).endswith(offset):
            changes.add("recording")
        if changes:
            if "recording" in changes and not of_data:
                _refuse_other_recording(path, record, known, task)
            todo.append(replace(task, is_stale="recording" in changes))
            reasons |= changes
        elif problem := problem_of(path, record.get("files") or {}):
            todo.append(task)
            log.info("%s: %s: redone", path, problem)
        else:
            _refresh(path, record, {"recording": recording_text(task.path), "recording_stamp": stamp.as_json()})
    if reasons:
        what = " and the ".join(sorted(reason.replace("_", " ") for reason in reasons))
        log.info("the %s changed: %d recordings in %s are redone", what, len(todo), out)
    if len(todo) < len(tasks):
        log.info("%d of %d recordings are finished already", len(tasks) - len(todo), len(tasks))
    return todo


def _refresh(path: Path, record: dict[str, Any], details: dict[str, Any]) -> None:
    """Note where the same recording now lies, so that it need not be read again."""
    if any(record.get(key) != value for key, value in details.items()):
        with contextlib.suppress(OSError):
            write_json(path, {**record, **details})
