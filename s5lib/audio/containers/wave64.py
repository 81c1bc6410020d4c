"""Sony Wave64: RIFF with 16-byte names and 64-bit sizes, which count the 24 bytes of name and size."""

from __future__ import annotations

import struct

from s5lib.audio.containers.interface import Bytes, Damaged, Scan
from s5lib.audio.containers.riff import as_wav

__all__ = ["RIFF", "scan"]

RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_CHUNK = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # after the four letters of every other name


def scan(data: Bytes) -> Scan:
    """Find the samples of a Wave64 file.

    Raises:
        Damaged: there are fewer samples than the header says, or none.
    """
    position, chunks = 40, {}
    while (head := data(position, 24))[4:16] == _CHUNK and len(head) == 24:
        size = struct.unpack("<Q", head[16:])[0]
        start = position + 24
        if head[:4] in (b"fmt ", b"fact") and size < 1 << 16:
            chunks[head[:4]] = data(start, size - 24)
        if head[:4] == b"data":
            return _samples(data, position, size, chunks)
        if size < 24:
            break
        position += size + -size % 8
    raise Damaged("truncated within its header: it has no samples")


def _samples(data: Bytes, position: int, size: int, chunks: dict[bytes, bytes]) -> Scan:
    start = position + 24
    outer = struct.unpack("<Q", data(16, 8))[0]
    unknown = size <= 24 or size >= 1 << 62
    if not unknown and position + size > data.size and outer != data.size:
        raise Damaged(f"truncated: {position + size - data.size} of its {size - 24} bytes of samples are missing")
    stop = data.size if unknown else min(position + size, data.size)
    ordinary = outer == data.size and not unknown and stop == position + size
    return as_wav(chunks, start, stop, ordinary) if len(chunks.get(b"fmt ", b"")) >= 16 else Scan()
