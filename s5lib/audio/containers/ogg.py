"""Ogg (RFC 3533): pages, of which the last one of each stream says so; several files in a row make a chain.

libsndfile decodes the first link of a chain and then stops, or takes the length of the last link for that of the whole.
In one of ten places of a Vorbis stream, and few of Opus, it does not find what it decodes when it reads from the start.
"""

from __future__ import annotations

from dataclasses import dataclass

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan

__all__ = ["scan"]

_FIRST, _LAST = 2, 4
_LONGEST_PACKET = {b"\x01vorbis": 8192, b"OpusHead": 5760}  # samples; of Opus at 48 kHz


@dataclass
class _Link:
    """One file of a chain."""

    start: int
    codec: bytes
    open: set[bytes]
    """serial numbers of streams whose last page has not come yet"""
    streams: int = 0
    stop: int = 0
    position: int = 0
    packets: int = 0


def scan(data: Bytes) -> Scan:
    """Find the links of an Ogg file.

    Raises:
        Damaged: a page is cut, or the last one of a stream is missing.
    """
    links: list[_Link] = []
    place = 0
    while place < data.size:
        head = data(place, 27 + 255)
        if len(head) < 27:
            raise Damaged("truncated: it ends within a page")
        if head[:4] != b"OggS":
            if links and not links[-1].open and b"OggS" not in data(place, 1 << 16):
                break  # tags that another program put there
            raise Damaged(f"damaged: byte {place} is within no page")
        sizes = head[27 : 27 + head[26]]
        end = place + 27 + head[26] + sum(sizes)
        if len(sizes) < head[26] or end > data.size:
            raise Damaged(f"truncated: its last page lacks {max(1, end - data.size)} bytes")
        serial = head[14:18]
        if head[5] & _FIRST:
            if not links or not links[-1].open:
                start = data(place + 27 + head[26], 8)
                codec = next((codec for codec in _LONGEST_PACKET if start.startswith(codec)), b"")
                links.append(_Link(place, codec, set()))
            links[-1].open.add(serial)
            links[-1].streams += 1
        elif not links or serial not in links[-1].open:
            raise Damaged(f"damaged: the page at byte {place} belongs to no stream")
        link = links[-1]
        if head[5] & _LAST:
            link.open.discard(serial)
        link.stop = place = end
        link.packets += sum(size < 255 for size in sizes)
        granule = int.from_bytes(head[6:14], "little", signed=True)
        link.position = max(link.position, granule)
    if links[-1].open:
        raise Damaged("truncated: the last page of its stream is missing")
    if any(link.streams > 1 or not link.codec for link in links):
        return Scan()  # several streams at once, or of a kind that libsndfile does not know
    for link in links:
        if link.position > (link.packets + 1) * _LONGEST_PACKET[link.codec]:
            raise Damaged(f"damaged: {link.position} samples cannot be in {link.packets} packets")
    if len(links) == 1 and links[0].stop == data.size:
        return Scan(exact_seek=False)
    return Scan(tuple(Part(b"", link.start, link.stop) for link in links), exact_seek=False)
