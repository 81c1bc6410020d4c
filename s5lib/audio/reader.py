"""A recording that is read piece by piece at the rate that a system wants, however long it is."""

from __future__ import annotations

import math
import os

import numpy as np
import soundfile
from scipy.signal import resample_poly

from s5lib.audio.decoding import probe
from s5lib.errors import DataError

__all__ = ["RecordingReader", "check_sample_rate"]

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
_HALF_FILTER = 10  # periods of the lower rate on either side, the length that scipy's polyphase filter has


def check_sample_rate(sample_rate: int, where: str) -> int:
    """Return ``sample_rate`` as an int.

    Raises:
        DataError: it is none that sound has; a filter for it would take more memory than there is.
    """
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE or int(sample_rate) != sample_rate:
        raise DataError(
            f"{where}: the sampling rate is {sample_rate} Hz; expected a whole number from {LOWEST_RATE} to {HIGHEST_RATE}."
        )
    return int(sample_rate)


class RecordingReader:
    """Reads ``[M, n]`` float32 of a file at another sampling rate; each piece is what the whole, resampled, has there.

    Args:
        path: any file that soundfile reads.
        sample_rate: in Hz, that of the result.
        channels: the order of the channels of a file that has so many; None: as they are.

    Raises:
        DataError: missing, no audio, empty, truncated, or of a rate that cannot be.
    """

    def __init__(self, path: str | os.PathLike, sample_rate: int, channels: tuple[int, ...] | None = None):
        self.path = os.fspath(path)
        info = probe(self.path)
        self._order = list(channels) if channels is not None and len(channels) == info.channels else None
        divisor = math.gcd(check_sample_rate(info.sample_rate, self.path), sample_rate)
        self._up, self._down = sample_rate // divisor, info.sample_rate // divisor
        self._frames = info.frames
        self.num_channels = info.channels
        self.num_samples = -(-info.frames * self._up // self._down)
        """at the wanted rate"""
        self.duration = info.duration
        """in seconds"""
        self._file = soundfile.SoundFile(self.path)

    def __enter__(self) -> RecordingReader:
        return self

    def __exit__(self, *error) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the samples from ``start`` to ``stop``, at the wanted rate.

        Raises:
            DataError: the file ends before its header says, cannot be decoded, or a sample is not finite.
        """
        if self._up == self._down:
            return self._decode(start, stop)
        # Pieces begin at multiples of `down`, where a sample of the file and one of the result coincide.
        margin = _HALF_FILTER * max(self._up, self._down) // self._up + 1
        first = max(0, start * self._down // self._up - margin) // self._down * self._down
        last = min(self._frames, -(-stop * self._down // self._up) + margin)
        piece = resample_poly(self._decode(first, last), self._up, self._down, axis=1)
        offset = first // self._down * self._up
        return np.ascontiguousarray(piece[:, start - offset : stop - offset], np.float32)

    def _decode(self, first: int, last: int) -> np.ndarray:
        try:
            self._file.seek(first)
            samples = self._file.read(last - first, dtype="float32", always_2d=True)
        except (RuntimeError, soundfile.LibsndfileError) as error:
            raise DataError(f"{self.path}: cannot be decoded from sample {first} on ({error}).") from error
        if len(samples) < last - first:
            raise DataError(
                f"{self.path}: ends after {first + len(samples)} samples, its header says {self._frames}; copy or fetch "
                "it again."
            )
        if not np.isfinite(samples).all():
            bad = first + int(np.argmin(np.isfinite(samples).all(axis=1)))
            raise DataError(f"{self.path}: sample {bad} is not a finite number; repair or remove the recording.")
        if self._order is not None:
            samples = samples[:, self._order]
        return np.ascontiguousarray(samples.T)
