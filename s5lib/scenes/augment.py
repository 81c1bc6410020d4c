"""Variation of training scenes beyond what is drawn: sounds changed before they are heard, the sound field turned.

A drawn scene is changed by :func:`augment` as its description; :func:`changed_sound` and :func:`rotation_matrix` do
what the description says, for every renderer.  All of it is off by default.

- Speed: a sound is resampled, so that pitch and tempo change together.
- Filter: a smooth curve of gains over the frequency, without phase.
- Repetition: a short sound is heard several times, with pauses.
- Rotation: in first-order Ambisonics, turning the sound field about the vertical axis, and mirror images, are exact:
  W stays, Y, Z and X are a vector's y, z and x.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import fft

from s5lib.audio import resample
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.settings import DrawSettings

__all__ = ["augment", "changed_sound", "rotation_matrix"]

SPEED_STEP = 0.05  # few speeds, so that resampling filters are short
FILTER_HZ = (125.0, 500.0, 2000.0, 8000.0)
"""Where the gains of a filter are given; between them they are interpolated over the octaves."""
MOST_REPEATS = 8
PAUSES = (0.05, 1.0)  # seconds


def augment(scene: SceneDescription, settings: DrawSettings, rng: np.random.Generator) -> SceneDescription:
    """Return ``scene`` as ``settings`` vary it."""
    events = [
        tuple(sorted((_varied(event, settings, rng) for event in group), key=lambda event: event.onset))
        for group in (scene.targets, scene.interferences)
    ]
    changes: dict = {"targets": events[0], "interferences": events[1]}
    if settings.rotate:
        changes["rotation"] = (float(rng.uniform(-180, 180)), bool(rng.integers(2)), bool(rng.integers(2)))
    return replace(scene, **changes)


def _varied(event: Event, settings: DrawSettings, rng: np.random.Generator) -> Event:
    limit, share = settings.event_limit, rng.random()
    low, high = (math.log(value) / math.log1p(SPEED_STEP) for value in settings.speed)
    speed = round(math.exp(rng.integers(math.ceil(low), math.floor(high) + 1) * math.log1p(SPEED_STEP)), 2)
    gains = tuple(float(gain) for gain in rng.uniform(-1, 1, len(FILTER_HZ)) * settings.filter_db)
    changed = replace(
        event,
        speed=speed,
        duration=min(event.duration, limit * speed),
        filter_db=gains if settings.filter_db else (),
    )
    pause = float(rng.uniform(*PAUSES))
    most = min(MOST_REPEATS, int((limit + pause) / (changed.length + pause)))
    if rng.random() < settings.repeat_probability and most > 1:
        changed = replace(changed, repeats=int(rng.integers(2, most + 1)), pause=pause)
    return replace(changed, onset=share * max(0.0, settings.duration - changed.length))


def changed_sound(samples: np.ndarray, event: Event, rate: int) -> np.ndarray:
    """Return the event's sound ``[n]`` as it is heard, of the part ``samples [m]`` of its recording."""
    if event.speed != 1.0:
        samples = resample(samples, round(100 * event.speed), 100)
    if event.filter_db:
        length = fft.next_fast_len(len(samples) + rate // 50, real=True)  # room for what rings
        octaves = np.log2(np.maximum(fft.rfftfreq(length, 1 / rate), 1.0))
        gains = np.interp(octaves, np.log2(FILTER_HZ), event.filter_db)
        spectrum = fft.rfft(samples, length) * (10 ** (gains / 20)).astype(np.float32)
        samples = fft.irfft(spectrum, length)[: len(samples)]
    if event.repeats > 1:
        pause = np.zeros(round(event.pause * rate), np.float32)
        samples = np.concatenate([samples, *[pause, samples] * (event.repeats - 1)])
    return samples


def rotation_matrix(rotation: tuple[float, bool, bool]) -> np.ndarray:
    """Return what turns W, Y, Z, X, ``[4, 4]`` float32.

    Args:
        rotation: degrees to the left; whether left and right are swapped after that, and whether up and down are.

    >>> rotation_matrix((90.0, False, False)).round().astype(int)[1:, 1:].tolist()   # what was in front is left
    [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    """
    degrees, left_right, up_down = rotation
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[1, 0, 0, 0], [0, cosine, 0, sine], [0, 0, 1, 0], [0, -sine, 0, cosine]], np.float32)
    matrix[1] *= -1 if left_right else 1
    matrix[2] *= -1 if up_down else 1
    return matrix
