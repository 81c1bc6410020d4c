"""A musical keyboard: melodies and chords of decaying harmonic tones."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import decaying_partials, edges, log_uniform, place, silence

__all__ = ["musical_keyboard"]

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


def musical_keyboard(source: Generator, take: Generator) -> np.ndarray:
    """Return a phrase ``[T]`` on one instrument (a piano, an electric piano, an organ-like synthesizer) in one key."""
    tonic = log_uniform(source, 130.0, 420.0)
    scale = MAJOR if source.random() < 0.6 else MINOR
    rolloff = source.uniform(0.7, 2.0)
    even = source.uniform(0.2, 1.0)  # a hollow or a full tone
    stretch = source.uniform(0.0, 6e-4)  # the stiffness of a string: partial k lies at k sqrt(1 + B k²)
    ring_time = log_uniform(source, 0.15, 0.7)
    attack = source.uniform(0.002, 0.02)
    step = source.uniform(0.13, 0.30)
    chords = source.random() < 0.4

    k = np.arange(1, 13)
    ratios = k * np.sqrt(1 + stretch * k**2)
    levels = np.where(k % 2 == 0, even, 1.0) / k**rolloff
    track, start, degree = silence(3.0), 0.0, int(take.integers(0, 5))
    for _ in range(int(np.clip(round(take.uniform(1.1, 1.9) / step), 4, 14))):
        held = step * take.choice([1.0, 1.0, 2.0])
        for d in (degree, degree + 2, degree + 4) if chords and take.random() < 0.4 else (degree,):
            pitch = tonic * 2.0 ** ((scale[d % 7] + 12 * (d // 7)) / 12)
            note = decaying_partials(pitch * ratios, levels, ring_time / ratios**0.5, held + 0.12)
            place(track, edges(note, attack, 0.1), start, take.uniform(0.6, 1.0))
        start += held
        degree = int(np.clip(degree + take.integers(-3, 4), 0, 11))
        if start > 1.9:
            break
    return track
