"""Diffuse first-order Ambisonics noise: many plane waves from all around, each with its own noise."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from s5lib.corpora.simulation.signals import curve, log_uniform, noise, samples

__all__ = ["LEVEL", "ambisonic_gains", "diffuse_directions", "diffuse_noise"]

PLANE_WAVES = 32
LEVEL = 0.08
"""RMS of channel W; the scene renderer sets the level anew."""


def ambisonic_gains(directions: np.ndarray) -> np.ndarray:
    """Return the gains ``[4, P]`` of W, Y, Z, X (ACN order, SN3D) for ``directions [P, 3]`` (any length but zero).

    With azimuth a (to the left) and elevation e they are 1, sin a cos e, sin e, cos a cos e: the unit vector's y, z, x.

    >>> ambisonic_gains(np.array([[0.0, 2.0, 0.0]])).ravel()
    array([1., 1., 0., 0.])
    """
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.stack([np.ones(len(unit)), unit[:, 1], unit[:, 2], unit[:, 0]])


def diffuse_directions(generator: Generator) -> np.ndarray:
    """Return directions ``[PLANE_WAVES, 3]`` spread evenly over the sphere (a Fibonacci lattice), turned at random."""
    k = np.arange(PLANE_WAVES) + 0.5
    height, turn = 1 - 2 * k / PLANE_WAVES, np.pi * (1 + 5**0.5) * k + generator.uniform(0, 2 * np.pi)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)


def diffuse_noise(generator: Generator, seconds: float) -> np.ndarray:
    """Return ambience ``[4, T]``: a colour of its own (a room's hush, far traffic), slow swells, no direction."""
    low, high = log_uniform(generator, 60.0, 150.0), log_uniform(generator, 3000.0, 10000.0)
    tilt = generator.uniform(-7.0, -3.0)
    gains = ambisonic_gains(diffuse_directions(generator))
    out = np.zeros((4, samples(seconds)))
    for gain in gains.T:
        swell = 1 + 0.15 * curve(generator, out.shape[1], 0.7)
        out += gain[:, None] * (swell * noise(generator, out.shape[1], low, high, tilt))
    return out * (LEVEL / np.std(out[0]))
