"""What all scanners take and return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Bytes", "Damaged", "Part", "Scan"]


class Damaged(ValueError):
    """Samples are missing; the message says how that shows and continues a sentence after the file's name."""


@dataclass(frozen=True)
class Part:
    """A stretch of a file that libsndfile can decode by itself."""

    header: bytes
    """goes in place of everything before ``start``"""
    start: int
    stop: int


@dataclass(frozen=True)
class Scan:
    """What a scanner found."""

    parts: tuple[Part, ...] = ()
    """to be decoded one after the other; empty: the file as it is"""
    is_ordinary: bool = False
    """whether libsndfile should understand the file as it is, which is faster; if it does not, :attr:`parts` help"""
    frames: int | None = None
    """the number of samples per channel, where the structure gives it"""
    exact_seek: bool = True
    """whether libsndfile finds any sample again"""


class Bytes:
    """Random access to a file's content; reads beyond the end are short."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.size = file.seek(0, 2)

    def __call__(self, offset: int, size: int) -> bytes:
        if not 0 <= offset < self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(size)
