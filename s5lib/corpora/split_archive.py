"""Zip archives split into NAME.z01, NAME.z02, ..., NAME.zip, read where they lie, without joining them on disk.

A split archive is one zip file cut into pieces, but its directory counts places per piece ("disk"), which Python's
``zipfile`` refuses.  :class:`SplitArchive` shows the pieces as one file whose directory is written anew with places
counted from the beginning.  Format: PKWARE's APPNOTE.TXT, 4.3.12 to 4.3.16, 4.5.3 and 8.
"""

from __future__ import annotations

import bisect
import io
import itertools
import os
import re
import struct
import zipfile
from pathlib import Path

from s5lib.errors import DataError
from s5lib.untrusted.archives import open_zip, reported

__all__ = ["SplitArchive", "open_split_archive"]

ENTRY = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR64 = struct.Struct("<4sIQI")
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF


def open_split_archive(last: str | os.PathLike) -> zipfile.ZipFile:
    """Open a zip archive whose last (or only) piece is ``NAME.zip``.

    Raises:
        DataError: a piece is missing, or these are not the pieces of one archive.
    """
    last = Path(last)
    pieces = {}
    for path in last.parent.glob(f"{glob_escape(last.stem)}.z*"):
        if match := re.fullmatch(r"\.z(\d{1,4})", path.suffix):
            pieces[int(match[1])] = path
    if not last.is_file():
        raise DataError(f"{last}: no such file; it is the last piece of a split archive.")
    if sorted(pieces) != list(range(1, len(pieces) + 1)):
        raise DataError(f"{last.with_suffix('.z*')}: found pieces number {sorted(pieces)}; some are missing.")
    with reported(last, "Or pieces of it are missing: fetch it again."):
        parts = SplitArchive([*(pieces[n] for n in sorted(pieces)), last])
        return open_zip(io.BufferedReader(parts, 1 << 20), last)


def glob_escape(name: str) -> str:
    """Return ``name`` with glob's special characters escaped."""
    return re.sub(r"([*?[])", r"[\1]", name)


class SplitArchive(io.RawIOBase):
    """Pieces of a split zip archive as one readable file with a directory that ``zipfile`` understands."""

    def __init__(self, pieces: list[Path]):
        super().__init__()
        self._files = [open(path, "rb") for path in pieces]  # noqa: SIM115 - see close
        sizes = [os.fstat(file.fileno()).st_size for file in self._files]
        self._starts = [0, *itertools.accumulate(sizes)]
        self._place = 0
        self._body, self._tail = self._starts[-1], b""
        self._body, self._tail = self._directory()

    def close(self) -> None:
        """Close all pieces."""
        for file in self._files:
            file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._body + len(self._tail)}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer) -> int:
        if self._place >= self._body:
            begin = self._place - self._body
            data = self._tail[begin : begin + len(buffer)]
        else:
            piece = bisect.bisect_right(self._starts, self._place) - 1
            file = self._files[piece]
            file.seek(self._place - self._starts[piece])
            data = file.read(min(len(buffer), self._body - self._place, self._starts[piece + 1] - self._place))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _at(self, place: int, size: int) -> bytes:
        self.seek(place)
        data, size = b"", min(size, self._starts[-1])
        while len(data) < size and (more := self.read(size - len(data))):
            data += more
        return data

    def _directory(self) -> tuple[int, bytes]:
        """Return where the directory begins, and a new one."""
        total = self._starts[-1]
        tail = self._at(max(0, total - END.size - FULL16), END.size + FULL16)
        found = tail.rfind(b"PK\x05\x06")
        if found < 0:
            raise zipfile.BadZipFile("no end of central directory")
        end_place = total - len(tail) + found
        _, disk, directory_disk, _, count, size, offset, _ = END.unpack_from(tail, found)
        locator = self._at(max(0, end_place - LOCATOR64.size), LOCATOR64.size)
        if locator[:4] == b"PK\x06\x07":
            _, disk, end64_offset, _ = LOCATOR64.unpack(locator)
            end64 = self._at(self._starts[disk] + end64_offset, END64.size)
            _, _, _, _, disk, directory_disk, _, count, size, offset = END64.unpack(end64)
        if disk != len(self._files) - 1:
            raise zipfile.BadZipFile(f"it was split into {disk + 1} pieces, {len(self._files)} are here")
        begin = self._starts[directory_disk] + offset
        entries = self._entries(self._at(begin, size), count)
        end64 = END64.pack(b"PK\x06\x06", END64.size - 12, 45, 45, 0, 0, count, count, len(entries), begin)
        locator = LOCATOR64.pack(b"PK\x06\x07", 0, begin + len(entries), 1)
        end = END.pack(b"PK\x05\x06", 0, 0, FULL16, FULL16, FULL32, FULL32, 0)
        return begin, entries + end64 + locator + end

    def _entries(self, directory: bytes, count: int) -> bytes:
        """Return the directory's entries with places counted from the beginning, all in the 64-bit form."""
        result, place = [], 0
        for _ in range(count):
            fields = list(ENTRY.unpack_from(directory, place))
            if fields[0] != b"PK\x01\x02":
                raise zipfile.BadZipFile("a directory entry is damaged")
            packed, size, name_length, extra_length, comment_length, disk = fields[8:14]
            offset = fields[16]
            place += ENTRY.size
            name = directory[place : place + name_length]
            extra = directory[place + name_length : place + name_length + extra_length]
            comment = directory[place + name_length + extra_length :][:comment_length]
            place += name_length + extra_length + comment_length
            size, packed, offset, disk, extra = _widen(size, packed, offset, disk, extra)
            wide = struct.pack("<2H3Q", 1, 24, size, packed, self._starts[disk] + offset)
            fields[8:14] = FULL32, FULL32, name_length, len(wide) + len(extra), comment_length, 0
            fields[16] = FULL32
            result.append(ENTRY.pack(*fields) + name + wide + extra + comment)
        return b"".join(result)


def _widen(size: int, packed: int, offset: int, disk: int, extra: bytes) -> tuple[int, int, int, int, bytes]:
    """Return the values of an entry, those of its 64-bit field in place of full ones, and the other extra fields."""
    others, place = b"", 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        field = extra[place + 4 : place + 4 + length]
        if kind == 1:
            wide = io.BytesIO(field)
            size = struct.unpack("<Q", wide.read(8))[0] if size == FULL32 else size
            packed = struct.unpack("<Q", wide.read(8))[0] if packed == FULL32 else packed
            offset = struct.unpack("<Q", wide.read(8))[0] if offset == FULL32 else offset
            disk = struct.unpack("<I", wide.read(4))[0] if disk == FULL16 else disk
        else:
            others += extra[place : place + 4 + length]
        place += 4 + length
    return size, packed, offset, disk, others
