"""Separates recordings one by one: in this process, over several, or over the workers of a Dask scheduler."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s5lib.audio.reader import RecordingReader
from s5lib.errors import DataError
from s5lib.models import keep_freed_memory
from s5lib.parallel import over_dask, over_processes
from s5lib.plugins import register_plugin
from s5lib.systems.base import System
from s5lib.systems.format_summary import format_summary
from s5lib.systems.load import load_system
from s5lib.systems.outputs import SourceWriter
from s5lib.untrusted import parse_json

__all__ = ["Job", "Outcome", "Task", "separate_all"]


@dataclass(frozen=True)
class Task:
    """One recording to separate."""

    name: str
    path: str
    folder: Path
    labels: tuple[str, ...] | None
    """of its sources; None: predicted"""
    channels: tuple[int, ...] | None = None
    """the order in which the channels of a file that has so many are read; None: as they are"""


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


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    task: Task
    seconds: float = 0.0
    """of audio"""
    words: str = ""
    error: str | None = None


def separate_all(job: Job, tasks: Sequence[Task], nj: int = 1, dask: str | None = None) -> Iterator[Outcome]:
    """Yield the outcomes as they come, from ``nj`` processes or from the workers of the scheduler at ``dask``.

    Raises:
        S5Error: what concerns all recordings: models that do not load, unknown labels, a process that was killed.
    """
    work = partial(separate, job)
    if dask is not None:
        yield from over_dask(work, tasks, dask)
    elif nj <= 1 or len(tasks) == 1:
        keep_freed_memory()
        yield from map(work, tasks)
    else:
        processes = min(nj, len(tasks))
        threads = max(1, torch.get_num_threads() // processes)
        yield from over_processes(work, tasks, processes, start_method="spawn", initializer=_start, initargs=(threads,))


def _start(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the process that started this one tells about Ctrl-C
    torch.set_num_threads(threads)
    keep_freed_memory()


@lru_cache(maxsize=1)
def _load(keywords: tuple[tuple[str, Any], ...], plugins: tuple[str, ...]) -> System:
    for plugin in plugins:
        register_plugin(plugin)
    return load_system(**dict(keywords))


def separate(job: Job, task: Task) -> Outcome:
    """Separate one recording and write its files.

    Raises:
        S5Error: what would befall every other recording, too; what concerns this one is told in the outcome.
    """
    system = _load(job.system, job.plugins)
    system.window_seconds = job.window_seconds
    try:
        with RecordingReader(task.path, system.sample_rate, task.channels) as recording:
            system.check_channels(recording.num_channels)
            record = _write(system, recording, job, task)
        return Outcome(task, recording.duration, format_summary(os.path.basename(task.path), record))
    except DataError as error:
        return Outcome(task, error=str(error))
    except (RuntimeError, MemoryError) as error:  # of torch, out of memory included; it may fit another recording
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        return Outcome(
            task, error=f"{task.path}: the models failed ({cause}). If memory was short, a smaller --window helps."
        )


def _write(system: System, recording: RecordingReader, job: Job, task: Task) -> dict[str, Any]:
    energy, seen = 0.0, 0

    def read(start: int, stop: int) -> np.ndarray:
        nonlocal energy, seen
        samples = recording.read(start, stop)
        energy += float(np.square(samples[0, max(0, seen - start) :], dtype=np.float64).sum())
        seen = max(seen, stop)
        return samples

    with SourceWriter(task.folder, task.name, system.sample_rate, job.format) as writer:
        for block in system.stream(read, recording.num_samples, task.labels):
            writer.add(block)
        return writer.finish(
            lambda parts: system.in_order(parts, task.labels),
            mixture_energy=energy,
            recording=os.path.abspath(task.path),
            labels="predicted" if task.labels is None else "given",
            made_by=parse_json(job.made_by, "the job"),
        )
