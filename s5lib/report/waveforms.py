"""Reading waveforms for scoring: each file opened once, decoded straight to where it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from s5lib.data.reading import ARCHIVE, read_recording
from s5lib.errors import DataError

__all__ = ["looks_clipped", "read_mixture", "read_sources_of"]

_BLOCK = 2**15  # frames of several channels decoded at a time: they stay in the cache
_FULL_SCALE = 1 - 2**-15
_CLIPPED = 4  # neighbouring samples at full scale: one or two may be a peak


def read_mixture(entry: str) -> tuple[np.ndarray, int]:
    """Return the first channel ``[T]`` float32 of a recording, and its sampling rate.

    Raises:
        DataError: the recording cannot be read, is empty or not finite.
    """
    if ARCHIVE.fullmatch(entry):
        samples, rate = read_recording(entry)
        return samples[0], rate
    with _opened(entry, "mixture") as file:
        waveform = np.empty(file.frames, np.float32)
        buffer = np.empty((_BLOCK, file.channels), np.float32)
        for start in range(0, len(waveform), _BLOCK):
            size = min(_BLOCK, len(waveform) - start)
            _decode(file, buffer[:size], entry)
            waveform[start : start + size] = buffer[:size, 0]
        rate = file.samplerate
    if not len(waveform):
        raise DataError(f"{entry}: holds no samples.")
    _check_finite(waveform, entry)
    return waveform, rate


def read_sources_of(
    files: Sequence[str | Path], mixture: np.ndarray, sample_rate: int, what: str
) -> tuple[np.ndarray, list[str]]:
    """Return the sources ``[len(files), T]`` float32 that belong to ``mixture [T]``, and those that look clipped.

    Args:
        what: ``"estimate"`` or ``"reference"``, for messages.

    Raises:
        DataError: a file cannot be read, has several channels, another length or rate than the mixture, or a sample
            that is not finite.
    """
    waveforms, clipped = np.empty((len(files), len(mixture)), np.float32), []
    for waveform, entry in zip(waveforms, map(str, files), strict=True):
        if ARCHIVE.fullmatch(entry):
            samples, rate = read_recording(entry)
            _check_fits(entry, what, samples.shape[0], samples.shape[1], rate, waveform, sample_rate)
            waveform[:] = samples[0]
            continue
        with _opened(entry, what) as file:
            _check_fits(entry, what, file.channels, file.frames, file.samplerate, waveform, sample_rate)
            _decode(file, waveform, entry)
            whole_numbers = file.subtype.startswith("PCM")
        if not whole_numbers:
            _check_finite(waveform, entry)
        elif looks_clipped(waveform):
            clipped.append(entry)
    return waveforms, clipped


def looks_clipped(waveform: np.ndarray) -> bool:
    """Whether several neighbouring samples of ``waveform [T]`` are at full scale.

    >>> looks_clipped(np.clip(2 * np.sin(np.arange(100) / 10), -1, 1)), looks_clipped(np.sin(np.arange(100) / 10))
    (True, False)
    """
    if not len(waveform) or max(waveform.max(), -waveform.min()) < _FULL_SCALE:  # most waveforms: two fast passes
        return False
    full = np.flatnonzero(np.abs(waveform) >= _FULL_SCALE)
    return bool((full[_CLIPPED - 1 :] - full[: 1 - _CLIPPED] == _CLIPPED - 1).any())


def _opened(entry: str, what: str) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(entry)
    except (OSError, RuntimeError) as error:
        reason = "no such file" if not Path(entry).exists() else str(error).rpartition(": ")[2].rstrip(".")
        raise DataError(f"{entry}: the {what} cannot be read ({reason}).") from None


def _decode(file: soundfile.SoundFile, out: np.ndarray, entry: str) -> None:
    try:
        count = len(file.read(out=out))
    except RuntimeError as error:
        raise DataError(f"{entry}: cannot be read ({str(error).rpartition(': ')[2].rstrip('.')}).") from None
    if count != len(out):
        raise DataError(f"{entry}: truncated, it ends before the {file.frames} samples that its header tells of.")


def _check_fits(entry, what, channels, frames, rate, waveform, sample_rate) -> None:
    if channels != 1:
        raise DataError(f"{entry}: the {what} has {channels} channels; expected one.")
    if rate != sample_rate:
        raise DataError(f"{entry}: the {what} has {rate} Hz, its mixture {sample_rate} Hz; resample it.")
    if frames != len(waveform):
        raise DataError(f"{entry}: the {what} has {frames} samples; expected {len(waveform)} samples, as the mixture has.")


def _check_finite(waveform: np.ndarray, entry: str) -> None:
    if not np.isfinite(waveform).all():
        bad = int(np.argmin(np.isfinite(waveform)))
        raise DataError(f"{entry}: sample {bad} is {waveform[bad]}, not a finite number.")
