"""Training steps and inference with networks that torch.compile has generated code for.

Compiling takes minutes, of one core most of the time.  Each job is a process that begins with it, in the background of
the other parts, and measures when it is its turn.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event

import torch
import torch._inductor.config as inductor
from gpu_common import Part
from gpu_inference import measure, recording, system_of
from gpu_steps import TrainingStep
from torch._dynamo.utils import counters

__all__ = ["Job", "jobs", "run"]


@dataclass(frozen=True)
class Job:
    """What one process compiles."""

    model: str
    layers: str = ""
    """that train; empty: inference of M2D and this separator"""
    batch: int = 1

    @property
    def title(self) -> str:
        """Return the row's title."""
        if self.layers:
            return f"{self.model}, {self.layers}, bfloat16, {self.batch} mixtures"
        return f"m2d and {self.model}, bfloat16, 10 s"


def jobs(part: Part) -> list[Job]:
    """Return what is to be compiled: training steps of M2D and all separators, inference with one of these."""
    small = part.quick
    found = [Job("m2d, 4 channels", "last2", 2 if small else 8)]
    found += [Job(title, "all", 2 if small else 4) for title in part.separators()] + [Job(part.separator)]
    return [job for job in found if part.only in job.title][: 1 if small else None]


def run(part: Part, job: Job, ready: Event, go: Event) -> None:
    """Compile, set ``ready``, wait for ``go``, and measure."""
    os.nice(10)
    inductor.compile_threads = 1 if part.quick else 4
    with part.guarded(job.title):
        if job.layers:
            _train(part, job, ready, go)
        else:
            _infer(part, job, ready, go)


def _train(part: Part, job: Job, ready: Event, go: Event) -> None:
    step = TrainingStep(part, job.model, job.layers, job.batch, "bfloat16")
    start, eager = time.perf_counter(), step.loss().item()
    step.module.model.network.compile()
    difference = abs(step.loss().item() - eager)
    step()
    found = {"compiling_s": time.perf_counter() - start, "loss_differs_by": difference}
    _wait(part, ready, go)
    part.row(job.title, **step.measure(), **found, **_compiler())


def _infer(part: Part, job: Job, ready: Event, go: Event) -> None:
    seconds = 2.0 if part.quick else 10.0
    system, given, start = (
        system_of(part, job.model, "bfloat16", compiled=True),
        recording(seconds),
        time.perf_counter(),
    )
    for _ in range(2):
        system(given, 32000, labels=system.labels[:3])
        system.tag(given)
    found = {"compiling_s": time.perf_counter() - start}
    _wait(part, ready, go)
    part.row(f"{job.title}: real-time factor", **measure(part, system, seconds), **found, **_compiler())


def _wait(part: Part, ready: Event, go: Event) -> None:
    """Leave the memory to others until it is this job's turn."""
    if part.device == "cuda":
        torch.cuda.empty_cache()
    ready.set()
    go.wait()


def _compiler() -> dict:
    """Return what the compiler could not put into one graph."""
    return {"graphs": counters["stats"]["unique_graphs"], "graph_breaks": sum(counters["graph_break"].values())}
