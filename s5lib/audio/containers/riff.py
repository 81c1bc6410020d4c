"""WAV files: RIFF, RIFX (big-endian), RF64 and BW64 (64-bit sizes; EBU Tech 3306, ITU-R BS.2088).

A writer that cannot seek back leaves a placeholder for the size: 0, all ones, or 2 GiB, often less a few kilobytes for
the header.  Any other size beyond the end of the file means that samples are missing, unless the size of the whole
file, which is stored separately, is right.
"""

from __future__ import annotations

import struct

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan

__all__ = ["as_wav", "packed", "scan", "unknown_size", "wav_header"]

_UNCOMPRESSED = {1, 3, 6, 7}  # PCM, IEEE float, A-law, mu-law
_EXTENSIBLE = 0xFFFE
_LONGEST_FORMAT = 1 << 16
_COMMON = (b"fmt ", b"data", b"fact", b"LIST")


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
    end = begin + 8 + outer
    chunks: dict[bytes, bytes] = {}
    start = stop = -1
    ordinary = abs(end - data.size) <= 1 and magic != b"BW64" and begin == 0
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
            stop, size_is_right = _end_of_data(data, start, size, wide, end, order)
            ordinary &= size_is_right
        elif size <= _LONGEST_FORMAT:
            chunks.setdefault(name, data(position, size))
        ordinary &= name != b"fmt " or start < 0
        following = position + size + size % 2
        if size % 2 and _lacks_padding(data, position + size):
            following, ordinary = position + size, False
        position = following
    if start < 0:
        raise Damaged("truncated within its header: it has no samples")
    if b"fmt " not in chunks or len(chunks[b"fmt "]) < 16:
        return Scan()  # libsndfile says what is wrong
    return as_wav(chunks, start, stop, ordinary and stop <= data.size, order)


def as_wav(chunks: dict[bytes, bytes], start: int, stop: int, is_ordinary: bool, order: str = "<") -> Scan:
    """Return a scan in which the samples have a WAV header with nothing but the format of ``chunks``."""
    fmt = chunks[b"fmt "]
    kind, block = _format(fmt, order)
    if kind in _UNCOMPRESSED and block:
        fmt = struct.pack(order + "H", kind) + fmt[2:16]  # libsndfile has no extensible RIFX
        header = wav_header({b"fmt ": fmt}, stop - start, order)
        return Scan((Part(header, start, stop),), is_ordinary, (stop - start) // block)
    header = wav_header({name: chunks[name] for name in (b"fmt ", b"fact") if name in chunks}, stop - start, order)
    return Scan((Part(header, start, stop),), is_ordinary)


def _end_of_data(data: Bytes, start: int, size: int, wide: bool, end: int, order: str) -> tuple[int, bool]:
    """Return where the samples end, and whether the header says so."""
    available = data.size - start
    if size == 0 and available and abs(end - data.size) <= 1:
        # truly empty where other chunks follow up to the end
        position = start
        while position + 8 <= data.size and _is_chunk(data, position):
            length = struct.unpack(order + "I", data(position + 4, 4))[0]
            position += 8 + length + length % 2
        if position in (data.size, data.size + 1):
            return start, True
    if 0 < size <= available or size == available:
        return start + size, True
    if size >= 1 << 62 or size == 0 if wide else unknown_size(size) or end == data.size:
        return data.size, False
    raise Damaged(f"truncated: {size - available} of its {size} bytes of samples are missing")


def _is_chunk(data: Bytes, position: int) -> bool:
    name = data(position, 4)
    return position == data.size or (len(name) == 4 and all(32 <= byte < 127 for byte in name))


def _lacks_padding(data: Bytes, position: int) -> bool:
    """Whether the next chunk begins at once after one of an odd size, instead of after a byte of padding."""
    if data(position, 1) == b"\0":
        return False
    return data(position, 4) in _COMMON or (_is_chunk(data, position) and not _is_chunk(data, position + 1))


def _format(fmt: bytes, order: str) -> tuple[int, int]:
    """Return the format's number and the bytes per frame."""
    kind, _, _, _, block = struct.unpack(order + "HHIIH", fmt[:14])
    if kind == _EXTENSIBLE and len(fmt) >= 26:
        kind = struct.unpack(order + "H", fmt[24:26])[0]
    return kind, block


def packed(chunks: dict[bytes, bytes], order: str) -> bytes:
    """Return ``chunks`` one after the other, each with its name and size."""
    return b"".join(
        name + struct.pack(order + "I", len(content)) + content + bytes(len(content) % 2)
        for name, content in chunks.items()
    )


def wav_header(chunks: dict[bytes, bytes], size: int, order: str = "<", frames: int = 0) -> bytes:
    """Return the header of a file with these ``chunks`` and ``size`` bytes of samples, RF64 from 4 GiB on."""
    body = packed(chunks, order)
    total = 4 + len(body) + 8 + size
    if total < 0xFFFFFFFF:
        magic = b"RIFF" if order == "<" else b"RIFX"
        return magic + struct.pack(order + "I", total) + b"WAVE" + body + b"data" + struct.pack(order + "I", size)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, total + 36, size, frames, 0)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + body + b"data\xff\xff\xff\xff"
