"""Choosing places far enough apart, and parts of recordings that are not silent."""

from __future__ import annotations

import os

import numpy as np

from s5lib.audio import read_audio
from s5lib.errors import DataError
from s5lib.scenes.sofa import Room

__all__ = ["active_starts", "positions_apart"]


def positions_apart(room: Room, size: int, angle: float, rng: np.random.Generator | None = None) -> list[int] | None:
    """Return ``size`` positions of a room, each ``angle`` degrees or more from the others; None where there are none.

    Positions are tried in a random order (in the room's without ``rng``), going back where a choice leads nowhere.
    """
    return _extend(room, [], size, angle, rng)


def _extend(
    room: Room, chosen: list[int], size: int, angle: float, rng: np.random.Generator | None
) -> list[int] | None:
    if len(chosen) == size:
        return chosen
    allowed = np.ones(len(room), bool)
    for index in chosen:
        allowed &= room.angles(index) >= angle
        allowed[index] = False
    candidates = np.flatnonzero(allowed)
    for index in candidates if rng is None else rng.permutation(candidates):
        found = _extend(room, [*chosen, int(index)], size, angle, rng)
        if found:
            return found
    return None


def active_starts(path: str | os.PathLike, duration: float, step: float = 0.1, least: float = 0.1) -> np.ndarray:
    """Return the times at which parts of a recording may begin so as not to be silence between two sounds.

    Args:
        path: recording of more than ``duration`` seconds.
        duration: of a part, seconds.
        step: seconds between the times looked at.
        least: peak of a part, relative to that of the recording.

    Raises:
        DataError: the recording is silent or not usable.
    """
    samples, rate = read_audio(path)
    magnitude = np.abs(samples).max(axis=0)
    peak = magnitude.max()
    if peak == 0:
        raise DataError(f"{path}: silent; remove the clip.")
    starts = np.arange(0.0, len(magnitude) / rate - duration, step)
    loud = np.flatnonzero(magnitude >= least * peak)
    first = np.ceil(starts * rate).astype(int)
    next_loud = np.append(loud, len(magnitude) + 1)[np.searchsorted(loud, first)]
    return starts[next_loud < first + int(duration * rate)]
