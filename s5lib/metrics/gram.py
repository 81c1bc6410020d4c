"""Inner products of waveforms on NumPy arrays, summed in float64 block by block.  Tensors': see `gram_torch`."""

from __future__ import annotations

import numpy as np

__all__ = ["gram", "residual_energy"]

_BLOCK = 2**17  # numbers widened at a time: they stay in the cache


def gram(*signals: np.ndarray) -> np.ndarray:
    """Return the Gram matrix ``[N, N]`` of all rows of ``signals [N_i, T]``, N the sum of all N_i, in float64.

    >>> gram(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]]))
    array([[25.,  3.],
           [ 3.,  1.]])
    """
    samples, count = signals[0].shape[-1], sum(len(signal) for signal in signals)
    step = max(1, min(samples, _BLOCK // count))
    buffer, total = np.empty((count, step)), np.zeros((count, count))
    for start in range(0, samples, step):
        block = buffer[:, : min(step, samples - start)]
        np.concatenate([signal[:, start : start + step] for signal in signals], out=block)
        with np.errstate(over="ignore", invalid="ignore"):  # samples that are not finite are found in the result
            total += block @ block.T
    return total


def residual_energy(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Return ``|s - e|^2`` of two waveforms ``[T]``, summed in float64 from the difference itself."""
    total = 0.0
    for start in range(0, len(reference), _BLOCK):
        difference = reference[start : start + _BLOCK].astype(np.float64) - estimate[start : start + _BLOCK]
        total += float(difference @ difference)
    return total
