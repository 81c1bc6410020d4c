"""Bubbles and drops: pouring water, and as interference rain."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import (
    SAMPLE_RATE,
    curve,
    edges,
    log_uniform,
    noise,
    place,
    resonator,
    samples,
    silence,
)

__all__ = ["pour", "rain"]


def _bubble(pitch: float, rise: float) -> np.ndarray:
    """Return one bubble ``[t]``: a decaying sine whose pitch rises while the bubble nears the surface.

    After van den Doel, "Physically based models for liquid sounds", ACM Trans. Applied Perception 2 (2005): the damping
    grows with the pitch, and the pitch rises in proportion to it.
    """
    damping = 0.13 * pitch + 0.0072 * pitch**1.5
    time = np.arange(samples(min(0.2, 6.0 / damping))) / SAMPLE_RATE
    rising = pitch * (1 + rise * damping * time)
    return np.exp(-damping * time) * np.sin(2 * np.pi * np.cumsum(rising) / SAMPLE_RATE)


def pour(source: Generator, take: Generator) -> np.ndarray:
    """Return water poured into a vessel ``[T]``: many bubbles, and a resonance that rises as the vessel fills."""
    pitch = log_uniform(source, 450.0, 1500.0)
    spread = source.uniform(0.25, 0.5)
    rate = log_uniform(source, 35.0, 110.0)
    vessel = log_uniform(source, 350.0, 900.0)
    filling = source.uniform(1.3, 2.0)
    splash = source.uniform(0.02, 0.10)

    seconds = take.uniform(1.1, 2.1)
    track = silence(seconds + 0.2)
    flow = np.clip(1 + 0.4 * curve(take, len(track), 4.0), 0.2, None)
    start = 0.0
    while start < seconds:
        size = pitch * np.exp(spread * take.standard_normal()) * filling ** (start / seconds - 0.5)
        bubble = _bubble(float(np.clip(size, 250.0, 6000.0)), take.uniform(0.0, 0.12))
        place(track, bubble, start, take.uniform(0.2, 1.0) ** 2)
        start += take.exponential(1 / (rate * flow[samples(start)]))
    hiss = noise(take, len(track), 800.0, 7000.0, -3.0) * flow
    full = track + splash * hiss
    # the air column above the water shortens while it fills: its resonance climbs in four crossfaded steps
    steps = [resonator(full, vessel * filling ** ((k + 0.5) / 4), 120.0) for k in range(4)]
    position = np.linspace(0, 4, len(track)) - 0.5
    column = sum(np.clip(1 - np.abs(position - k), 0, 1) * step for k, step in enumerate(steps))
    return edges(full + 1.5 * column, 0.03, 0.25)


def rain(source: Generator, take: Generator) -> np.ndarray:
    """Return rain ``[T]``: a soft hiss of far drops, with near ones that click; interference."""
    low = log_uniform(source, 700.0, 2000.0)
    drops = log_uniform(source, 15.0, 60.0)
    pitch = log_uniform(source, 1800.0, 4000.0)

    length = samples(take.uniform(2.2, 2.8))
    out = 0.12 * noise(take, length, low, 10000.0, -2.0) * (1 + 0.1 * curve(take, length, 2.0))
    for start in take.uniform(0.0, length / SAMPLE_RATE, size=int(drops * length / SAMPLE_RATE)):
        decay = np.exp(-np.arange(160) / 30.0)
        ring = np.sin(2 * np.pi * pitch * take.uniform(0.6, 1.6) * np.arange(160) / SAMPLE_RATE)
        place(out, decay * ring, start, 0.5 * take.random() ** 3)
    return edges(out, 0.2, 0.3)
