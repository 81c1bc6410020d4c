"""Places in Kaldi archives, ``ARCHIVE.ark:OFFSET``; the only module that imports kaldiio."""

from __future__ import annotations

import os
import re
import stat

import numpy as np

from s5lib.audio.containers.riff import unknown_size
from s5lib.audio.decoding import ArraySamples, UnavailableError
from s5lib.errors import DataError

__all__ = ["is_entry", "read", "split_entry"]

_ENTRY = re.compile(r"(?P<file>.+\.ark):(?P<offset>[0-9]{1,18})", re.DOTALL)
_MARKERS = (b"RIFF", b"fLaC", b"AUDIO")  # kaldiio would unpickle, and so run, a "PKL" entry


def is_entry(text: str) -> bool:
    """Whether ``text`` names a place in an archive.

    >>> is_entry("dump/wav.ark:17"), is_entry("wav.ark"), is_entry("a.wav")
    (True, False, False)
    """
    return _ENTRY.fullmatch(text) is not None


def split_entry(entry: str) -> tuple[str, str]:
    """Return the path of the file that holds an entry of ``wav.scp``, and ``:OFFSET`` for a place in an archive.

    >>> split_entry("dump/wav.ark:17"), split_entry("a:1.wav")
    (('dump/wav.ark', ':17'), ('a:1.wav', ''))
    """
    match = _ENTRY.fullmatch(entry)  # first: a look into the file system for each of a million paths takes minutes
    return (match["file"], f":{match['offset']}") if match and not os.path.exists(entry) else (entry, "")


def read(entry: str) -> ArraySamples:
    """Decode what lies at a place in an archive.

    Raises:
        UnavailableError: kaldiio is not installed, or the archive may not be read.
        DataError: there is no audio at that place, or it is truncated.
    """
    try:
        import kaldiio
    except ImportError as error:
        raise UnavailableError(f"{entry}: Kaldi archives need kaldiio: pip install 's5lib[kaldi]'.") from error
    place = _ENTRY.fullmatch(entry)
    assert place is not None
    try:
        if not stat.S_ISREG(os.stat(place["file"]).st_mode):
            raise ValueError("no regular file")
        with open(place["file"], "rb") as file:
            file.seek(int(place["offset"]))
            marker = file.read(8)
            left = os.fstat(file.fileno()).st_size - int(place["offset"])
            if not marker.startswith(_MARKERS):
                raise ValueError(f"it begins with {marker[:5]!r}")
            size = int.from_bytes(marker[4:8], "little")
            if marker.startswith(b"RIFF") and size + 8 > left and not unknown_size(size):
                raise ValueError(f"truncated, {size + 8 - left} bytes are missing")
            file.seek(int(place["offset"]))
            rate, samples = kaldiio.matio.read_kaldi(file)  # not load_mat, which runs a name like "command |"
    except PermissionError as error:
        raise UnavailableError(f"{entry}: cannot be read ({error.strerror}).") from error
    except Exception as error:  # kaldiio raises whatever the bytes lead it to
        raise DataError(f"{entry}: holds no readable audio ({type(error).__name__}: {error}).") from error
    samples = np.asarray(samples)
    if samples.dtype == np.uint8:  # 8-bit WAV has its zero at 128
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return ArraySamples(np.ascontiguousarray(samples.reshape(len(samples), -1), np.float32), int(rate))
