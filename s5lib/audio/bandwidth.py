"""Up to which frequency a recording holds anything: after a telephone, far below half its sampling rate.

The mean power spectrum is summed in 32 bands of equal width.  The bandwidth is the upper edge of the highest band that
is at most 60 dB softer than the loudest.
"""

from __future__ import annotations

import numpy as np

__all__ = ["BandwidthMeter"]

_BANDS, _WINDOW, _RANGE = 32, 1024, 1e-6


class BandwidthMeter:
    """Measures the bandwidth of one channel, block by block.

    >>> time = np.arange(32000) / 32000
    >>> meter = BandwidthMeter(32000)
    >>> meter.add(np.sin(2 * np.pi * 3200 * time))
    >>> meter.hertz
    3500.0
    """

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate
        self._power = np.zeros(_WINDOW // 2)
        self._window = np.hanning(_WINDOW)

    def add(self, samples: np.ndarray) -> None:
        """Hear the next samples ``[T]``; what is left of the last window is not heard."""
        frames = samples[: len(samples) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
        self._power += np.square(np.abs(np.fft.rfft(frames * self._window)[:, :-1])).sum(0)

    @property
    def hertz(self) -> float | None:
        """The bandwidth in Hz; None of silence, or if nothing was heard."""
        bands = self._power.reshape(_BANDS, -1).sum(1)
        if not bands.any():
            return None
        highest = int(np.flatnonzero(bands >= _RANGE * bands.max())[-1])
        return (highest + 1) * self.sample_rate / (2 * _BANDS)
