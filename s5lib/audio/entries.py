"""Recordings as ``wav.scp`` names them: files that soundfile reads, or places in Kaldi archives."""

from __future__ import annotations

import re

import numpy as np

from s5lib.audio.decoding import AudioInfo, probe, read_audio
from s5lib.errors import DataError

__all__ = ["probe_recording", "read_recording"]

ARCHIVE = re.compile(r"(?P<file>.+\.ark):(?P<offset>[0-9]+)")


def probe_recording(entry: str) -> AudioInfo:
    """Return length, rate and channels of what an entry of ``wav.scp`` names.

    Raises:
        DataError: as :func:`read_recording`.
    """
    if ARCHIVE.fullmatch(entry):
        samples, rate = read_recording(entry)
        return AudioInfo(samples.shape[1], rate, samples.shape[0])
    _refuse_pipe(entry)
    return probe(entry)


def read_recording(entry: str) -> tuple[np.ndarray, int]:
    """Return ``(samples [M, T] float32, sample rate)`` of what an entry of ``wav.scp`` names.

    Raises:
        DataError: missing, not decodable, empty, or with samples that are no finite numbers; a command (``... |``),
            which is never run; a Kaldi archive without kaldiio.
    """
    if ARCHIVE.fullmatch(entry):
        return _read_archive(entry)
    _refuse_pipe(entry)
    return read_audio(entry)


def _refuse_pipe(entry: str) -> None:
    if entry.rstrip().endswith("|"):
        raise DataError(f"{entry!r} is a command; s5lib runs none from a data directory. Write its output to a file.")


def _read_archive(entry: str) -> tuple[np.ndarray, int]:
    try:
        import kaldiio
    except ImportError as error:
        raise DataError(f"{entry}: Kaldi archives need kaldiio: pip install 's5lib[kaldi]'.") from error
    place = ARCHIVE.fullmatch(entry)
    try:
        with open(place["file"], "rb") as file:
            file.seek(int(place["offset"]))
            marker = file.read(5)
        if not marker.startswith((b"RIFF", b"fLaC", b"AUDIO")):  # kaldiio would unpickle, and so run, a "PKL" entry
            raise ValueError(f"it begins with {marker!r}")
        rate, samples = kaldiio.load_mat(entry)
    except Exception as error:  # kaldiio raises whatever the bytes lead it to
        raise DataError(f"{entry}: no audio can be read there ({type(error).__name__}: {error}).") from error
    samples = np.atleast_2d(np.asarray(samples).T)
    if samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    samples = np.ascontiguousarray(samples, np.float32)
    if samples.size == 0 or not np.isfinite(samples).all():
        raise DataError(f"{entry}: {'holds no samples' if samples.size == 0 else 'holds samples that are not finite'}.")
    return samples, int(rate)
