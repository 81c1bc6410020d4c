"""Inner products of waveforms in tensors on any device, for metric and loss; for NumPy see `gram`.

Waveforms are widened to float64 block by block, so that no second copy of them exists.  In float64 the residual
``|s|^2 + |e|^2 - 2 <s, e>`` keeps four digits up to an SDR of 100 dB, where in float32 it has none above 60 dB; and no
setting of TF32 or autocast reaches it.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

__all__ = ["gram", "residual_energy", "wide_dtype"]

# Numbers widened at a time: a block stays in a CPU's cache; on a GPU fewer, larger kernels pay.
_BLOCK_CPU, _BLOCK_GPU = 2**17, 2**22


def wide_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on a device that has no float64 (Apple's)."""
    return torch.float32 if device.type == "mps" else torch.float64


def gram(*signals: Tensor) -> Tensor:
    """Return the Gram matrix ``[B, N, N]`` of all rows of ``signals [B, N_i, T]``, N the sum of all N_i, in float64.

    >>> gram(torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[1.0, 0.0]]])).tolist()
    [[[25.0, 3.0], [3.0, 1.0]]]
    """
    batch, _, samples = signals[0].shape
    device, counts = signals[0].device, [signal.shape[1] for signal in signals]
    size = _BLOCK_CPU if device.type == "cpu" else _BLOCK_GPU
    step = max(1, min(samples, size // max(1, batch * sum(counts))))
    buffer = torch.empty(batch, sum(counts), step, dtype=wide_dtype(device), device=device)
    total = buffer.new_zeros(batch, sum(counts), sum(counts))
    # autocast leaves float64 alone
    with nullcontext() if buffer.dtype == torch.float64 else torch.autocast(device.type, enabled=False):
        for start in range(0, samples, step):
            block = buffer[..., : min(step, samples - start)]
            for rows, signal in zip(block.split(counts, dim=1), signals, strict=True):
                rows.copy_(signal[..., start : start + step])
            total = total + block @ block.mT
    return total


def residual_energy(reference: Tensor, estimate: Tensor) -> float:
    """Return ``|s - e|^2`` of two waveforms ``[T]``, summed in float64 from the difference itself."""
    wide, total = wide_dtype(reference.device), 0.0
    for s, e in zip(reference.split(_BLOCK_GPU), estimate.split(_BLOCK_GPU), strict=True):
        total = total + (s.to(wide) - e.to(wide)).square().sum()
    return float(total)
