"""The choice of a scanner by a file's first bytes."""

from __future__ import annotations

import struct

from s5lib.audio.containers import caf, flac, iff, legacy, mpeg, ogg, riff, wave64
from s5lib.audio.containers.interface import Bytes, Damaged, Scan

__all__ = ["scan"]


def scan(data: Bytes) -> Scan:
    """Scan a file of any format; one that no scanner knows is left to libsndfile as it is.

    Raises:
        Damaged: samples are missing.
    """
    try:
        return _scan(data)
    except (struct.error, IndexError, ValueError) as error:
        if isinstance(error, Damaged):
            raise
        raise Damaged("truncated within its header") from None


def _scan(data: Bytes) -> Scan:
    start = _skip_id3(data)
    magic = data(start, 16)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and magic[8:12] == b"WAVE":
        return riff.scan(data, start)
    if magic == wave64.RIFF:
        return wave64.scan(data)
    if magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
        return iff.scan_aiff(data, start)
    if magic[:4] in (b".snd", b"dns."):
        return iff.scan_au(data)
    if magic[:4] == b"caff":
        return caf.scan(data)
    if magic[:4] == b"fLaC":
        return flac.scan(data, start)
    if magic[:4] == b"OggS":
        return ogg.scan(data)
    return legacy.scan(data) or mpeg.scan(data, start)


def _skip_id3(data: Bytes) -> int:
    """Return where the content begins after ID3v2 tags, which some programs put before any kind of file."""
    start = 0
    while (head := data(start, 10))[:3] == b"ID3" and len(head) == 10 and max(head[6:]) < 128:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        start += 10 + size + (10 if head[5] & 0x10 else 0)  # the flag: a footer follows
    return start
