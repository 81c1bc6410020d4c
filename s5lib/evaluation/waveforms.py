"""Reading waveforms for scoring: each file opened once, decoded straight to where it is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s5lib.audio import AudioInfo, open_audio
from s5lib.errors import DataError

__all__ = ["Workspace", "check_finite", "looks_clipped", "read_mixture", "read_rows"]

_FULL_SCALE = 1 - 2**-15
_CLIPPED = 4  # neighbouring samples at full scale: one or two may be a peak


class Workspace:
    """Memory that is reused for the next mixture: allocating it takes as long as reading the files."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}

    def __call__(self, name: str, *shape: int) -> np.ndarray:
        """Return an uninitialised float32 array of this shape; the last array of this name is overwritten."""
        size = int(np.prod(shape))
        if self._buffers.get(name, _NOTHING).size < size:
            self._buffers[name] = np.empty(size, np.float32)
        return self._buffers.get(name, _NOTHING)[:size].reshape(shape)


_NOTHING = np.empty(0, np.float32)


def read_mixture(entry: str, memory: Workspace) -> tuple[np.ndarray, int]:
    """Return the first channel ``[T]`` float32 of a recording, and its sampling rate.

    Raises:
        DataError: the recording cannot be read or is empty.
    """
    with open_audio(entry) as audio:
        try:
            samples = memory("mixture", audio.info.frames, audio.info.channels)
        except MemoryError:
            raise DataError(f"{entry}: {audio.info.frames} samples do not fit into memory.") from None
        audio.read_into(samples)
        return samples[:, 0], audio.info.sample_rate


def read_rows(
    files: Sequence[str], num_samples: int, sample_rate: int, what: str, memory: Workspace
) -> tuple[np.ndarray, list[str]]:
    """Return sources ``[len(files), T]`` float32, and the files that look clipped.

    Args:
        files: of one channel each.
        num_samples, sample_rate: of the mixture, which the sources must have.
        what: ``"estimate"`` or ``"reference"``, for messages.

    Raises:
        DataError: a file cannot be read, or has several channels, another length or another rate.
    """
    waveforms, clipped = memory(what, len(files), num_samples), []
    for waveform, entry in zip(waveforms, files, strict=True):
        with open_audio(entry) as audio:
            _check_fits(entry, what, audio.info, num_samples, sample_rate)
            audio.read_into(waveform)
        if audio.info.subtype.startswith("PCM") and looks_clipped(waveform):
            clipped.append(entry)
    return waveforms, clipped


def check_finite(waveforms: Sequence[np.ndarray], files: Sequence[str]) -> None:
    """Raise DataError that names the first of ``files`` whose waveform has a sample that is not finite."""
    for waveform, entry in zip(waveforms, files, strict=True):
        if not np.isfinite(waveform).all():
            bad = int(np.argmin(np.isfinite(waveform)))
            raise DataError(f"{entry}: sample {bad} is {waveform[bad]}, not a finite number.")


def looks_clipped(waveform: np.ndarray) -> bool:
    """Whether several neighbouring samples of ``waveform [T]`` are at full scale.

    >>> looks_clipped(np.clip(2 * np.sin(np.arange(100) / 10), -1, 1)), looks_clipped(np.sin(np.arange(100) / 10))
    (True, False)
    """
    if not len(waveform) or max(waveform.max(), -waveform.min()) < _FULL_SCALE:  # most waveforms: two fast passes
        return False
    full = np.flatnonzero(np.abs(waveform) >= _FULL_SCALE)
    return bool((full[_CLIPPED - 1 :] - full[: 1 - _CLIPPED] == _CLIPPED - 1).any())


def _check_fits(entry: str, what: str, info: AudioInfo, num_samples: int, sample_rate: int) -> None:
    if info.channels != 1:
        raise DataError(f"{entry}: the {what} has {info.channels} channels; expected one.")
    if info.sample_rate != sample_rate:
        raise DataError(f"{entry}: the {what} has {info.sample_rate} Hz, its mixture {sample_rate} Hz; resample it.")
    if info.frames != num_samples:
        raise DataError(
            f"{entry}: the {what} has {info.frames} samples; expected {num_samples} samples, as the mixture has."
        )
