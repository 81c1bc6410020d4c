"""Real-time factors of tagging and separating a recording with full-size models; their weights are random."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from gpu_common import Part, make, seconds_of

from s5lib.models import save_checkpoint
from s5lib.systems import load_system
from s5lib.systems.base import System

__all__ = ["measure", "run", "system_of"]


def run(part: Part, _: dict) -> None:
    """Measure a recording of 10 s and one of a minute, which goes through the system in windows."""
    for precision in ("bfloat16", "float32"):
        for separator in part.separators():
            what = f"m2d and {separator}, {precision}"
            if part.has_time(what, 8):
                with part.guarded(what):
                    system = system_of(part, separator, precision)
                    for seconds in (2.0,) if part.quick else (10.0, 60.0):
                        part.row(f"{what}, {seconds:g} s: real-time factor", **measure(part, system, seconds))


def system_of(part: Part, separator: str, precision: str, compiled: bool = False) -> System:
    """Return M2D and a separator with random weights."""
    known, checkpoints = part.networks(), {}
    with tempfile.TemporaryDirectory() as folder:
        for title in ("m2d, 4 channels", separator):
            kind, name, options = known[title]
            model = make(kind, name, options)
            labels = [f"class{index}" for index in range(model.config.num_classes)]
            checkpoints[kind] = Path(folder) / f"{kind}.safetensors"
            save_checkpoint(checkpoints[kind], model, kind, name, "s5lib", "0", labels)
        return load_system(**checkpoints, device=part.device, precision=precision, compiled=compiled)


def recording(seconds: float) -> np.ndarray:
    """Return noise ``[4, T]``."""
    return 0.1 * np.random.default_rng().standard_normal((4, round(32000 * seconds))).astype(np.float32)


def measure(part: Part, system: System, seconds: float) -> dict:
    """Return the time that a recording takes, per second of it: tagging alone, and separating three sources."""
    given, labels = recording(seconds), system.labels[:3]
    if part.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    tagging = seconds_of(lambda: system.tag(given), part.device, 0.3, warm=1)
    separating = seconds_of(lambda: system.separate(given, labels), part.device, 0.5, warm=1)
    values = {"tagging": tagging / seconds, "separating": separating / seconds}
    if part.device == "cuda":
        values["gib"] = torch.cuda.max_memory_allocated() / 2**30
    return values
