"""Bodies that hit bodies: clapping hands, walking feet."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import SAMPLE_RATE, edges, log_uniform, noise, place, resonator, samples, silence

__all__ = ["clapping", "footsteps"]


def _burst(generator: Generator, seconds: float, low: float, high: float, decay: float) -> np.ndarray:
    """Return decaying noise ``[T]`` between two frequencies, peak about 1."""
    length = samples(seconds)
    envelope = np.exp(-np.arange(length) / SAMPLE_RATE / decay)
    return edges(0.3 * noise(generator, length, low, high) * envelope, 0.0005, 0.2 * seconds)


def clapping(source: Generator, take: Generator) -> np.ndarray:
    """Return one person's claps ``[T]``: short noise through the resonance of the air between the hands.

    How the hands are held sets the resonance, from cupped (500 Hz) to flat (2.5 kHz); see Repp, "The sound of two hands
    clapping", JASA 81 (1987).
    """
    hollow = log_uniform(source, 500.0, 2400.0)
    width = hollow * source.uniform(0.25, 0.7)
    brightness = source.uniform(0.1, 0.6)
    decay = source.uniform(0.006, 0.018)
    period = 1 / source.uniform(2.2, 5.5)
    swing = source.uniform(-0.06, 0.06)

    track, start = silence(3.0), 0.0
    for k in range(1 + int(np.ceil(take.uniform(1.05, 2.1) / period))):
        dry = _burst(take, 0.12, 300.0, 9000.0, decay)
        clap = 3.0 * resonator(dry, hollow * take.uniform(0.93, 1.07), width) + brightness * dry
        place(track, clap, start, take.uniform(0.7, 1.0))
        start += period * (1 + swing * (-1) ** k) * take.uniform(0.95, 1.05)
    return track


def footsteps(source: Generator, take: Generator) -> np.ndarray:
    """Return steps ``[T]``: the thump of a heel on a floor that resonates, its click, then the brush of the sole."""
    period = 1 / source.uniform(1.7, 3.0)
    thump = log_uniform(source, 70.0, 190.0)
    floor, floor_level = log_uniform(source, 220.0, 520.0), source.uniform(0.1, 0.5)
    click, click_pitch = source.uniform(0.0, 0.25), log_uniform(source, 900.0, 2600.0)
    brush, brush_low = source.uniform(0.03, 0.16), log_uniform(source, 900.0, 2500.0)
    toe = source.uniform(0.07, 0.14)

    track, start = silence(3.0), 0.0
    for k in range(int(np.clip(round(take.uniform(1.3, 2.4) / period), 4, 7))):
        step = silence(0.4)
        hit = _burst(take, 0.1, 50.0, 2500.0, 0.008)
        hit = np.pad(hit, (0, len(step) - len(hit)))
        side = 1.0 + 0.06 * (-1) ** k  # left and right foot differ a little
        place(step, resonator(hit, thump * side, 25.0), 0.0, 12.0 * take.uniform(0.9, 1.1))
        place(step, resonator(hit, floor * side, 60.0), 0.0, 12.0 * floor_level)
        place(step, resonator(hit, click_pitch, 300.0), 0.0, 6.0 * click)
        place(step, _burst(take, 0.16, brush_low, 3.0 * brush_low, 0.04), toe * take.uniform(0.9, 1.1), 2.0 * brush)
        place(track, step, start, take.uniform(0.75, 1.0))
        start += period * take.uniform(0.96, 1.04)
    return track
