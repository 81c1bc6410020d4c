"""Recordings of other data sets as clips of a corpus, by the rules of the DCASE 2026 Task 4 set.

A clip is left out if its peak is below 0.02, if it lasts less than 0.1 s, with or without the zeros at its ends, or if
it stays below 0.02 for 10 s (looked at every 0.1 s).  The zeros at both ends are cut, channels averaged, the rate
changed to 32 kHz.  Written with 16 bits; one whose peak would be above 1 is scaled down, which changes nothing, since
every sound is scaled again when it is put into a scene.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from s5lib.audio import read_audio, resample, write_audio
from s5lib.parallel import over_processes

__all__ = ["RATE", "ClipJob", "check_clip", "write_clip", "write_clips", "write_samples"]

RATE = 32000
LEAST_PEAK = 0.02
LEAST_SECONDS = 0.1
WINDOW_SECONDS = 10.0
SHIFT_SECONDS = 0.1


class ClipJob(NamedTuple):
    """A recording, and the clip to make of it."""

    source: str
    target: str


def check_clip(samples: np.ndarray, rate: int, silence: float = 0.0) -> tuple[np.ndarray, str | None]:
    """Return ``samples [T]`` without the silence at both ends, and why the clip is left out, or None.

    Args:
        samples: of one channel.
        rate: in Hz.
        silence: magnitude, relative to the peak, up to which samples at the ends are cut; by default only zeros are.

    >>> import numpy as np
    >>> check_clip(np.full(1000, 0.01), 32000)[1]
    'peak below 0.02'
    >>> clip, reason = check_clip(np.pad(np.ones(8000), 100), 32000)
    >>> len(clip), reason
    (8000, None)
    """
    peak = np.abs(samples).max(initial=0)
    if peak < LEAST_PEAK:
        return samples, f"peak below {LEAST_PEAK:g}"
    audible = np.flatnonzero(np.abs(samples) > silence * peak)
    samples = samples[audible[0] : audible[-1] + 1]
    if len(samples) < LEAST_SECONDS * rate:
        return samples, f"shorter than {LEAST_SECONDS:g} s"
    window, shift = int(WINDOW_SECONDS * rate), int(SHIFT_SECONDS * rate)
    starts = np.arange(0, len(samples) - window + 1, shift)
    loud = np.append(np.flatnonzero(np.abs(samples) >= LEAST_PEAK), len(samples) + window)
    if np.any(loud[np.searchsorted(loud, starts)] >= starts + window):
        return samples, f"below {LEAST_PEAK:g} for {WINDOW_SECONDS:g} s"
    return samples, None


def write_clip(job: ClipJob) -> str | None:
    """Make a clip, unless it is there; return why it is left out, or None.

    Raises:
        DataError: the recording is missing or damaged, or the clip cannot be written.
    """
    target = Path(job.target)
    if target.is_file():
        return None
    samples, rate = read_audio(job.source)
    samples, reason = check_clip(samples.mean(axis=0), rate)
    if reason:
        return reason
    write_samples(target, samples, rate)
    return None


def write_samples(target: Path, samples: np.ndarray, rate: int) -> None:
    """Write ``samples [T]`` or ``[M, T]`` as a recording of a corpus: 32 kHz, 16 bits, a peak of at most 1."""
    samples = resample(samples, rate, RATE)
    write_audio(target, samples / max(1.0, float(np.abs(samples).max())), RATE, "pcm16")


def write_clips(jobs: list[ClipJob], nj: int = 1, progress=None) -> dict[str, list[str]]:
    """Make clips over ``nj`` processes; return the recordings left out, under the reason.

    ``progress(iterable, total=n)`` wraps the work; ``tqdm``, for one.
    """
    left_out: dict[str, list[str]] = {}
    results = over_processes(_source_and_reason, jobs, nj)
    for source, reason in progress(results, total=len(jobs)) if progress else results:
        if reason:
            left_out.setdefault(reason, []).append(source)
    return {reason: sorted(sources) for reason, sources in sorted(left_out.items())}


def _source_and_reason(job: ClipJob) -> tuple[str, str | None]:
    return job.source, write_clip(job)
