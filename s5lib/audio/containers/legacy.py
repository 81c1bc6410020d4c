"""Old formats that say how long they are: NIST SPHERE, Creative VOC, Amiga 8SVX, AVR, Psion WVE.

IRCAM, PAF and PVF do not say: a truncated one looks like a shorter one.
"""

from __future__ import annotations

import re
import struct

from s5lib.audio.containers.interface import Bytes, Damaged, Scan

__all__ = ["scan"]


def scan(data: Bytes) -> Scan | None:
    """Check the length of a file; None where it has another format.

    Raises:
        Damaged: there is less than the header says.
    """
    head = data(0, 32)
    if head.startswith(b"NIST_1A\n"):
        end = _sphere(data)
    elif head.startswith(b"Creative Voice File\x1a"):
        end = _voice(data)
    elif head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV"):
        end = _svx(data)
    elif head[:4] == b"2BIT":
        stereo, bits, frames = struct.unpack(">HH10xI", head[12:30])
        end = 128 + frames * (2 if stereo else 1) * (bits // 8)
    elif head[:15] == b"ALawSoundFile**":
        end = 32 + int.from_bytes(head[18:22], "big")
    else:
        return None
    if end > data.size:
        raise Damaged(f"truncated: {end - data.size} of its {end} bytes are missing")
    return Scan()


def _sphere(data: Bytes) -> int:
    size = int(data(8, 8))
    fields = dict(re.findall(rb"^(\w+) -i (\d+)$", data(0, min(size, 1 << 16)), re.MULTILINE))
    names = b"sample_count", b"channel_count", b"sample_n_bytes"
    count, channels, width = (int(fields.get(name, b"1" if name != names[0] else b"0")[:18]) for name in names)
    return size + count * channels * width


def _voice(data: Bytes) -> int:
    place = int.from_bytes(data(20, 2), "little")
    while (head := data(place, 4)) and head[0]:
        place += 4 + int.from_bytes(head[1:4].ljust(3, b"\xff"), "little")
    return place


def _svx(data: Bytes) -> int:
    place = 12
    while len(head := data(place, 8)) == 8:
        name, size = struct.unpack(">4sI", head)
        if name == b"BODY":
            return place + 8 + int(size)
        place += 8 + size + size % 2
    return data.size + 1
