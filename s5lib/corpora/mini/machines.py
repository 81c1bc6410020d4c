"""Machines that turn: a vacuum cleaner, and as interference an idling engine."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import SAMPLE_RATE, curve, edges, log_uniform, noise, phase, resonator, samples

__all__ = ["engine", "vacuum_cleaner"]


def vacuum_cleaner(source: Generator, take: Generator) -> np.ndarray:
    """Return a vacuum cleaner ``[T]``: the motor's harmonics, strong at the fan's blade rate, and the rush of air.

    The motor runs up when it is switched on, and slows a little when the nozzle is lifted or pressed down.
    """
    speed = log_uniform(source, 110.0, 260.0)
    blades = int(source.integers(4, 9))
    rolloff = source.uniform(0.6, 1.2)
    whine = source.uniform(0.6, 1.8)
    air, tilt = source.uniform(0.25, 0.6), source.uniform(-7.0, -3.0)
    mouth = log_uniform(source, 500.0, 1600.0)
    run_up = source.uniform(0.15, 0.5)

    length = samples(take.uniform(1.1, 2.1))
    time = np.arange(length) / SAMPLE_RATE
    turning = speed * (1 - 0.55 * np.exp(-time / run_up)) * (1 + 0.015 * curve(take, length, 2.0))
    angle = phase(turning)
    motor = np.zeros(length)
    for k in range(1, 25):
        level = k**-rolloff + (whine / (k / blades) if k % blades == 0 else 0.0)
        motor += level * np.sin(k * angle + take.uniform(0, 2 * np.pi))
    rush = noise(take, length, 200.0, 9000.0, tilt)
    rush = rush + 1.5 * resonator(rush, mouth, 0.3 * mouth)
    rush *= (turning / speed) ** 2 * (1 + 0.12 * curve(take, length, 4.0))
    return edges(motor + air * rush / np.std(rush) * np.std(motor), 0.02, 0.12)


def engine(source: Generator, take: Generator) -> np.ndarray:
    """Return an idling engine ``[T]``: uneven firings that ring in the exhaust; interference."""
    firing = log_uniform(source, 22.0, 48.0)
    pipe = [log_uniform(source, *limits) for limits in ((70.0, 130.0), (180.0, 330.0), (400.0, 800.0))]
    levels = np.array([1.0, source.uniform(0.3, 0.8), source.uniform(0.1, 0.4)])
    uneven = source.uniform(0.05, 0.3, size=4)

    length = samples(take.uniform(2.2, 2.8))
    angle = phase(firing * (1 + 0.03 * curve(take, length, 1.5))) / (2 * np.pi)
    fired = np.flatnonzero(np.diff(np.floor(angle)) > 0)
    pulses = np.zeros(length)
    cylinder = np.arange(len(fired)) % 4
    pulses[fired] = 1 - uneven[cylinder] + 0.15 * take.standard_normal(len(fired))
    pulses = np.convolve(pulses, np.hanning(samples(0.003)))[:length] + 0.02 * noise(take, length, 100.0, 3000.0, -3.0)
    out = sum(g * resonator(pulses, f, 0.35 * f) for f, g in zip(pipe, levels, strict=True))
    return edges(out, 0.1, 0.2)
