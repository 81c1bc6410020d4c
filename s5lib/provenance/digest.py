"""Identifies files by the SHA-256 of their content.

A file is read once.  Its digest is kept with the state that the file system reports (size, times of change of content
and of entry, inode); as long as that state is the same, the file is not read again.  The time of change of the entry
cannot be set by programs, so a file that was replaced by one of equal size and restored modification time is noticed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from typing import Any

from s5lib.errors import DataError
from s5lib.provenance.files import write_text
from s5lib.untrusted import read_json_lines, to_json

__all__ = ["FileStamp", "Stamps", "file_digest"]

_FINE, _COARSE = 20_000_000, 2_100_000_000  # ns within which two changes may get the same time; coarse: FAT has 2 s


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: it cannot be read, or it is not a regular file: nobody may ever write into a pipe.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    with open(path, "rb", buffering=0) as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class FileStamp:
    """The digest of a file, and the state of the file that it was computed from."""

    sha256: str
    size: int
    """in bytes"""
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str | os.PathLike[str], known: FileStamp | None = None) -> FileStamp:
        """Return the stamp of a file, read only if its state is not that of ``known``.

        Raises:
            OSError: it cannot be read, or somebody is writing it.
        """
        state = _state(path)
        if known is not None and state == astuple(known)[1:]:
            return known
        for _ in range(3):
            _wait_a_tick(state)
            digest, before, state = file_digest(path), state, _state(path)
            if before == state:
                return cls(digest, *state)
        raise OSError(None, "it changes while it is read", os.fspath(path))

    @classmethod
    def read(cls, content: Any) -> FileStamp | None:
        """Return what :meth:`as_json` has written; None if ``content`` is anything else."""
        if not (isinstance(content, list) and len(content) == 5 and isinstance(content[0], str)):
            return None
        if not all(type(number) is int for number in content[1:]):
            return None
        return cls(*content)

    def as_json(self) -> list[Any]:
        """Return plain values: SHA-256, size, times of change of content and entry in ns, inode."""
        return list(astuple(self))

    def is_state_of(self, path: str | os.PathLike[str]) -> bool:
        """Return whether the file still has the state that this stamp was made from."""
        return _state(path) == astuple(self)[1:]


class Stamps:
    """Stamps of many files by their paths; what is known is not read again."""

    def __init__(self, known: Mapping[str, FileStamp] | None = None):
        self._stamps = dict(known or {})
        self.is_changed = False
        """whether a file had to be read"""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Stamps:
        """Return what :meth:`write` has written; nothing is known where the file is missing or damaged."""
        known = {}
        with contextlib.suppress(DataError):
            for _, row in read_json_lines(path):
                if isinstance(row, list) and (stamp := FileStamp.read(row[1:])):
                    known[str(row[0])] = stamp
        return cls(known)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a line of JSON for each file, sorted by path.

        Raises:
            OSError: it cannot be written.
        """
        rows = ([name, *self._stamps[name].as_json()] for name in sorted(self._stamps))
        write_text(path, "".join(f"{to_json(row)}\n" for row in rows))

    def of(self, paths: Iterable[str | os.PathLike[str]]) -> Stamps:
        """Return what is known of files."""
        wanted = set(map(os.path.abspath, paths))
        return Stamps({path: stamp for path, stamp in self._stamps.items() if path in wanted})

    def __getitem__(self, path: str | os.PathLike[str]) -> str:
        """Return the SHA-256 of a file.

        Raises:
            OSError: it cannot be read.
        """
        return self.stamp(path).sha256

    def stamp(self, path: str | os.PathLike[str]) -> FileStamp:
        """Return the stamp of a file.

        Raises:
            OSError: it cannot be read.
        """
        path = os.path.abspath(path)
        stamp = FileStamp.of(path, self._stamps.get(path))
        if stamp is not self._stamps.get(path):
            self._stamps[path], self.is_changed = stamp, True
        return stamp

    def digest(self, paths: Iterable[str | os.PathLike[str]], root: str | os.PathLike[str] = "/") -> str:
        """Return one digest of the names, below ``root``, and the contents of files, whatever their order.

        Raises:
            OSError: one cannot be read.
        """
        paths = sorted(os.path.abspath(path) for path in paths)
        with ThreadPoolExecutor(4) as pool:  # hashing and reading let other threads run
            digests = list(pool.map(self.__getitem__, paths))
        lines = (f"{os.path.relpath(path, root)}\0{digest}" for path, digest in zip(paths, digests, strict=True))
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def difference(self, paths: Iterable[str | os.PathLike[str]]) -> str:
        """Return how the contents of ``paths`` differ from all that was known, or an empty string if they do not."""
        wanted = {os.path.abspath(path) for path in paths}
        for path in sorted(wanted.symmetric_difference(self._stamps)):
            return f"{path} {'is new' if path in wanted else 'is not used any more'}"
        for path in sorted(wanted):
            known = self._stamps[path].sha256
            try:
                if self[path] != known:
                    return f"{path} was changed"
            except OSError as error:
                return f"{path}: {error.strerror}"
        return ""


def _state(path: str | os.PathLike[str]) -> tuple[int, int, int, int]:
    state = os.stat(path)
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def _wait_a_tick(state: tuple[int, int, int, int]) -> None:
    """Wait until a further change would get another time than the last one had."""
    changed = max(state[1:3])
    tick = _COARSE if state[1] % 1_000_000 == state[2] % 1_000_000 == 0 else _FINE
    age = time.time_ns() - changed
    if 0 <= age < tick:
        time.sleep((tick - age) / 1e9)
