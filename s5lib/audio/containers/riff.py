"""WAV files: RIFF, RIFX (big-endian), RF64 and BW64 (64-bit sizes; EBU Tech 3306, ITU-R BS.2088).

A writer that cannot seek back leaves a placeholder for the size: 0, all ones, or 2 GiB, often less a few kilobytes for
the header.  Any other size beyond the end of the file means that samples are missing, unless the size of the whole file,
which is stored separately, is right.
"""

from __future__ import annotations

import struct

from s5lib.audio.containers.scan import Bytes, Damaged, Part, Scan

__all__ = ["scan", "unknown_size"]

_UNCOMPRESSED = {1, 3, 6, 7}  # PCM, IEEE float, A-law, mu-law
_EXTENSIBLE = 0xFFFE
_LONGEST_FORMAT = 1 << 16


def unknown_size(size: int) -> bool:
    """Whether a 32-bit size is one of those that writers leave which cannot seek back."""
    return size == 0 or 0x7FFFF000 <= size <= 0x80000000 or size >= 0xFFFFF000


def scan(data: Bytes, begin: int = 0) -> Scan:
    """Find the samples of a WAV file that begins at ``begin``.

    Raises:
        Damaged: there are fewer samples than the header says, or none.
    """
    magic = data(begin, 4)
    order = ">" if magic == b"RIFX" else "<"
    outer = struct.unpack(order + "I", data(begin + 4, 4))[0]
    whole = outer + 8 + begin in range(data.size - 1, data.size + 2)  # the last byte may be padding, or lack it
    chunks: dict[bytes, bytes] = {}
    start = stop = -1
    ordinary = whole and magic != b"BW64" and begin == 0
    position = begin + 12
    while position + 8 <= data.size and not (start >= 0 and b"fmt " in chunks):
        name, size = struct.unpack(order + "4sI", data(position, 8))
        position += 8
        if name == b"data" and start < 0:
            start = position
            wide = magic in (b"RF64", b"BW64") and size == 0xFFFFFFFF
            if wide:
                size = struct.unpack("<Q", chunks.get(b"ds64", b"")[8:16].ljust(8, b"\xff"))[0]
                ordinary &= struct.unpack("<Q", chunks.get(b"ds64", b"")[:8].ljust(8, b"\0"))[0] + 8 == data.size
            stop, size_is_right = _end_of_data(data, start, size, wide, outer, whole)
            ordinary &= size_is_right
        elif size <= _LONGEST_FORMAT:
            chunks.setdefault(name, data(position, size))
        ordinary &= name != b"fmt " or start < 0
        following = position + size + size % 2
        if size % 2 and _is_chunk(data, position + size) and not _is_chunk(data, following):
            following, ordinary = position + size, False  # the byte of padding was forgotten
        position = following
    if start < 0:
        raise Damaged("truncated within its header: it has no samples")
    if b"fmt " not in chunks or len(chunks[b"fmt "]) < 16:
        return Scan()  # libsndfile says what is wrong
    kind, block = _format(chunks[b"fmt "], order)
    frames = (stop - start) // block if kind in _UNCOMPRESSED and block else None
    if ordinary and stop <= data.size:
        return Scan(frames=frames)
    return Scan((Part(_header(chunks, stop - start, order), start, stop),), frames)


def _end_of_data(data: Bytes, start: int, size: int, wide: bool, outer: int, whole: bool) -> tuple[int, bool]:
    """Return where the samples end, and whether the header says so."""
    available = data.size - start
    if size == 0 and available and not (unknown_size(outer) or wide):
        # truly empty where other chunks follow up to the end
        position = start
        while position + 8 <= data.size and _is_chunk(data, position):
            length = struct.unpack("<I", data(position + 4, 4))[0]
            position += 8 + length + length % 2
        if position >= data.size and whole:
            return start, True
    if 0 < size <= available or size == available:
        return start + size, True
    if size >= 1 << 62 or size == 0 if wide else unknown_size(size) or whole:
        return data.size, False
    raise Damaged(f"truncated: {size - available} of its {size} bytes of samples are missing")


def _is_chunk(data: Bytes, position: int) -> bool:
    name = data(position, 4)
    return position == data.size or (len(name) == 4 and all(32 <= byte < 127 for byte in name))


def _format(fmt: bytes, order: str) -> tuple[int, int]:
    """Return the format's number and the bytes per frame."""
    kind, _, _, _, block = struct.unpack(order + "HHIIH", fmt[:14])
    if kind == _EXTENSIBLE and len(fmt) >= 26:
        kind = struct.unpack(order + "H", fmt[24:26])[0]
    return kind, block


def _header(chunks: dict[bytes, bytes], size: int, order: str) -> bytes:
    """Return a header with the format of ``chunks`` for ``size`` bytes of samples."""
    body = b"".join(
        name + struct.pack(order + "I", len(chunks[name])) + chunks[name] + bytes(len(chunks[name]) % 2)
        for name in (b"fmt ", b"fact")
        if name in chunks
    )
    total = 4 + len(body) + 8 + size
    if total < 0xFFFFFFFF:
        magic = b"RIFF" if order == "<" else b"RIFX"
        return magic + struct.pack(order + "I", total) + b"WAVE" + body + b"data" + struct.pack(order + "I", size)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, total + 36, size, 0, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + body + b"data\xff\xff\xff\xff"
