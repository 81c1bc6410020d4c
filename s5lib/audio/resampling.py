"""Resampling by scipy's polyphase filter, of a whole or piece by piece with equal results.

torchaudio's ``resample`` has another filter, a windowed sinc with 6 zero crossings where this one has 10; its values
differ, so what was trained and scored with one would have to be trained and scored again with the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["Resampling", "resample"]

_HALF_FILTER = 10  # periods of the lower rate on either side, the length that scipy's polyphase filter has


def resample(samples: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Resample ``samples [..., frames]`` by a polyphase filter; ``ceil(frames * target_rate / rate)`` frames result."""
    if rate == target_rate:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, target_rate)
    resampled: np.ndarray = resample_poly(samples, target_rate // common, rate // common, axis=-1)
    return resampled.astype(np.float32, copy=False)


class Resampling:
    """From one sampling rate to another, in Hz, by pieces."""

    def __init__(self, rate: int, target_rate: int):
        self.rate, self.target_rate = rate, target_rate
        common = math.gcd(rate, target_rate)
        self._up, self._down = target_rate // common, rate // common

    def length(self, frames: int) -> int:
        """Return the length of ``frames`` samples once they are resampled."""
        return -(-frames * self._up // self._down)

    def piece(self, decode: Callable[[int, int], np.ndarray], start: int, stop: int, frames: int) -> np.ndarray:
        """Return ``[M, stop - start]`` of a recording of ``frames`` samples at the old rate.

        Args:
            decode: gives ``[M, last - first]`` at the old rate.
            start, stop: at the new rate.
        """
        if self._up == self._down:
            return decode(start, stop)
        # Pieces begin at multiples of `down`, where a sample of the old rate and one of the new coincide.
        margin = _HALF_FILTER * max(self._up, self._down) // self._up + 1
        first = max(0, start * self._down // self._up - margin) // self._down * self._down
        last = min(frames, -(-stop * self._down // self._up) + margin)
        offset = first // self._down * self._up
        piece = resample(decode(first, last), self.rate, self.target_rate)
        return np.ascontiguousarray(piece[:, start - offset : stop - offset])
