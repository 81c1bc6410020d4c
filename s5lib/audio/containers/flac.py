"""FLAC (RFC 9639): the last frame shows how long a stream is, and whether it is complete.

A frame carries its number, and a checksum at its end.  So the frame that ends with the file, where there is one, gives
the length that an encoder which could not seek back has left out of the header, and its absence shows that the file was
cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan

__all__ = ["scan"]

_STREAMINFO = 34  # bytes
_LONGEST_TAIL = 1 << 22
_CANDIDATES = 4  # the nearest header to the end is that of the last frame, unless samples happen to look like one


def _total_samples(info: bytes) -> int:
    """Return the number of samples per channel that STREAMINFO ``info`` gives; 0: not known."""
    return (info[13] & 15) << 32 | int.from_bytes(info[14:18], "big")


def _patch_total(info: bytes, total: int) -> bytes:
    """Return STREAMINFO ``info`` with another number of samples."""
    return info[:13] + bytes([info[13] & 0xF0 | total >> 32 & 15]) + struct.pack(">I", total & 0xFFFFFFFF) + info[18:]


def scan(data: Bytes, begin: int = 0) -> Scan:
    """Find out the length of a FLAC file that begins at ``begin``.

    Raises:
        Damaged: frames are missing at the end.
    """
    position, is_last, info = begin + 4, False, b""
    while not is_last:
        head = data(position, 4)
        if len(head) < 4:
            raise Damaged("truncated within its header: it has no samples")
        is_last, size = bool(head[0] & 128), int.from_bytes(head[1:], "big")
        if head[0] & 127 == 0:
            info = data(position + 4, size)
        position += 4 + size
    if len(info) < _STREAMINFO:
        return Scan()  # libsndfile says what is wrong
    declared = _total_samples(info)
    if position >= data.size:
        raise Damaged("truncated: it has a header and no samples" if declared else "holds no samples")
    first = _frame(data(position, 32), info)
    tail = max(position, data.size - _LONGEST_TAIL)
    last = _last_frame(data(tail, data.size - tail), info, declared)
    if first is None or last is None:
        raise Damaged("truncated or damaged: its last frame is not whole")
    frames, stop = last[0] - first[0], tail + last[1]
    if frames < declared:
        raise Damaged(f"truncated: {declared - frames} of its {declared} samples are missing")
    if frames == declared and begin == 0 and stop == data.size:
        return Scan(frames=frames)
    header = b"fLaC\x80\x00\x00\x22" + _patch_total(info[:_STREAMINFO], frames)
    return Scan((Part(header, position, stop),), frames=frames)


def _frame(head: bytes, info: bytes) -> tuple[int, int] | None:
    """Return first sample and end of the frame whose header ``head`` begins with; None where it is no header."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15 or head[3] >> 4 > 10:
        return None
    extra = 0
    while extra < 7 and head[4] & 128 >> extra:
        extra += 1
    number = head[4] & 127 >> extra
    extra = max(0, extra - 1)
    for byte in head[5 : 5 + extra]:
        number = number << 6 | byte & 63
    after = 5 + extra
    size_bytes, rate_bytes = {6: 1, 7: 2}.get(size_code, 0), {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    checked = after + size_bytes + rate_bytes
    if checked >= len(head) or _crc8(head[:checked]) != head[checked]:
        return None
    if size_bytes:
        length = int.from_bytes(head[after : after + size_bytes], "big") + 1
    else:
        length = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    variable = head[1] & 1
    start = number if variable else number * int.from_bytes(info[2:4], "big")
    return start, start + length


def _last_frame(tail: bytes, info: bytes, declared: int) -> tuple[int, int] | None:
    """Return the end of the last frame, in samples and in bytes of ``tail``; None where it is not whole.

    It ends with the file or, where other programs have put tags there, completes the ``declared`` number of samples.
    """
    candidates = 0
    for place in _frame_starts(tail):
        if (found := _frame(tail[place : place + 32], info)) is None:
            continue
        ends = _checksum_ends(tail[place:])
        if ends and (place + ends[-1] == len(tail) or found[1] == declared):
            return found[1], place + ends[-1]
        candidates += 1
        if candidates == _CANDIDATES:
            break
    return None


def _frame_starts(tail: bytes) -> Iterator[int]:
    """Yield the places where a frame may begin, the last one first."""
    place = len(tail)
    while (place := tail.rfind(b"\xff", 0, place)) >= 0:
        if tail[place + 1 : place + 2] in (b"\xf8", b"\xf9"):
            yield place


def _crc_table(polynomial: int, bits: int) -> list[int]:
    """Return the remainders of the 256 bytes, highest bit first; the ``polynomial`` has its leading 1."""
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 & 1 else 0)
        table.append(value & (1 << bits) - 1)
    return table


_CRC8, _CRC16 = _crc_table(0x107, 8), _crc_table(0x18005, 16)


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value = _CRC8[value ^ byte]
    return value


def _checksum_ends(content: bytes) -> list[int]:
    """Return the lengths of ``content`` whose last two bytes are the CRC-16 of those before."""
    value, ends = 0, []
    for length, byte in enumerate(content, 1):
        value = (value << 8 & 0xFF00) ^ _CRC16[value >> 8 ^ byte]
        if value == 0:
            ends.append(length)
    return ends
