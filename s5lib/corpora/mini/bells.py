"""Struck bells: the trill of a bicycle's, the ding-dong of a door's."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import decaying_partials, log_uniform, place, silence

__all__ = ["bicycle_bell", "doorbell"]


def bicycle_bell(source: Generator, take: Generator) -> np.ndarray:
    """Return rings of a small hemispherical bell ``[T]``: high, inharmonic, each ring a fast trill of the striker.

    The (m, 0) modes of a shell lie near m²; a real bell is not quite round, so each mode is a pair that beats.
    """
    lowest = log_uniform(source, 2000.0, 4000.0)
    ratios = np.array([1.0, source.uniform(2.1, 2.7), source.uniform(3.3, 4.2)])
    split = source.uniform(2.0, 14.0, size=3)
    levels = np.array([1.0, source.uniform(0.3, 0.9), source.uniform(0.1, 0.4)])
    ring_time = log_uniform(source, 0.10, 0.45)
    rate = source.uniform(11.0, 24.0)
    strikes = int(source.integers(4, 10))

    frequencies = np.concatenate([lowest * ratios, lowest * ratios + split])
    amplitudes = np.concatenate([levels, 0.6 * levels])
    decays = ring_time / np.concatenate([ratios, ratios]) ** 0.7
    track, start, rings = silence(2.4), 0.0, 2 if ring_time < 0.25 else int(take.integers(1, 3))
    for _ in range(rings):
        for k in range(strikes):
            hit = decaying_partials(frequencies, amplitudes * take.uniform(0.9, 1.1, 6), decays, 2.0)
            # the striker swings out: the middle strikes are the hardest
            hardness = np.sin(np.pi * (k + 1) / (strikes + 1)) ** 0.5 * take.uniform(0.7, 1.0)
            place(track, hit, start + k / rate * take.uniform(0.97, 1.03), hardness)
        start += strikes / rate + take.uniform(0.15, 0.35)
    return track


def doorbell(source: Generator, take: Generator) -> np.ndarray:
    """Return a two-tone chime ``[T]``: a struck bar, then a lower one, each with a few inharmonic partials."""
    high = log_uniform(source, 480.0, 1100.0)
    low = high / source.choice([6 / 5, 5 / 4, 4 / 3, 3 / 2])
    # a free bar's overtones, and an octave resonator
    ratios = np.array([1.0, source.uniform(1.98, 2.02), 2.756, 5.404])
    levels = np.array([1.0, source.uniform(0.05, 0.3), source.uniform(0.05, 0.3), source.uniform(0.0, 0.12)])
    ring_time = log_uniform(source, 0.15, 0.35)
    gap = source.uniform(0.32, 0.6)
    tremolo = source.uniform(0.0, 4.0)

    track = silence(3.0)
    presses = 1 if gap > 0.45 else int(take.integers(1, 3))
    start = 0.0
    for _ in range(presses):
        for tone in (high, low):
            frequencies = np.concatenate([tone * ratios, [tone + tremolo]])
            amplitudes = np.concatenate([levels, [0.35]]) * take.uniform(0.85, 1.1, 5)
            decays = ring_time / np.concatenate([ratios, [1.0]]) ** 0.8
            place(track, decaying_partials(frequencies, amplitudes, decays, 2.5), start, take.uniform(0.8, 1.0))
            start += gap * take.uniform(0.95, 1.05)
        start += take.uniform(0.05, 0.2)
    return track
