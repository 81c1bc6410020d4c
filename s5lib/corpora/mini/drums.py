"""Hand percussion: rhythms on one membrane."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import SAMPLE_RATE, edges, log_uniform, noise, phase, place, samples, silence

__all__ = ["percussion"]

MEMBRANE = np.array([1.0, 1.594, 2.136, 2.296, 2.653, 2.918])  # zeros of the Bessel functions, over the first


def percussion(source: Generator, take: Generator) -> np.ndarray:
    """Return a rhythm ``[T]`` on one drum: membrane modes whose pitch falls after the stroke, and a rattle."""
    tone = log_uniform(source, 110.0, 420.0)
    levels = np.concatenate([[1.0], source.uniform(0.15, 0.7, 5)])
    ring_time = log_uniform(source, 0.05, 0.16)
    drop = source.uniform(0.05, 0.35)
    rattle, rattle_time = source.uniform(0.0, 0.5), source.uniform(0.03, 0.09)
    rattle_low = log_uniform(source, 2500.0, 5000.0)
    step = source.uniform(0.10, 0.19)
    pattern = source.choice([0.0, 0.55, 1.0], size=8, p=[0.4, 0.3, 0.3])
    pattern[0] = 1.0

    length = samples(0.6)
    time = np.arange(length) / SAMPLE_RATE
    track, start = silence(3.0), 0.0
    for k in range(int(take.integers(9, 15))):
        strength = pattern[k % 8] * take.uniform(0.8, 1.0)
        if strength > 0 and start < 2.5:
            falling = 1 + drop * strength * np.exp(-time / 0.025)
            stroke = np.zeros(length)
            for ratio, level in zip(MEMBRANE, levels * take.uniform(0.8, 1.2, 6), strict=True):
                stroke += level * np.exp(-time * ratio**0.7 / ring_time) * np.sin(phase(tone * ratio * falling))
            if rattle > 0.1:
                stroke += rattle * np.exp(-time / rattle_time) * noise(take, length, rattle_low, 11000.0)
            place(track, edges(stroke, 0.001, 0.05), start, strength)
        start += step * take.uniform(0.97, 1.03)
    return track
