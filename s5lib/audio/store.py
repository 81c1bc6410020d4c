"""Recordings at one sampling rate, each decoded once: in memory under a limit, or as memory-mapped files.

All processes share the mapped ``.npy`` files.  Their names are made from the source's path and state (size, times of
change, inode), so that a changed recording is decoded anew; each appears whole or not at all, so that several processes
may build the folder at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s5lib.audio.memory import MemoryLimitedCache
from s5lib.audio.reader import open_audio, probe, read_audio
from s5lib.errors import DataError
from s5lib.provenance.files import atomic_write

__all__ = ["AudioStore", "MappedArray", "decoded_file"]


@dataclass(frozen=True)
class MappedArray:
    """A memory-mapped array, counted as the little that its bookkeeping takes."""

    array: np.ndarray
    nbytes: int = 4096


def decoded_file(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], tag: str, decode: Callable[[], np.ndarray]
) -> MappedArray:
    """Return ``decode()`` as a read-only memory map of a file in ``folder``, made on the first call for this source."""
    state = os.stat(path)
    changed = state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
    key = f"{os.path.abspath(path)}|{changed}|{tag}".encode("utf-8", "surrogateescape")
    target = Path(folder) / f"{hashlib.sha256(key).hexdigest()}.npy"
    try:
        return MappedArray(np.load(target, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError):  # not there, or cut short by a full disk or a power cut
        with atomic_write(target, durable=False) as temporary, open(temporary, "wb") as file:
            np.save(file, decode())
    return MappedArray(np.load(target, mmap_mode="r", allow_pickle=False))


class AudioStore:
    """Recordings at one sample rate, each decoded once.

    Args:
        sample_rate: in Hz; recordings of another rate are resampled.
        memory_limit: bytes of decoded audio kept in memory.
        folder: keep decoded audio in memory-mapped files there instead.
    """

    def __init__(self, sample_rate: int, memory_limit: int, folder: str | os.PathLike[str] | None = None):
        self.sample_rate = sample_rate
        self.folder = folder
        self.cache = MemoryLimitedCache(memory_limit)

    def __call__(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Return the whole recording, ``[channels, frames]`` float32, not to be written to."""
        path = os.fspath(path)
        if self.folder is None:
            return self.cache.get(path, lambda: self._decode(path))
        folder, tag = self.folder, f"{self.sample_rate} Hz"
        return self.cache.get(path, lambda: decoded_file(path, folder, tag, lambda: self._decode(path))).array

    def _decode(self, path: str) -> np.ndarray:
        with open_audio(path, self.sample_rate) as audio:
            return audio.read()

    def segment(self, path: str | os.PathLike[str], start: int, frames: int) -> np.ndarray:
        """Return ``[channels, n]`` from sample ``start``, ``n <= frames`` where the recording ends before.

        A recording that would take more than a quarter of the memory limit is not decoded as a whole.
        """
        path = os.fspath(path)
        if self.folder is None and path not in self.cache:
            info = probe(path)
            is_large = 4 * info.frames * info.channels > self.cache.limit // 4
            if is_large and info.is_seekable and info.sample_rate == self.sample_rate:
                return read_audio(path, start, frames)[0]
        whole = self(path)
        if start >= whole.shape[1]:
            raise DataError(f"{path}: ends after {whole.shape[1]} samples; sample {start} was requested.")
        return whole[:, start : start + frames]
