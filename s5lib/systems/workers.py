"""Separates recordings one by one: in this process, over several, or over the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s5lib.audio import AudioReader, ChannelLayout, decibel, open_audio, split_entry
from s5lib.errors import DataError
from s5lib.models import keep_freed_memory
from s5lib.parallel import available_cores, over_dask, over_processes
from s5lib.plugins import register_plugin
from s5lib.provenance import FileStamp, Stamps
from s5lib.systems.base import System
from s5lib.systems.format_summary import format_summary
from s5lib.systems.load import load_system
from s5lib.systems.outputs import SourceWriter
from s5lib.systems.recording_check import RecordingCheck
from s5lib.systems.records import discard, read_record, record_path, recording_text
from s5lib.systems.streaming import Block
from s5lib.untrusted import parse_json, printable

__all__ = ["Job", "Outcome", "Task", "separate_all"]

_BLOCK = 1 << 20  # samples read at a time to measure a level


@dataclass(frozen=True)
class Task:
    """One recording to separate."""

    name: str
    path: str
    """absolute, or a part of an archive: ``FILE.ark:OFFSET``"""
    folder: Path
    """absolute"""
    labels: tuple[str, ...] | None
    """of its sources; None: predicted"""
    is_stale: bool = False
    """there is a result, made from something else: it is removed if no new one can be made"""
    sha256: str | None = None
    """of the recording's file, which the worker of another machine must see; None: not checked"""


@dataclass(frozen=True)
class Job:
    """How all recordings are separated."""

    system: tuple[tuple[str, Any], ...]
    """keywords of :func:`s5lib.systems.load_system`; hashable, so that a process loads the models once"""
    window_seconds: float
    format: str
    made_by: str
    """what goes into each JSON about models and settings, as JSON"""
    plugins: tuple[str, ...] = ()
    sample_rate: str = "model"
    """of the files: that of the ``"model"``, or the recording's ``"own"``"""
    remainder: bool = False
    """whether to write what the sources leave of the reference channel"""
    layout: ChannelLayout | None = None
    """how the recordings' channels become those of the models; None: their first ones, as in training"""
    match_level: bool = False
    """whether models that depend on it hear the recordings at the level of their training"""


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    task: Task
    seconds: float = 0.0
    """of audio"""
    words: str = ""
    warnings: tuple[str, ...] = ()
    """what is lost of the recording's channels, and in what it is unlike the training mixtures"""
    error: str | None = None


def separate_all(job: Job, tasks: Sequence[Task], nj: int | None = 1, dask: str | None = None) -> Iterator[Outcome]:
    """Yield the outcomes as they come, from ``nj`` processes or from the workers of the scheduler at ``dask``.

    ``nj`` None: from as many as there are cores, and memory for them.

    Raises:
        S5Error: what concerns all recordings: models that do not load, unknown labels, a process that was killed.
    """
    work = partial(separate, job)
    if dask is not None:
        for outcome in over_dask(work, _with_digests(tasks), dask):
            yield _seen_here(job, outcome)
        return
    processes = min(_processes(job) if nj is None else nj, len(tasks))
    if processes <= 1:
        keep_freed_memory()
        yield from map(work, tasks)
        return
    threads = (max(1, torch.get_num_threads() // processes),)
    yield from over_processes(work, tasks, processes, start_method="forkserver", initializer=_start, initargs=threads)


def _processes(job: Job) -> int:
    """Return how many processes have a core and memory: torch, the weights, and the tensors of a window."""
    files = (Path(value) for name, value in job.system if name in ("tagger", "separator", "joint_model") and value)
    needed = (1 << 30) + 4 * sum(file.stat().st_size for file in files)
    return max(1, min(available_cores(), _available_memory() // needed))


def _available_memory() -> int:
    """Return the bytes that new processes may take; what other programs cache of files is among them."""
    try:
        found = re.search(r"^MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) << 10 if found else 0
    except OSError:  # not Linux
        return 0


def _with_digests(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with the digests of their recordings, so that no worker takes its own file of the same name."""
    stamps, known = Stamps(), []
    for task in tasks:
        with contextlib.suppress(OSError):  # the worker will say that it cannot read it
            task = replace(task, sha256=stamps[split_entry(os.path.abspath(task.path))[0]])
        known.append(task)
    return known


def _seen_here(job: Job, outcome: Outcome) -> Outcome:
    """Return an outcome of another machine's, as an error if its files are not where they are expected."""
    if outcome.error is not None:
        return outcome
    try:
        record = read_record(record_path(outcome.task.folder, outcome.task.name))
        stamp = FileStamp.read(record.get("recording_stamp"))
        if (
            stamp
            and stamp.sha256 == outcome.task.sha256
            and record.get("made_by") == parse_json(job.made_by, "the job")
        ):
            return outcome
    except DataError:
        pass
    folder = outcome.task.folder
    message = (
        f"the Dask worker wrote into a {folder} of its own: --out must be on a file system that all machines share."
    )
    return replace(outcome, error=message)


def _start(threads: int) -> None:
    torch.set_num_threads(threads)
    keep_freed_memory()


@lru_cache(maxsize=1)
def _load(keywords: tuple[tuple[str, Any], ...], plugins: tuple[str, ...], made_by: str) -> System:
    """Load a system; ``made_by`` holds the models' digests, so that models that were replaced are loaded again."""
    for plugin in plugins:
        register_plugin(plugin)
    return load_system(**dict(keywords))


def separate(job: Job, task: Task) -> Outcome:
    """Separate one recording and write its files.

    Raises:
        S5Error: an error that affects every recording; one of this recording alone is in the outcome.
    """
    system = _load(job.system, job.plugins, job.made_by)
    system.window_seconds = job.window_seconds
    try:
        stamp = _checked_stamp(task, job)
        with open_audio(task.path, system.sample_rate, system.layout(job.layout)) as recording:
            record = _write(system, recording, job, task, stamp)
        summary = format_summary(printable(os.path.basename(task.path), keep=""), record)
        return Outcome(task, recording.duration, summary, tuple(record["warnings"]))
    except DataError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or task.path}: {error.strerror or error}."
    except UnicodeError as error:
        message = f"{task.path}: the name cannot be used ({error})."
    except (RuntimeError, MemoryError) as error:  # of torch, out of memory included; it may fit another recording
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        message = f"{task.path}: the models failed ({cause}). If memory was short, a smaller --window helps."
    if task.is_stale:
        with contextlib.suppress(OSError, DataError):
            discard(task.folder, task.name)
    return Outcome(task, error=message)


def _checked_stamp(task: Task, job: Job) -> FileStamp:
    """Return the stamp of the recording's file.

    Raises:
        DataError: the machine that gave the task sees another file there, or other models.
        OSError: it cannot be read.
    """
    file, _ = split_entry(os.path.abspath(task.path))
    if not os.path.isfile(file):
        with open_audio(task.path):  # which reports what it is instead: a command, a pipe, nothing
            raise DataError(f"{task.path}: no such recording.")
    stamp = _stamps.stamp(file)
    if task.sha256 is not None:
        models = {model["file"]: model["sha256"] for model in parse_json(job.made_by, "the job")["models"].values()}
        differing = [path for path, sha256 in (models | {file: task.sha256}).items() if _stamps[path] != sha256]
        if differing:
            raise DataError(
                f"{task.path}: the Dask worker on {platform.node()} sees another file {differing[0]} than the machine "
                "that started the work; both need the same files under the same paths."
            )
    return stamp


_stamps = Stamps()  # of what this process has read: an archive holds many recordings


def _write(system: System, recording: AudioReader, job: Job, task: Task, stamp: FileStamp) -> dict[str, Any]:
    gain = system.gain_for(_power(recording)) if job.match_level and not system.is_level_invariant else 1.0
    check = RecordingCheck(system, predicted=task.labels is None)
    seen = 0

    def read(start: int, stop: int) -> np.ndarray:
        nonlocal seen
        samples = recording.read(start, stop)
        check.hear(samples[:, max(0, seen - start) :])
        seen = max(seen, stop)
        return samples if gain == 1 else samples * np.float32(gain)

    own = job.sample_rate == "own" and recording.info.sample_rate != system.sample_rate
    written = {"written_rate": recording.info.sample_rate, "written_samples": recording.info.frames} if own else {}
    with contextlib.ExitStack() as held:
        writer = held.enter_context(SourceWriter(task.folder, task.name, system.sample_rate, job.format, **written))
        for block in system.stream(read, recording.num_samples, task.labels, check.add_window):
            writer.add(block if gain == 1 else _scaled(block, 1 / gain))
        if not stamp.is_state_of(split_entry(os.path.abspath(task.path))[0]):
            raise DataError(f"{task.path} was changed while it was read. Run again when it is complete.")
        energy = float(check.energy[0])
        level = decibel(energy / recording.num_samples)
        gain_db = round(20 * math.log10(gain), 2)
        warnings = check.warnings(level if level is None else level + gain_db, recording.part_power)
        reference = recording
        if job.remainder and own:
            reference = held.enter_context(open_audio(task.path, layout=recording.layout))
        return writer.finish(
            lambda parts: system.in_order(parts, task.labels),
            mixture_energy=energy,
            reference=(lambda start, stop: reference.read(start, stop)[0]) if job.remainder else None,
            recording=recording_text(task.path),
            recording_stamp=stamp.as_json(),
            labels="predicted" if task.labels is None else "given",
            class_labels=system.labels,
            level_dbfs=level,
            heard_with_gain_db=gain_db,
            warnings=[recording.note, *warnings] if recording.note else warnings,
            made_by=parse_json(job.made_by, "the job"),
        )


def _power(recording: AudioReader) -> float:
    """Return the mean square of the recording's reference channel."""
    energy = 0.0
    for start in range(0, recording.num_samples, _BLOCK):
        samples = recording.read(start, min(start + _BLOCK, recording.num_samples))
        energy += float(np.square(samples[0], dtype=np.float64).sum())
    return energy / recording.num_samples


def _scaled(block: Block, factor: float) -> Block:
    sources = [replace(source, waveform=source.waveform * np.float32(factor)) for source in block.sources]
    return replace(block, sources=sources)
