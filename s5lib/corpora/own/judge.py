"""Which clips can be used: by the rules of :mod:`s5lib.corpora.clips`, and what else a user wants to know of them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from s5lib.audio import probe, read_audio
from s5lib.corpora.clips import check_clip
from s5lib.errors import DataError

__all__ = ["Judgement", "clean", "judge"]

SILENCE = 1e-3  # -60 dB of the peak
LONGEST_SECONDS = 600.0
CLIPPED_RUN, CLIPPED_SHARE = 4, 1e-4  # equal samples at the peak in a row; their share of all


@dataclass(frozen=True)
class Judgement:
    """What became of a clip."""

    reason: str = ""
    """Why it is left out; empty: it is used."""
    seconds: float = 0.0
    """Without the silence at its ends."""
    rate: int = 0
    """Of the recording, in Hz."""
    channels: int = 0
    """Of the recording."""
    peak_db: float = 0.0
    rms_db: float = 0.0
    clipped: bool = False
    """Whether its loudest samples are cut off."""
    sound: str = ""
    """Digest of the samples that are used: equal ones are the same sound in another file."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def read(cls, content: Any) -> Judgement | None:
        """Return what :meth:`as_json` gave; None for anything else."""
        if not isinstance(content, dict) or content.keys() != {item.name for item in fields(cls)}:
            return None
        same = all(type(value) is type(getattr(cls, name)) for name, value in content.items())
        return cls(**content) if same else None


def clean(path: Path) -> tuple[np.ndarray, int, int, str | None]:
    """Return a clip as ``[T]`` without silence at its ends, its rate, its channels, and why it is left out, or None.

    Two channels are averaged unless they cancel each other; of more the first one is taken, which is W of Ambisonics.

    Raises:
        DataError: it cannot be decoded.
    """
    samples, rate = read_audio(path)
    channels = len(samples)
    mono = samples.mean(axis=0) if channels == 2 else samples[0]
    powers = np.square(samples).mean(axis=1)
    if channels == 2 and np.square(mono).mean() < 0.1 * powers.max():
        mono = samples[int(powers.argmax())]
    mono, reason = check_clip(mono, rate, SILENCE)
    return mono, rate, channels, reason


def judge(path: Path) -> Judgement:
    """Return what becomes of a clip; one that cannot be read is left out."""
    try:
        if (seconds := probe(path).duration) > LONGEST_SECONDS:
            return Judgement(f"longer than {LONGEST_SECONDS:g} s", seconds)
        samples, rate, channels, reason = clean(path)
    except DataError as error:
        return Judgement(f"cannot be read: {str(error).removeprefix(f'{path}: ')}")
    magnitude = np.abs(samples)
    if (peak := float(magnitude.max(initial=0))) == 0:
        return Judgement("silent", round(len(samples) / rate, 3), rate, channels)
    power = float(np.square(samples, dtype=np.float64).mean())
    return Judgement(
        reason or "",
        round(len(samples) / rate, 3),
        rate,
        channels,
        round(20 * math.log10(max(peak, 1e-6)), 1),
        round(10 * math.log10(max(power, 1e-12)), 1),
        _is_clipped(samples, magnitude, peak),
        hashlib.sha256(np.round(samples * 2**15).astype("<i4").tobytes() + b"%d" % rate).hexdigest(),
    )


def _is_clipped(samples: np.ndarray, magnitude: np.ndarray, peak: float) -> bool:
    """Whether samples stay at the peak for some time: a limit was reached, wherever the level was put later."""
    at_peak = magnitude >= 0.999 * peak
    run, cut = np.ones(CLIPPED_RUN), 0
    if at_peak.sum() >= CLIPPED_RUN:
        same = at_peak[1:] & at_peak[:-1] & (np.sign(samples[1:]) == np.sign(samples[:-1]))
        cut = int((np.convolve(same, run[:-1], "valid") == CLIPPED_RUN - 1).sum())
    return bool(cut > 0 and cut >= CLIPPED_SHARE * len(samples))
