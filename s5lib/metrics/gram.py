"""Inner products of waveforms in NumPy arrays, summed in float64 block by block; for tensors see `gram_torch`."""

from __future__ import annotations

import numpy as np

__all__ = ["inner_products", "residual_energy"]

_BLOCK = 2**16  # numbers widened at a time: they stay in the cache


def inner_products(references: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``[R, N]``, of ``references [R, T]`` with all rows of ``others [N_i, T]``, and the energies ``[R + N]``.

    In float64, without a second copy of the waveforms.  Products among the references or among the others, which a
    whole Gram matrix has, would take most of the time here and are not needed.

    >>> inner_products(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]]))
    (array([[3.]]), array([25.,  1.]))
    """
    signals = (references, *others)
    rows, samples, count = len(references), references.shape[-1], sum(len(signal) for signal in signals)
    step = max(1, min(samples, _BLOCK // count))
    buffer, cross, energies = np.empty((count, step)), np.zeros((rows, count - rows)), np.zeros(count)
    with np.errstate(over="ignore", invalid="ignore"):  # samples that are not finite are found in the energies
        for start in range(0, samples, step):
            block = buffer[:, : min(step, samples - start)]
            np.concatenate([signal[:, start : start + step] for signal in signals], out=block)
            cross += block[:rows] @ block[rows:].T
            energies += (block[:, None, :] @ block[:, :, None])[:, 0, 0]
    return cross, energies


def residual_energy(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Return ``|s - e|^2`` of two waveforms ``[T]``, summed in float64 from the difference itself."""
    total = 0.0
    for start in range(0, len(reference), _BLOCK):
        difference = reference[start : start + _BLOCK].astype(np.float64) - estimate[start : start + _BLOCK]
        total += float(difference @ difference)
    return total
