"""All SDRs of a scene, equation (4) of arXiv 2601.22504: ``10 log10(|s|^2 / |s - e|^2)``, from inner products."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from s5lib.errors import DataError
from s5lib.metrics import gram as gram_numpy
from s5lib.metrics.checks import check_energies, is_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from s5lib.metrics.checks import Waveforms

__all__ = ["MAX_SDR", "SceneSDR"]

MAX_SDR = 150.0
"""In dB: about the most that float32 samples can hold; the SDR of a copy of the reference, instead of infinity."""

_CLOSE = 1e-6  # of the energies: for smaller residuals (60 dB), inner products lose digits that matter


class SceneSDR:
    """SDRs of all estimates, and of the mixture, against all references.

    Args:
        estimates: ``[E, T]``, references: ``[R, T]``, mixture: ``[T]``; all arrays, or all tensors of one device.
        labels: the references', to name one in an error.

    Attributes:
        matrix: ``[R, E]`` float64, in dB, for choosing pairs; exact up to 60 dB, see :meth:`exact`.
        of_mixture: ``[R]``, in dB, exact.

    Raises:
        DataError: a sample is not finite, or a reference is silent, so that it has no SDR.
    """

    def __init__(self, estimates: Waveforms, references: Waveforms, mixture: Waveforms, labels: Sequence[Hashable]):
        count = len(references)
        cross, energies, self._residual_energy = _products(references, estimates, mixture[None])
        self._references, self._estimates, self._mixture = references, estimates, mixture
        self._energies, self._mixture_energy, self._mixture_products = energies[:count], energies[-1], cross[:, -1]
        check_energies("references", references, self._energies)
        check_energies("estimates", estimates, energies[count:-1])
        check_energies("mixture", mixture[None], energies[-1:])
        for r in np.flatnonzero(self._energies == 0):
            raise DataError(
                f"references[{r}] ({labels[int(r)]!r}) is silent, so it has no SDR; leave it and its label out."
            )
        both = self._energies[:, None] + energies[count:]
        residual = both - 2 * cross
        self._close = residual < _CLOSE * both
        every = self._to_db(residual, self._energies[:, None])
        self.matrix, self.of_mixture = every[:, :-1], every[:, -1]
        for r in np.flatnonzero(self._close[:, -1]):
            self.of_mixture[r] = self._to_db(self._residual_energy(references[r], mixture), self._energies[r])

    def exact(self, reference: int, estimate: int) -> float:
        """Return the SDR of one pair; computed from the difference where inner products are not precise enough."""
        if not self._close[reference, estimate]:
            return float(self.matrix[reference, estimate])
        residual = self._residual_energy(self._references[reference], self._estimates[estimate])
        return float(self._to_db(residual, self._energies[reference]))

    def of_scaled_mixture(self, gain: float | None = None) -> np.ndarray:
        """Return the SDR ``[R]`` in dB of the mixture times a gain; without one, times the best for each reference.

        The best gain is ``<y, s> / <y, y>``, the projection of the reference ``s`` on the mixture ``y``.
        """
        products, energy = self._mixture_products, self._mixture_energy
        gains = np.full(len(products), gain) if gain is not None else products / energy if energy else 0 * products
        scaled = gains * (gains * energy)
        residual = self._energies - 2 * gains * products + scaled
        sdr = self._to_db(residual, self._energies)
        for r in np.flatnonzero(residual < _CLOSE * (self._energies + scaled)):
            difference = self._residual_energy(self._references[r], float(gains[r]) * self._mixture)
            sdr[r] = self._to_db(difference, self._energies[r])
        return sdr

    @staticmethod
    def _to_db(residual: np.ndarray | float, energy: np.ndarray | float) -> np.ndarray:
        return np.asarray(-10 * np.log10(np.maximum(residual / energy, 10 ** (-MAX_SDR / 10))))


def _products(references: Waveforms, *others: Waveforms) -> tuple[np.ndarray, np.ndarray, Callable[[Any, Any], float]]:
    """Return inner products ``[R, N]``, energies ``[R + N]``, and the function that gives one residual's energy."""
    if not is_tensor(references):
        cross, energies = gram_numpy.inner_products(references, *cast("tuple[np.ndarray, ...]", others))
        return cross, energies, gram_numpy.residual_energy
    from s5lib.metrics import gram_torch

    signals = (references, *cast("tuple[Tensor, ...]", others))
    products = gram_torch.gram(*(signal[None] for signal in signals))[0].cpu().double().numpy()
    count = len(references)
    return products[:count, count:], products.diagonal(), gram_torch.residual_energy
