"""Core Audio Format (Apple): big-endian chunks with 64-bit sizes; -1 for samples up to the end of the file."""

from __future__ import annotations

import struct

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan

__all__ = ["scan"]

_LONGEST_HEADER = 1 << 24


def scan(data: Bytes) -> Scan:
    """Find the samples of a CAF file.

    Raises:
        Damaged: there are fewer samples than the header says, or none.
    """
    position, block = 8, 0
    while len(head := data(position, 12)) == 12:
        name, size = struct.unpack(">4sq", head)
        start = position + 12
        if name == b"desc":
            coding, block = struct.unpack(">4s4xI", data(start + 8, 12).ljust(12, b"\0"))
            block = block if coding in (b"lpcm", b"ulaw", b"alaw") else 0
        if name == b"data":
            available = data.size - start
            if size > available:
                raise Damaged(f"truncated: {size - available} of its {size - 4} bytes of samples are missing")
            unknown = size < 0 or (size == 0 and available > 0)
            frames = ((available if unknown else size) - 4) // block if block else None
            if not unknown or start > _LONGEST_HEADER:
                return Scan(frames=frames)
            header = data(0, start - 8) + struct.pack(">q", available)
            return Scan((Part(header, start, data.size),), frames=frames)
        if size < 0:
            break
        position = start + size
    raise Damaged("truncated within its header: it has no samples")
