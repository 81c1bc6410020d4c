"""When a source sounds, and how loud: from the energies of short frames of its waveform.

A source is active from where a frame comes within 25 dB of its loudest frame until frames stay more than 35 dB below it
for 0.2 s (hysteresis, so that a level near one threshold does not flicker); segments under 0.05 s are dropped.  Frames
more than 45 dB below the mixture are silence whatever the loudest, or, without a mixture, below -80 dB of full scale.
It reads estimates: what a separator lets through of other sources within these 25 dB counts as activity.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ActivityDetector", "active_segments", "decibel"]

FRAME_SECONDS = 0.02
BEGIN_DB, END_DB = -25.0, -35.0
FLOOR, FLOOR_OF_MIXTURE = 1e-8, 10**-4.5  # powers: of full scale, and relative to a mixture's mean
SHORTEST_PAUSE, SHORTEST_SEGMENT = 0.2, 0.05


def decibel(power: float) -> float | None:
    """Return ``10 log10(power)``, rounded to 0.01 dB; None for no power at all.

    >>> decibel(0.5), decibel(0.0)
    (-3.01, None)
    """
    return round(10 * float(np.log10(power)), 2) if power > 0 else None


class ActivityDetector:
    """Measures a waveform that comes in pieces.

    >>> detector = ActivityDetector(sample_rate=1000)
    >>> for piece in (np.zeros(990), np.full(510, 0.5), np.zeros(500)):
    ...     detector.add(piece)
    >>> detector.segments(), detector.peak, detector.energy
    ([(0.98, 1.5)], 0.5, 127.5)
    """

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate
        self.frame = max(1, round(FRAME_SECONDS * sample_rate))
        self.peak, self.energy, self.num_samples = 0.0, 0.0, 0
        self.floor = FLOOR
        self._frames: list[np.ndarray] = []
        self._rest = np.zeros(0)

    def add(self, waveform: np.ndarray) -> None:
        """Take the next piece ``[n]``."""
        if len(waveform):
            self.peak = max(self.peak, float(np.abs(waveform).max()))
        squares = np.square(waveform, dtype=np.float64)
        self.energy += float(squares.sum())
        self.num_samples += len(waveform)
        squares = np.concatenate([self._rest, squares])
        whole = len(squares) // self.frame * self.frame
        self._frames.append(squares[:whole].reshape(-1, self.frame).mean(1))
        self._rest = squares[whole:]

    def compare_with(self, mixture_power: float) -> None:
        """Note the mean square of the mixture that the waveform is a source of."""
        self.floor = FLOOR_OF_MIXTURE * mixture_power

    @property
    def powers(self) -> np.ndarray:
        """The mean square of each frame; the last one may be shorter than the others."""
        return np.concatenate([*self._frames, [self._rest.mean()] if len(self._rest) else []])

    def segments(self) -> list[tuple[float, float]]:
        """Return when it is active, as ``(begin, end)`` in seconds."""
        end = self.num_samples / self.sample_rate
        return [(round(a, 2), round(min(b, end), 2)) for a, b in self._segments()]

    def active_power(self) -> float:
        """Return the mean square over the active segments; 0 where there are none."""
        powers, seconds = self.powers, self.frame / self.sample_rate
        parts = [powers[round(a / seconds) : round(b / seconds)] for a, b in self._segments()]
        return float(np.concatenate(parts).mean()) if parts else 0.0

    def _segments(self) -> list[tuple[float, float]]:
        return active_segments(self.powers, self.frame / self.sample_rate, self.floor)


def active_segments(powers: np.ndarray, frame_seconds: float, floor: float = FLOOR) -> list[tuple[float, float]]:
    """Return ``(begin, end)`` in seconds of each segment of activity.

    Args:
        powers: mean squares of frames, full scale being 1.
        frame_seconds: duration of a frame.
        floor: mean square below which a frame is silent.

    >>> active_segments(np.array([0, 0, 1, 1e-3, 1e-3, 1e-5, 0]), 0.1)
    [(0.2, 0.5)]
    """
    loudest = float(powers.max(initial=0.0))
    begins = powers >= max(floor, loudest * 10 ** (BEGIN_DB / 10))
    lasts = powers >= max(floor, loudest * 10 ** (END_DB / 10))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lasts, [False]]).astype(int))).reshape(-1, 2)
    merged: list[list[int]] = []
    for begin, end in edges.tolist():
        if merged and (begin - merged[-1][1]) * frame_seconds < SHORTEST_PAUSE:
            merged[-1][1] = end
        else:
            merged.append([begin, end])
    # From the first frame above the higher threshold to the last above the lower one.
    segments = [(a + int(begins[a:b].argmax()), b) for a, b in merged if begins[a:b].any()]
    kept = [(a, b) for a, b in segments if (b - a) * frame_seconds >= SHORTEST_SEGMENT]
    kept = kept or segments[:1]  # a click alone is all that there is
    return [(round(a * frame_seconds, 6), round(b * frame_seconds, 6)) for a, b in kept]
