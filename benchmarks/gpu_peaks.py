"""The card's ceilings, against which the rest is held: products of matrices and copies of memory, on random data."""

from __future__ import annotations

import torch
from gpu_common import Part, seconds_of, tensor_float32

__all__ = ["run"]

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}


def run(part: Part, _: dict) -> None:
    """Measure the peaks."""
    size, megabytes = (1024, 64) if part.quick or part.device == "cpu" else (8192, 4096)
    for precision, dtype in PRECISIONS.items():
        with part.guarded(precision), tensor_float32(precision == "tf32"):
            one, other = (torch.randn(size, size, device=part.device).to(dtype) for _ in range(2))
            seconds = seconds_of(lambda one=one, other=other: one @ other, part.device, 0.3)
            part.row(f"matrix product, {precision}", tflops=2 * size**3 / seconds / 1e12)
    with part.guarded("copy"):
        source = torch.randn(megabytes << 18, device=part.device)
        target = torch.empty_like(source)
        seconds = seconds_of(lambda: target.copy_(source), part.device, 0.3)
        part.row("copy, bytes read and written", gb_per_s=2 * source.nbytes / seconds / 1e9)
