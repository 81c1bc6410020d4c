"""Run a system over many recordings; what is finished is not done again, a broken recording stops no other."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from humanfriendly import format_timespan
from tqdm import tqdm

from s5lib.data import DataDirectory
from s5lib.errors import ConfigError, DataError, S5Error
from s5lib.models import keep_freed_memory
from s5lib.scenes.audio import read_audio
from s5lib.systems.load import check_models, load_system
from s5lib.systems.outputs import write_sources

__all__ = ["Task", "infer_data_directory", "infer_files"]

log = logging.getLogger(__name__)

_AUDIO = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".w64", ".caf", ".opus"}


@dataclass(frozen=True)
class Task:
    """One recording to separate."""

    name: str
    path: str
    folder: Path
    labels: tuple[str, ...] | None
    """of its sources; None: predicted"""
    channels: tuple[int, ...] | None = None
    """the order in which the file's channels are read; None: as they are"""


def infer_data_directory(
    data_dir: Path, out: Path, kinds: Sequence[str], system: dict, device: str = "cpu", nj: int = 1
) -> None:
    """Separate a data directory's recordings, into one folder of ``out`` for each of ``kinds``.

    Args:
        kinds: of labels: ``"predicted"`` by the system, ``"oracle"``: the data directory's.
        system: keywords of :func:`s5lib.systems.load_system` but the device.

    Raises:
        ConfigError: another kind.
        DataError: the data directory is not what it must be, or recordings could not be separated.
    """
    data = DataDirectory.read(data_dir)
    tasks = []
    for kind in kinds:
        if kind not in ("predicted", "oracle"):
            raise ConfigError(f"--labels {kind!r}: with --data_dir expected 'predicted', 'oracle' or both.")
        for recording in data:
            labels = tuple(recording.labels) if kind == "oracle" else None
            tasks.append(Task(recording.id, recording.mixture, out / kind, labels))
    _infer(tasks, out, system, device, nj)


def infer_files(
    inputs: Iterable[str], out: Path, labels: Sequence[str] | None, system: dict, device: str = "cpu",
    nj: int = 1, channel_order: str = "WYZX",
) -> None:
    """Separate recordings, or all recordings in folders, into ``out``.

    Args:
        labels: of the sources to extract from each; None: predicted.
        system: keywords of :func:`s5lib.systems.load_system` but the device.
        channel_order: of four-channel files; the models have WYZX.

    Raises:
        DataError: there is nothing to separate, two recordings have one name, or some could not be separated.
    """
    files = []
    for item in map(Path, inputs):
        if item.is_dir():
            files += sorted(f for f in item.rglob("*") if f.suffix.lower() in _AUDIO)
        else:
            files.append(item)
    if not files:
        raise DataError(f"no recordings in {', '.join(map(str, inputs))}; known are {', '.join(sorted(_AUDIO))}.")
    names = {}
    for file in files:
        if file.stem in names:
            raise DataError(f"{names[file.stem]} and {file} would both be written as {file.stem}_*: rename one of them.")
        names[file.stem] = file
    order = tuple(channel_order.index(c) for c in "WYZX") if channel_order != "WYZX" else None
    given = tuple(labels) if labels is not None else None
    _infer([Task(name, str(file), out, given, order) for name, file in names.items()], out, system, device, nj)


_CHECKPOINTS = ("tagger", "separator", "joint_model")


def _infer(tasks: list[Task], out: Path, system: dict, device: str, nj: int) -> None:
    system = _checked(system, {task.labels is None for task in tasks})
    try:
        out.mkdir(parents=True, exist_ok=True)
        _forget_other_models(tasks, out, system)
    except OSError as error:
        raise ConfigError(f"cannot write into {out}: {error.strerror}. Choose another folder.") from None
    todo = [task for task in tasks if not (task.folder / f"{task.name}.json").exists()]
    if len(todo) < len(tasks):
        log.info("%d of %d recordings are finished already", len(tasks) - len(todo), len(tasks))
    if not todo:
        return
    failed, audio, since = [], 0.0, time.monotonic()
    bar = tqdm(total=len(todo), unit="recording", disable=None)
    for task, seconds, error in _run(todo, partial(load_system, **system, device=device), nj if device == "cpu" else 1):
        bar.update()
        audio += seconds
        if error:
            failed.append(task)
            log.error("%s", error if task.path in error else f"{task.path}: {error}")
    bar.close()
    elapsed = time.monotonic() - since
    log.info(
        "%d recordings, %s of audio, in %s (%.1f times faster than they sound)", len(todo) - len(failed),
        format_timespan(round(audio)), format_timespan(round(elapsed, 1)), audio / elapsed,
    )
    if failed:
        raise DataError(f"{len(failed)} of {len(todo)} recordings could not be separated, the first is {failed[0].path}.")


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


def _forget_other_models(tasks, out, system):
    """Delete what other models or rounds have left in ``out``, so that their results are not taken for this one's.

    Raises:
        ConfigError: it was another system, whose results for other labels would stay among this one's.
    """
    stamp = out / "models.json"
    known = json.loads(stamp.read_text(encoding="utf-8")) if stamp.exists() else {}
    if known and known.get("system", "tag_separate") != system["system"]:
        raise ConfigError(
            f"{out} holds what the system {known.get('system', 'tag_separate')} gave: choose another --out for the "
            f"system {system['system']}."
        )
    used = {kind: _digest(system[kind]) for kind in _CHECKPOINTS if system.get(kind)}
    if system["system"] == "iterative":
        used["number of rounds"] = system.get("rounds")
    used["precision"] = system.get("precision", "float32")
    stale = [what for what, value in used.items() if known.get(what) not in (None, value)]
    if stale:
        log.info("the %s changed: what is in %s is done again", " and the ".join(stale), out)
        for task in tasks:
            (task.folder / f"{task.name}.json").unlink(missing_ok=True)
    temporary = out / ".models.json.part"
    kept = {**({} if stale else known), "system": system["system"], **used}
    temporary.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    os.replace(temporary, stamp)


def _digest(path) -> str:
    with open(path, "rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _run(tasks: list[Task], load: Callable, nj: int):
    """Yield ``(task, seconds of audio, error message or None)``, from ``nj`` processes with one system each."""
    if nj <= 1 or len(tasks) == 1:
        keep_freed_memory()
        system = load()
        for task in tasks:
            yield _separate(system, task)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(nj, len(tasks)), _start, (load, max(1, torch.get_num_threads() // nj))) as pool:
        yield from pool.imap_unordered(_work, tasks, chunksize=1)


_system = None  # of a worker process


def _start(load, threads):
    global _system
    torch.set_num_threads(threads)
    keep_freed_memory()
    _system = load()


def _work(task):
    return _separate(_system, task)


def _separate(system, task: Task):
    try:
        waveform, sample_rate = read_audio(task.path)
        if task.channels is not None and len(waveform) == len(task.channels):
            waveform = waveform[list(task.channels)]
        sources = system(waveform, sample_rate, task.labels)
        write_sources(
            task.folder, task.name, sources, system.sample_rate,
            labels="given" if task.labels is not None else "predicted",
        )
        return task, waveform.shape[1] / sample_rate, None
    except S5Error as error:
        return task, 0.0, str(error)
