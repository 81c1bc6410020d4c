"""What a system gives for one recording: a list of labelled sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """One separated source."""

    label: str
    probability: float
    """of the label, as the tagger gives it, 0 to 1; 1.0 for a label that was given"""
    waveform: np.ndarray
    """``[T]``, float32, at the system's sampling rate"""
