"""AIFF and AIFF-C (Apple, 1989 and 1991), and AU (Sun): big-endian headers with 32-bit sizes.

AU says by all ones that its size is not known; AIFF has no such value, and writers that cannot seek back leave what
:func:`s5lib.audio.containers.riff.unknown_size` knows, or, in the case of SoX, an eighth of 0x7F000000.
"""

from __future__ import annotations

import struct

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan
from s5lib.audio.containers.riff import packed, unknown_size

__all__ = ["scan_aiff", "scan_au"]

_UNCOMPRESSED = (b"NONE", b"twos", b"sowt", b"raw ", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32", b"23ni")
_BYTES = {b"ulaw": 1, b"ULAW": 1, b"alaw": 1, b"ALAW": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8}
_SOX = range(0x7F000000 // 8 - 64, 0x7F000000 // 8 + 64)


def scan_aiff(data: Bytes, begin: int = 0) -> Scan:
    """Find the samples of an AIFF or AIFF-C file that begins at ``begin``.

    Raises:
        Damaged: there are fewer samples than the header says, or none.
    """
    outer = struct.unpack(">I", data(begin + 4, 4))[0]
    whole = outer + 8 + begin == data.size
    chunks: dict[bytes, bytes] = {}
    sound, position = (-1, 0), begin + 12
    while position + 8 <= data.size and not (sound[0] >= 0 and b"COMM" in chunks):
        name, size = struct.unpack(">4sI", data(position, 8))
        if name == b"SSND" and sound[0] < 0:
            sound = position, size
        elif name in (b"COMM", b"FVER"):
            chunks[name] = data(position + 8, min(size, 1024))
        position += 8 + size + size % 2
    position, size = sound
    if position < 0:
        raise Damaged("truncated within its header: it has no samples")
    if len(chunks.get(b"COMM", b"")) < 18:
        return Scan()  # libsndfile says what is wrong
    offset = struct.unpack(">I", data(position + 8, 4).ljust(4, b"\0"))[0]
    start = position + 16 + offset
    unknown = unknown_size(size) or size in _SOX or size <= 8
    stop = position + 8 + size
    if stop > data.size and not unknown and not whole:
        raise Damaged(f"truncated: {stop - data.size} of its {size - 8} bytes of samples are missing")
    ordinary = whole and not unknown and stop <= data.size and begin == 0
    stop = data.size if unknown else min(stop, data.size)
    channels, declared, bits = struct.unpack(">HIH", chunks[b"COMM"][:8])
    coding = chunks[b"COMM"][18:22] if data(begin + 8, 4) == b"AIFC" else b"NONE"
    width = _BYTES.get(coding, (bits + 7) // 8 if coding in _UNCOMPRESSED else 0)
    if not width * channels:
        return Scan()
    frames = max(0, stop - start) // (width * channels)
    if declared > frames and not unknown and not whole:
        raise Damaged(f"truncated: {declared - frames} of its {declared} samples are missing")
    if 0 < declared < frames and not unknown:
        frames = declared
        stop = start + frames * width * channels
    chunks[b"COMM"] = chunks[b"COMM"][:2] + struct.pack(">I", frames) + chunks[b"COMM"][6:]
    body = packed(chunks, ">")
    samples = frames * width * channels
    head = b"FORM" + struct.pack(">I", 4 + len(body) + 16 + samples) + data(begin + 8, 4)
    header = head + body + b"SSND" + struct.pack(">III", 8 + samples, 0, 0)
    return Scan((Part(header, start, start + samples),), ordinary and declared == frames, frames)


def scan_au(data: Bytes) -> Scan:
    """Find the samples of an AU file.

    Raises:
        Damaged: there are fewer samples than the header says.
    """
    order = ">" if data(0, 4) == b".snd" else "<"
    if len(head := data(0, 24)) < 24:
        raise Damaged("truncated within its header: it has no samples")
    start, size, coding, _, channels = struct.unpack(order + "IIIII", head[4:])
    available = max(0, data.size - start)
    unknown = size in (0, 0x7FFFFFFF) or size >= 0xFFFFF000
    if size > available and not unknown:
        raise Damaged(f"truncated: {size - available} of its {size} bytes of samples are missing")
    size = available if unknown else size
    width = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}.get(coding, 0)
    frames = size // (width * channels) if width * channels else None
    header = head[:4] + struct.pack(order + "II", 24, min(size, 0xFFFFFFFF)) + head[12:]
    return Scan((Part(header, start, start + size),), not unknown, frames)
