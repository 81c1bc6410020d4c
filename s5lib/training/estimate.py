"""Estimates how long a training will take on this machine by running a little of it."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from pathlib import Path

from s5lib.training.fit import fit
from s5lib.training.run import Run, settings_of

__all__ = ["estimate_seconds"]

_SHORT, _LONG = 2, 12  # steps of the trials


def estimate_seconds(run: Run) -> dict[str, float]:
    """Return the seconds that each step of ``run`` would take, from two short trials of it in a temporary folder.

    Their difference gives the time of an optimiser step; the rest of the shorter one, mostly a validation, counts once
    per validation.  A warm-up trial comes first.

    Raises:
        ConfigError, DataError: as :func:`s5lib.training.fit.fit`.
    """
    found, settings = {}, settings_of(run)
    _trial(run, next(iter(settings)), 1)
    for name, step in settings.items():
        short, long = (_trial(run, name, steps) for steps in (_SHORT, _LONG))
        per_step = max(0.0, long - short) / (_LONG - _SHORT)
        fixed = max(0.0, short - _SHORT * per_step)
        found[name] = per_step * step.max_steps + fixed * math.ceil(step.max_steps / step.valid_interval)
    return found


def _trial(run: Run, name: str, steps: int) -> float:
    options = {**run.train_options, "max_steps": steps, "valid_interval": steps, "keep_models": 0}
    with tempfile.TemporaryDirectory(prefix="s5lib-estimate-") as folder:
        since = time.perf_counter()
        own = {name: run.steps[name]} if run.steps else {}
        fit(dataclasses.replace(run, expdir=Path(folder) / "trial", train_options=options, steps=own, loggers=()))
        return time.perf_counter() - since
