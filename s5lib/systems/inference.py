"""Run a system over many recordings; what is finished is not done again, a broken recording stops no other."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from humanfriendly import format_timespan
from tqdm import tqdm

from s5lib.data import DataDirectory
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.provenance.digest import file_digest
from s5lib.systems.calibration import find_calibration
from s5lib.systems.load import check_models
from s5lib.systems.outputs import FORMATS, read_record
from s5lib.systems.workers import Job, Task, separate_all
from s5lib.untrusted import to_json
from s5lib.version import __version__

__all__ = ["infer_data_directory", "infer_files"]

log = logging.getLogger(__name__)

_AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".w64", ".rf64", ".caf", ".opus", ".au"}
_CHECKPOINTS = ("tagger", "separator", "joint_model")


def infer_data_directory(
    data_dir: Path, out: Path, kinds: Sequence[str], system: dict, device: str = "cpu", nj: int = 1, **how: Any
) -> None:
    """Separate a data directory's recordings, into one folder of ``out`` for each of ``kinds``.

    Args:
        kinds: of labels: ``"predicted"`` by the system, ``"oracle"``: the data directory's.
        system: keywords of :func:`s5lib.systems.load_system` but the device.
        how: ``format``, ``window_seconds``, ``dask``, ``plugins``; see :func:`infer_files`.

    Raises:
        ConfigError: another kind, or an option or label that cannot be.
        DataError: the data directory is not what it must be, or recordings could not be separated.
    """
    data = DataDirectory.read(data_dir)
    tasks = []
    for kind in kinds:
        if kind not in ("predicted", "oracle"):
            raise ConfigError(f"--labels {kind!r}: with --data_dir expected 'predicted', 'oracle' or both.")
        for recording in data:
            labels = recording.labels if kind == "oracle" else None
            if kind == "oracle" and labels is None:
                raise DataError(f"{data_dir} has no file 'labels': --labels can only be 'predicted'.")
            tasks.append(Task(recording.id, recording.mixture, out / kind, labels))
    _infer(tasks, out, system, device, nj, told=False, **how)


def infer_files(
    inputs: Iterable[str],
    out: Path,
    labels: Sequence[str] | None,
    system: dict,
    device: str = "cpu",
    nj: int = 1,
    channel_order: str = "WYZX",
    **how: Any,
) -> None:
    """Separate recordings, or all recordings in folders, into ``out``.

    Args:
        labels: of the sources to extract from each; None: predicted.
        system: keywords of :func:`s5lib.systems.load_system` but the device.
        channel_order: of four-channel files; the models have WYZX.
        how: ``format`` of the files, one of :data:`s5lib.systems.outputs.FORMATS`; ``window_seconds``, what the system
            hears at once; ``dask``, address of a scheduler whose workers see the same folders; ``plugins`` to register
            in each process.

    Raises:
        ConfigError: an option or label that cannot be.
        DataError: there is nothing to separate, two recordings have one name, or some could not be separated.
    """
    files = []
    for item in map(Path, inputs):
        if item.is_dir():
            files += sorted(f for f in item.rglob("*") if f.suffix.lower() in _AUDIO and f.is_file())
        else:
            files.append(item)
    if not files:
        raise DataError(f"no recordings in {', '.join(map(str, inputs))}; known are {', '.join(sorted(_AUDIO))}.")
    names: dict[str, Path] = {}
    for file in files:
        if file.stem in names:
            raise DataError(
                f"{names[file.stem]} and {file} would both be written as {file.stem}_*: rename one of them."
            )
        names[file.stem] = file
    order = tuple(channel_order.index(c) for c in "WYZX") if channel_order != "WYZX" else None
    given = tuple(labels) if labels is not None else None
    tasks = [Task(name, str(file), out, given, order) for name, file in names.items()]
    _infer(tasks, out, system, device, nj, told=True, **how)


def _infer(
    tasks: list[Task],
    out: Path,
    system: dict,
    device: str,
    nj: int,
    *,
    told: bool,
    format: str = "float",
    window_seconds: float = 10.0,
    dask: str | None = None,
    plugins: Sequence[str] = (),
) -> None:
    if format not in FORMATS:
        raise ConfigError(f"--format {format!r} is unknown. {nearest(format, FORMATS)}")
    if not 0.5 <= window_seconds <= 600:
        raise ConfigError(
            f"--window is {window_seconds:g} s; expected 0.5 to 600, such as the duration of training scenes."
        )
    system = _checked(system, {task.labels is None for task in tasks})
    system["calibration"] = find_calibration(system.get("calibration", "auto"), system.get("tagger"))
    made_by = _made_by(system, format, window_seconds)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write into {out}: {error.strerror}. Choose another folder.") from None
    _refuse_other_system(out, system["system"])
    todo = _unfinished(tasks, made_by, out)
    if not todo:
        return
    keywords = tuple({**system, "device": device}.items())
    job = Job(keywords, window_seconds, format, to_json(made_by), tuple(map(str, plugins)))
    failed, audio, since = [], 0.0, time.monotonic()
    with tqdm(total=len(todo), unit="recording", disable=None) as bar:
        for outcome in separate_all(job, todo, nj if device == "cpu" else 1, dask):
            bar.update()
            audio += outcome.seconds
            if outcome.error is not None:
                failed.append(outcome.task)
                path, cause = outcome.task.path, outcome.error
                log.error("%s", cause if path in cause else f"{path}: {cause}")
            elif told:
                log.info("%s", outcome.words)
    elapsed = time.monotonic() - since
    log.info(
        "%d recordings, %s of audio, in %s (%.1f times faster than they sound)",
        len(todo) - len(failed),
        format_timespan(round(audio, 1)),
        format_timespan(round(elapsed, 1)),
        audio / elapsed,
    )
    if failed:
        raise DataError(
            f"{len(failed)} of {len(todo)} recordings could not be separated, the first is {failed[0].path}."
        )


def _checked(system: dict, predicted: set[bool]) -> dict:
    """Return ``system`` with its name and without a model that is not needed; ``predicted``: whether labels are."""
    models = [system.get(kind) for kind in _CHECKPOINTS]
    system = {**system, "system": check_models(system.get("system"), *models)}
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


def _made_by(system: dict, format: str, window_seconds: float) -> dict[str, Any]:
    """Return what the JSON of a recording says about where its sources come from."""
    models = {
        kind: {"file": os.path.abspath(system[kind]), "sha256": _digest(kind, system[kind])}
        for kind in _CHECKPOINTS
        if system.get(kind)
    }
    settings = {key: value for key, value in system.items() if key not in _CHECKPOINTS and value is not None}
    if system["system"] != "iterative":
        settings.pop("rounds", None)
    if system.get("tagger"):
        settings["calibration"] = system["calibration"].as_json() if system["calibration"] else "none"
    return {
        "s5lib": __version__,
        "models": models,
        **settings,
        "window_seconds": window_seconds,
        "format": format,
    }


def _digest(kind: str, path: str | Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise ConfigError(f"--{kind} {path}: {error.strerror}.") from None


def _refuse_other_system(out: Path, system: str) -> None:
    """Raise ConfigError where another system's results for given labels would stay among those of a joint model."""
    if system == "joint" and any(out.glob("oracle/*.json")):
        raise ConfigError(
            f"{out} holds what another system gave for oracle labels: choose another --out for the joint model."
        )


def _unfinished(tasks: list[Task], made_by: dict, out: Path) -> list[Task]:
    """Return the tasks whose results are not there, or were made from something else or by something else."""
    todo, changes = [], set()
    wanted = _identity(made_by)
    for task in tasks:
        try:
            record = read_record(task.folder / f"{task.name}.json")
            before = _identity(record["made_by"])
        except (DataError, KeyError, TypeError, AttributeError):
            todo.append(task)
            continue
        labels = "predicted" if task.labels is None else "given"
        differing = {key for key, value in wanted.items() if before.get(key) != value}
        if task.labels is not None:
            differing -= {"tagger", "calibration"}
        if record.get("labels") != labels or (
            task.labels is not None and [entry["label"] for entry in record["sources"]] != list(task.labels)
        ):
            differing.add("labels")
        if record.get("recording") != os.path.abspath(task.path):
            differing.add("recording")
        if differing or not all((task.folder / Path(entry["file"]).name).is_file() for entry in record["sources"]):
            todo.append(task)
            changes |= differing
    if changes:
        what = " and the ".join(sorted(change.replace("_", " ") for change in changes))
        log.info("the %s changed: %d recordings in %s are done again", what, len(todo), out)
    if len(todo) < len(tasks):
        log.info("%d of %d recordings are finished already", len(tasks) - len(todo), len(tasks))
    return todo


def _identity(made_by: dict) -> dict[str, Any]:
    """Return the part of ``made_by`` that decides about the result: not where models lie, nor s5lib's version."""
    digests = {kind: model["sha256"] for kind, model in made_by["models"].items()}
    return {**digests, **{key: value for key, value in made_by.items() if key not in ("s5lib", "models", "compiled")}}
