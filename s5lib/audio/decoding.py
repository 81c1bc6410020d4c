"""Audio files as float32 arrays ``[channels, frames]``: checked, resampled, and decoded once.

:class:`AudioStore` keeps decoded recordings in memory under a limit or, given a folder, as memory-mapped ``.npy`` files
that all processes share.  A file there is named by its source's path, size and time of change, so that a changed
recording is decoded anew; it is written under a temporary name and renamed, so that several processes may build the
folder at once.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from s5lib.audio.memory import MemoryLimitedCache
from s5lib.errors import DataError

__all__ = ["AudioInfo", "AudioStore", "MappedArray", "decoded_file", "probe", "read_audio", "resample"]


@dataclass(frozen=True)
class AudioInfo:
    """What a recording's header says."""

    frames: int
    sample_rate: int
    channels: int

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.frames / self.sample_rate


def probe(path: str | os.PathLike) -> AudioInfo:
    """Read the header of a recording.

    Raises:
        DataError: the file is missing, no audio, empty, or a WAV file shorter than its header says.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such recording.")
    missing = _missing_bytes(path)
    if missing:
        raise DataError(f"{path}: truncated, {missing} bytes fewer than its header says; copy or fetch it again.")
    try:
        info = soundfile.info(path)
    except (RuntimeError, TypeError, soundfile.LibsndfileError) as error:  # TypeError: headerless, by the name .raw
        raise DataError(f"{path}: not a recording that soundfile can read ({_reason(error)}).") from error
    if info.frames < 1:
        raise DataError(f"{path}: holds no samples.")
    return AudioInfo(info.frames, info.samplerate, info.channels)


def _missing_bytes(path: str) -> int:
    """Return how many bytes a RIFF file lacks; libsndfile reads truncated ones without a word."""
    with open(path, "rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF":
        return 0
    size = struct.unpack("<I", head[4:8])[0]
    if size in (0, 0xFFFFFFFF):  # written by a stream whose length was not known
        return 0
    return max(0, size + 8 - os.path.getsize(path))


def _reason(error: Exception) -> str:
    return str(error).rpartition(": ")[2].rstrip(".")


def read_audio(path: str | os.PathLike, start: int = 0, frames: int = -1) -> tuple[np.ndarray, int]:
    """Return ``(samples [channels, frames] float32, sample rate)``; ``frames=-1`` reads to the end.

    Raises:
        DataError: as :func:`probe`, or a sample that is not finite.
    """
    info = probe(path)
    if start >= info.frames:
        raise DataError(f"{path}: ends after {info.frames} samples; sample {start} was asked for.")
    try:
        samples, rate = soundfile.read(path, start=start, frames=frames, dtype="float32", always_2d=True)
    except (RuntimeError, soundfile.LibsndfileError) as error:
        raise DataError(f"{path}: cannot be decoded ({_reason(error)}).") from error
    if not np.isfinite(samples).all():
        bad = int(np.argmin(np.isfinite(samples).all(axis=1)))
        raise DataError(f"{path}: sample {start + bad} is not a finite number; repair or remove the recording.")
    return np.ascontiguousarray(samples.T), rate


def resample(samples: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Resample ``samples [..., frames]`` by a polyphase filter; ``ceil(frames * target_rate / rate)`` frames result."""
    if rate == target_rate:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, target_rate)
    return resample_poly(samples, target_rate // common, rate // common, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class MappedArray:
    """A memory-mapped array, counted as the little that its bookkeeping takes."""

    array: np.ndarray
    nbytes: int = 4096


def decoded_file(
    path: str | os.PathLike, folder: str | os.PathLike, tag: str, decode: Callable[[], np.ndarray]
) -> MappedArray:
    """Return ``decode()`` as a read-only memory map of a file in ``folder``, made on the first call for this source."""
    state = os.stat(path)
    key = f"{os.path.abspath(path)}|{state.st_size}|{state.st_mtime_ns}|{tag}"
    target = Path(folder) / f"{hashlib.sha1(key.encode()).hexdigest()}.npy"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as file:
                np.save(file, decode())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return MappedArray(np.load(target, mmap_mode="r", allow_pickle=False))


class AudioStore:
    """Recordings at one sample rate, each decoded once.

    Args:
        sample_rate: in Hz; recordings of another rate are resampled.
        memory_limit: bytes of decoded audio kept in memory.
        folder: keep decoded audio in memory-mapped files there instead.
    """

    def __init__(self, sample_rate: int, memory_limit: int, folder: str | os.PathLike | None = None):
        self.sample_rate = sample_rate
        self.folder = folder
        self.cache = MemoryLimitedCache(memory_limit)

    def __call__(self, path: str | os.PathLike) -> np.ndarray:
        """Return the whole recording, ``[channels, frames]`` float32, not to be written to."""
        path = os.fspath(path)
        if self.folder is None:
            return self.cache.get(path, lambda: self._decode(path))
        return self.cache.get(path, lambda: self._map(path)).array

    def _decode(self, path: str) -> np.ndarray:
        samples, rate = read_audio(path)
        return resample(samples, rate, self.sample_rate)

    def _map(self, path: str) -> MappedArray:
        return decoded_file(path, self.folder, f"{self.sample_rate} Hz", lambda: self._decode(path))

    def segment(self, path: str | os.PathLike, start: int, frames: int) -> np.ndarray:
        """Return ``[channels, n]`` from sample ``start``, ``n <= frames`` where the recording ends before.

        A recording that would take more than a quarter of the memory limit is not decoded as a whole.
        """
        path = os.fspath(path)
        if self.folder is None:
            info = probe(path) if path not in self.cache else None
            large = info and 4 * info.frames * info.channels > self.cache.limit // 4
            if large and info.sample_rate == self.sample_rate:
                return read_audio(path, start, frames)[0]
        whole = self(path)
        if start >= whole.shape[1]:
            raise DataError(f"{path}: ends after {whole.shape[1]} samples; sample {start} was asked for.")
        return whole[:, start : start + frames]
