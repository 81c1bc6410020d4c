"""Real-time factors of tagging and separating a recording with full-size models; their weights are random."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from gpu_common import Part, make, networks, seconds_of

from s5lib.models import save_checkpoint
from s5lib.systems import load_system

__all__ = ["run"]


def run(part: Part) -> None:
    """Measure a recording of 10 s and one of a minute, which goes through the system in windows."""
    known = networks(part.quick)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = {}
        for title in ("m2d, 4 channels", "resunetk"):
            kind, name, options = known[title]
            model = make(kind, name, options)
            labels = [f"class{index}" for index in range(model.config.num_classes)]
            path = Path(folder) / f"{kind}.safetensors"
            save_checkpoint(path, model, kind, name, "s5lib", "0", labels)
            checkpoints[kind] = path
        ways = [("float32", False), ("bfloat16", False), *([] if part.quick else [("bfloat16", True)])]
        for precision, compiled in ways:
            what = f"tag and separate, {precision}{', compiled' * compiled}"
            if part.has_time(what, 60 if compiled else 10):
                with part.guarded(what):
                    _measure(part, what, checkpoints, labels, precision, compiled)


def _measure(part: Part, what: str, checkpoints: dict, labels: list[str], precision: str, compiled: bool) -> None:
    system = load_system(**checkpoints, device=part.device, precision=precision, compiled=compiled)
    generator = np.random.default_rng()
    for seconds in (2.0,) if part.quick else (10.0, 60.0):
        recording = 0.1 * generator.standard_normal((4, round(32000 * seconds))).astype(np.float32)
        tag = seconds_of(lambda r=recording: system(r, 32000), part.device, 0.5, warm=1)
        found = len(system(recording, 32000))
        both = seconds_of(lambda r=recording: system(r, 32000, labels=labels[:3]), part.device, 0.5, warm=1)
        values = {"predicted_labels": tag / seconds, "sources_found": found, "given_labels": both / seconds}
        if part.device == "cuda":
            values["gib"] = torch.cuda.max_memory_allocated() / 2**30
        part.row(f"{what}, {seconds:g} s: real-time factor", **values)
