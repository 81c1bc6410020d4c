"""MP3 (ISO/IEC 11172-3, 13818-3) and AAC streams (ADTS): frames, each with its length in its header, counted.

Without the Xing or Info frame that most encoders put first, libsndfile guesses the number of samples from the first bit
rates, and is far off where they vary.  So such a file gets an Info frame with the number of its frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan

__all__ = ["scan"]

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BITRATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_BLOCK = 1 << 20
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")


@dataclass(frozen=True)
class _Frame:
    size: int
    samples: int
    layer: int
    rate: int
    side: int
    """bytes of header and side information, after which Xing puts its tag"""


def scan(data: Bytes, begin: int = 0) -> Scan:
    """Count the frames of an MP3 or AAC file whose frames begin at ``begin``; other files pass unchecked.

    Raises:
        Damaged: frames are missing at the end.
    """
    head = data(begin, 4)
    if len(head) == 4 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return _scan_aac(data, begin)
    first = _parse(head)
    if first is None or (begin + first.size < data.size and _parse(data(begin + first.size, 4)) is None):
        return Scan()
    declared = _declared_frames(data(begin, first.size), first)
    start = begin if declared is None else begin + first.size
    count, stop, missing = _count(data, start, first.rate)
    if missing:
        raise Damaged(f"truncated: its last frame lacks {missing} bytes")
    if declared and declared > count:
        raise Damaged(f"truncated: {declared - count} of its {declared} frames are missing")
    if declared == count or first.layer != 3:
        return Scan(exact_seek=False)
    if not count:
        raise Damaged("holds no samples")
    header = _info_frames(head, count, stop - start)
    return Scan((Part(header, start, stop),), frames=count * first.samples, exact_seek=False)


def _scan_aac(data: Bytes, place: int) -> Scan:
    while len(head := data(place, 7)) == 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if place + size > data.size:
            raise Damaged(f"truncated: its last frame lacks {place + size - data.size} bytes")
        place += max(size, 7)
    if head[:1] == b"\xff":
        raise Damaged("truncated: it ends within a frame")
    return Scan()


def _parse(head: bytes) -> _Frame | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    old = version == 3
    bits, hertz = 1000 * _BITRATES[1 if old else 2, layer][bitrate - 1], _RATES[version][rate]
    samples = 384 if layer == 1 else 1152 if layer == 2 or old else 576
    padding = head[2] >> 1 & 1
    size = (12 * bits // hertz + padding) * 4 if layer == 1 else samples // 8 * bits // hertz + padding
    mono = head[3] >> 6 == 3
    side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[old, mono]
    return _Frame(size, samples, layer, hertz, 4 + side)


def _declared_frames(content: bytes, frame: _Frame) -> int | None:
    """Return the number of frames that a Xing or VBRI frame gives, 0 if it gives none; None: an ordinary frame."""
    for place in (frame.side, frame.side + 2):  # with a checksum, some put it two bytes later
        if content[place : place + 4] in (b"Xing", b"Info"):
            flags, count = struct.unpack(">II", content[place + 4 : place + 12].ljust(8, b"\0"))
            return int(count) if flags & 1 else 0
    if content[36:40] == b"VBRI":
        return int.from_bytes(content[50:54], "big")
    return None


def _count(data: Bytes, start: int, rate: int) -> tuple[int, int, int]:
    """Return the number of frames from ``start``, the end of the last one, and how many bytes that one lacks."""
    count, place, stop, block, base = 0, start, start, b"", 0
    while place < data.size:
        if not base <= place <= base + len(block) - 16:
            base, block = place, data(place, _BLOCK)
        head = block[place - base : place - base + 16]
        frame = _parse(head)
        if frame is None or frame.rate != rate:
            if head.startswith(_TAGS):
                break
            offset = block.find(b"\xff", place - base + 1)
            place = base + offset if offset >= 0 else base + len(block)
            continue
        if place + frame.size > data.size:
            return count, stop, place + frame.size - data.size
        if place == stop or _parse(data(place + frame.size, 4)) is not None or place + frame.size == data.size:
            count, place = count + 1, place + frame.size
            stop = place
        else:
            place += 1
    return count, stop, 0


def _info_frames(head: bytes, count: int, size: int) -> bytes:
    """Return an Info frame for ``count`` frames like ``head``, and a silent frame.

    Decoders cut their delay off the beginning of a file with an Info frame: it shall be cut off the silence.
    """
    head = bytes([head[0], head[1] | 1, head[2] & 0x0F | 0x90, head[3]])  # no checksum; a bit rate with enough room
    frame = _parse(head)
    assert frame is not None
    tag = b"Info" + struct.pack(">III", 3, count + 1, size + 2 * frame.size)
    silent = head.ljust(frame.size, b"\0")
    return (head.ljust(frame.side, b"\0") + tag).ljust(frame.size, b"\0") + silent
