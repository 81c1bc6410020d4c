"""An electronic alarm clock: groups of piezo beeps."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import SAMPLE_RATE, edges, log_uniform, place, samples, silence

__all__ = ["alarm_clock"]


def alarm_clock(source: Generator, take: Generator) -> np.ndarray:
    """Return beeps ``[T]`` of a steady pitch with a few harmonics, gated in groups as the clock's circuit does."""
    pitch = log_uniform(source, 700.0, 2200.0)
    second = pitch * source.choice([1.0, 1.0, 4 / 5, 3 / 4, 5 / 4])  # some clocks alternate between two pitches
    rolloff = source.uniform(0.8, 2.2)
    odd_only = source.random() < 0.5
    length = log_uniform(source, 0.045, 0.16)
    gap = length * source.uniform(0.5, 1.1)
    group = int(source.integers(2, 6))
    pause = source.uniform(0.15, 0.45)

    time = np.arange(samples(length)) / SAMPLE_RATE
    harmonics = [k for k in range(1, 8) if (k % 2 or not odd_only) and k * max(pitch, second) < 14000]

    def beep(frequency: float) -> np.ndarray:
        angle = 2 * np.pi * frequency * time
        tone = sum(np.sin(k * angle + take.uniform(0, 2 * np.pi)) / k**rolloff for k in harmonics)
        return edges(tone, 0.004, 0.012)

    track, start, sounded = silence(3.0), 0.0, 0.0
    end = take.uniform(1.05, 1.8)
    while sounded < end:
        for k in range(group):
            place(track, beep(pitch if k % 2 == 0 else second), start, take.uniform(0.92, 1.0))
            sounded = start + length
            start += length + gap
        start += pause
    return track
