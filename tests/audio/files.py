"""Audio files made byte by byte, independently of what reads them."""

from __future__ import annotations

import struct

import numpy as np

W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")


def _chunk(name: bytes, content: bytes, order: str = "<", pad: bool = True) -> bytes:
    return name + struct.pack(order + "I", len(content)) + content + bytes(len(content) % 2 if pad else 0)


def riff(
    samples: np.ndarray,
    magic: bytes = b"RIFF",
    before: tuple = (),
    between: tuple = (),
    after: tuple = (),
    kind: int = 1,
    pad: bool = True,
    data_size: int | None = None,
    riff_size: int | None = None,
    rate: int = 8000,
    format_last: bool = False,
) -> tuple[bytes, int]:
    """Return a WAV file of ``samples [T, M]`` int16, and where its samples begin."""
    order = ">" if magic == b"RIFX" else "<"
    channels, block = samples.shape[1], 2 * samples.shape[1]
    fmt = struct.pack(order + "HHIIHH", kind, channels, rate, rate * block, block, 16)
    if kind == 0xFFFE:
        fmt += struct.pack(order + "HHIH", 22, 16, 0, 1) + bytes.fromhex("000000001000800000aa00389b71")
    content = samples.astype(order + "i2").tobytes()
    wide = magic in (b"RF64", b"BW64")
    head = b"".join(_chunk(name, body, order, pad) for name, body in before)
    head += b"" if format_last else _chunk(b"fmt ", fmt, order)
    head += b"".join(_chunk(name, body, order, pad) for name, body in between)
    tail = b"".join(_chunk(name, body, order) for name, body in after)
    tail = _chunk(b"fmt ", fmt, order) + tail if format_last else tail
    outer = 4 + (36 if wide else 0) + len(head) + 8 + len(content) + len(tail)
    outer = outer if riff_size is None else riff_size
    size = len(content) if data_size is None else data_size
    if wide:
        head = b"ds64" + struct.pack("<IQQQI", 28, outer, size, len(samples), 0) + head
        outer = size = 0xFFFFFFFF
    head = magic + struct.pack(order + "I", outer) + b"WAVE" + head + b"data" + struct.pack(order + "I", size)
    return head + content + tail, len(head)


def wave64(samples: np.ndarray, before: tuple = (), data_size: int | None = None, riff_size: int | None = None):
    """Return a Wave64 file of ``samples [T, M]`` int16, and where its samples begin."""

    def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
        size = 24 + len(content) if size is None else size
        return name + W64_TAIL + struct.pack("<Q", size) + content + bytes(-size % 8)

    block = 2 * samples.shape[1]
    fmt = struct.pack("<HHIIHH", 1, samples.shape[1], 8000, 8000 * block, block, 16)
    content = samples.astype("<i2").tobytes()
    middle = b"".join(chunk(name, body) for name, body in before) + chunk(b"fmt ", fmt)
    body = b"wave" + W64_TAIL + middle + chunk(b"data", content, data_size)
    outer = 24 + len(body) if riff_size is None else riff_size
    return W64_RIFF + struct.pack("<Q", outer) + body, 24 + 16 + len(middle) + 24


def aiff(
    samples: np.ndarray,
    before: tuple = (),
    after: tuple = (),
    coding: bytes | None = None,
    sound_first: bool = False,
    sizes: tuple[int, int, int] | None = None,
):
    """Return an AIFF file, or AIFF-C with a ``coding``, of int16; ``sizes`` of FORM, SSND and COMM's frames."""
    content = samples.astype("<i2" if coding == b"sowt" else ">i2").tobytes()
    form, sound, frames = sizes or (None, 8 + len(content), len(samples))
    comm = struct.pack(">hIh", samples.shape[1], frames, 16) + bytes.fromhex("400bfa00000000000000")
    comm += coding + b"\x00\x00" if coding else b""
    common = _chunk(b"COMM", comm, ">")
    head = b"".join(_chunk(name, body, ">") for name, body in before) + (b"" if sound_first else common)
    tail = (common if sound_first else b"") + b"".join(_chunk(name, body, ">") for name, body in after)
    body = b"SSND" + struct.pack(">III", sound, 0, 0) + content + bytes(len(content) % 2) + tail
    kind = b"AIFC" if coding else b"AIFF"
    outer = 4 + len(head) + len(body) if form is None else form
    return b"FORM" + struct.pack(">I", outer) + kind + head + body, 12 + len(head) + 16


def au(samples: np.ndarray, comment: bytes = b"", size: int | None = None):
    """Return an AU file of ``samples [T, M]`` int16, and where its samples begin."""
    content = samples.astype(">i2").tobytes()
    start = 24 + len(comment)
    size = len(content) if size is None else size
    return b".snd" + struct.pack(">5I", start, size, 3, 8000, samples.shape[1]) + comment + content, start


def caf(samples: np.ndarray, before: tuple = (), size: int | None = None):
    """Return a CAF file of ``samples [T, M]`` int16, and where its samples begin."""
    content = samples.astype(">i2").tobytes()
    desc = struct.pack(">d4sIIIII", 8000.0, b"lpcm", 0, 2 * samples.shape[1], 1, samples.shape[1], 16)
    head = b"caff\x00\x01\x00\x00desc" + struct.pack(">q", len(desc)) + desc
    head += b"".join(name + struct.pack(">q", len(body)) + body for name, body in before)
    size = 4 + len(content) if size is None else size
    head += b"data" + struct.pack(">qI", size, 0)
    return head + content, len(head)
