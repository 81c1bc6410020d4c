"""Parts of recordings that are not silent."""

from __future__ import annotations

import os

import numpy as np

from s5lib.audio import read_audio
from s5lib.errors import DataError

__all__ = ["active_starts"]

_STEP = 0.1  # seconds between the times looked at
_LEAST = 0.1  # peak of a part, relative to that of the recording


def active_starts(path: str | os.PathLike, duration: float) -> np.ndarray:
    """Return the times at which parts of a recording may begin so as not to be silence between two sounds.

    Args:
        path: recording of more than ``duration`` seconds.
        duration: of a part, seconds.

    Raises:
        DataError: the recording is silent or not usable.
    """
    samples, rate = read_audio(path)
    magnitude = np.abs(samples).max(axis=0)
    peak = magnitude.max()
    if peak == 0:
        raise DataError(f"{path}: silent; remove the clip.")
    starts = np.arange(0.0, len(magnitude) / rate - duration, _STEP)
    loud = np.flatnonzero(magnitude >= _LEAST * peak)
    first = np.ceil(starts * rate).astype(int)
    next_loud = np.append(loud, len(magnitude) + 1)[np.searchsorted(loud, first)]
    return starts[next_loud < first + int(duration * rate)]
