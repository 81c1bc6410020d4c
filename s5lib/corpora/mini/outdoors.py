"""Outdoor interference: wind and bird song."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import curve, edges, log_uniform, noise, phase, place, resonator, samples, silence

__all__ = ["bird_song", "wind"]


def wind(source: Generator, take: Generator) -> np.ndarray:
    """Return wind ``[T]``: low noise in gusts, with a whistle whose pitch follows them."""
    low, tilt = source.uniform(80.0, 200.0), source.uniform(-9.0, -5.0)
    whistle, width = log_uniform(source, 300.0, 900.0), source.uniform(40.0, 120.0)
    level = source.uniform(0.2, 0.8)

    length = samples(take.uniform(2.2, 2.8))
    gust = curve(take, length, source.uniform(0.7, 2.0))
    rough = noise(take, length, low, 2500.0, tilt)
    body = noise(take, length, 100.0, 3000.0, -3.0)
    lower, upper = resonator(body, 0.85 * whistle, width), resonator(body, 1.2 * whistle, width)
    blend = np.clip(0.5 + 0.5 * gust, 0, 1)
    howl = (1 - blend) * lower + blend * upper
    return edges((rough + level * howl / np.std(howl)) * np.exp(0.6 * gust), 0.2, 0.3)


def bird_song(source: Generator, take: Generator) -> np.ndarray:
    """Return a bird's song ``[T]``: whistled syllables that glide and trill, repeated in phrases."""
    centre = log_uniform(source, 3000.0, 5500.0)
    kinds = [(source.uniform(-0.3, 0.3), source.uniform(0.04, 0.15), source.uniform(0.0, 0.06)) for _ in range(3)]
    trill = source.uniform(18.0, 40.0)
    gap = source.uniform(0.03, 0.09)

    track, start = silence(3.0), take.uniform(0.0, 0.1)
    while start < 2.2:
        glide, seconds, depth = kinds[int(take.integers(3))]
        for _ in range(int(take.integers(2, 6))):
            time = np.linspace(0, 1, samples(seconds))
            pitch = centre * 2.0 ** (glide * (time - 0.5) + depth * np.sin(2 * np.pi * trill * seconds * time))
            place(track, edges(np.sin(phase(pitch)), 0.3 * seconds, 0.4 * seconds), start, take.uniform(0.5, 1.0))
            start += seconds + gap
        start += take.uniform(0.1, 0.35)
    return track
