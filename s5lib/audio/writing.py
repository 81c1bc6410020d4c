"""One way to write sound: the same samples give the same bytes."""

from __future__ import annotations

import base64
import io
import os
import struct
from typing import IO, Any

import numpy as np
import soundfile

from s5lib.audio.containers.riff import wav_header
from s5lib.errors import DataError
from s5lib.provenance.files import atomic_write

__all__ = ["FORMATS", "AudioWriter", "can_encode", "data_uri", "encode_audio", "write_audio"]

FORMATS = {
    # name: (ending, container and coding as soundfile has them)
    "float": ("wav", "WAV", "FLOAT"),
    "pcm24": ("wav", "WAV", "PCM_24"),
    "pcm16": ("wav", "WAV", "PCM_16"),
    "flac": ("flac", "FLAC", "PCM_24"),
    "flac16": ("flac", "FLAC", "PCM_16"),
    "mp3": ("mp3", "MP3", "MPEG_LAYER_III"),
}
_LARGEST_WAV = 0xFFFFFFFF
_HIGHEST_FLAC_RATE = 655_350
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def can_encode(format: str, sample_rate: int) -> bool:
    """Whether one of :data:`FORMATS` has such a sampling rate, in Hz, and the installed libsndfile writes it."""
    container = FORMATS[format][1]
    has_rate = {"MP3": sample_rate in _MP3_RATES, "FLAC": sample_rate <= _HIGHEST_FLAC_RATE}.get(container, True)
    return container in soundfile.available_formats() and has_rate


class AudioWriter:
    """Writes a file piece by piece, in a ``with`` block; a WAV file beyond 4 GiB becomes RF64.

    32-bit floats are written here, since libsndfile puts the time of writing into such files.

    Args:
        target: path of the file, or an open one.
        sample_rate: in Hz.
        num_channels: M.
        num_samples: of each channel, all pieces together.
        format: one of :data:`FORMATS`.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | IO[bytes],
        sample_rate: int,
        num_channels: int,
        num_samples: int,
        format: str,
    ):
        _, container, subtype = FORMATS[format]
        self._missing = num_samples
        self._raw: IO[bytes] | None = None
        self._file: Any = None
        width = {"FLOAT": 4, "PCM_24": 3, "PCM_16": 2}.get(subtype, 0)
        if subtype == "FLOAT":
            self._owned = isinstance(target, str | os.PathLike)
            self._raw = open(target, "wb") if isinstance(target, str | os.PathLike) else target  # noqa: SIM115 - see __exit__
            self._raw.write(_float_header(sample_rate, num_channels, num_samples))
            return
        if container == "WAV" and num_samples * num_channels * width + 1024 > _LARGEST_WAV:
            container = "RF64"
        try:
            place = os.fsencode(target) if isinstance(target, str | os.PathLike) else target
            self._file = soundfile.SoundFile(place, "w", sample_rate, num_channels, subtype, format=container)
        except (RuntimeError, soundfile.LibsndfileError) as error:
            raise OSError(f"cannot be written ({error})") from error

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if self._raw is not None and self._owned:
            self._raw.close()
        if self._file is not None:
            self._file.close()
        if kind is None and self._missing:
            raise ValueError(f"{self._missing} samples were announced and not written")

    def write(self, samples: np.ndarray) -> None:
        """Write the next samples ``[M, n]``, or ``[n]`` of one channel.

        Raises:
            OSError: the file cannot be written.
            DataError: a sample is not finite, which encoders do not survive; 32-bit floats hold any.
        """
        content = np.ascontiguousarray(np.asarray(samples).T)  # of float64, too: integers are rounded once
        if self._raw is not None:
            self._raw.write(content.astype("<f4", copy=False).data)
        else:
            if content.dtype.kind == "f" and not np.isfinite(content).all():
                raise DataError("a sound with samples that are not finite numbers cannot be encoded.")
            try:
                self._file.write(content)
            except (RuntimeError, AssertionError, soundfile.LibsndfileError) as error:
                raise OSError(f"cannot be written ({error or 'the disk may be full'})") from error
        self._missing -= len(content)


def _float_header(sample_rate: int, channels: int, frames: int) -> bytes:
    """Return the header of a WAV file of 32-bit floats."""
    block = 4 * channels
    fmt = struct.pack("<HHIIHHH", 3, channels, sample_rate, sample_rate * block, block, 32, 0)
    fact = struct.pack("<I", min(frames, 0xFFFFFFFF))
    return wav_header({b"fmt ": fmt, b"fact": fact}, frames * block, frames=frames)


def write_audio(path: str | os.PathLike[str], samples: np.ndarray, sample_rate: int, format: str = "float") -> None:
    """Write ``samples [M, T]``, or ``[T]`` of one channel; the file appears whole or not at all.

    Args:
        path: of the file; folders above are made.
        sample_rate: in Hz.
        format: one of :data:`FORMATS`; 32-bit floats by default, since 16 bits clip loud sources and blur quiet ones.

    Raises:
        DataError: it cannot be written.
    """
    samples = np.atleast_2d(samples)
    try:
        with (
            atomic_write(path, durable=False) as temporary,
            AudioWriter(temporary, sample_rate, len(samples), samples.shape[1], format) as writer,
        ):
            writer.write(samples)
    except OSError as error:
        cause = error.strerror or str(error).removeprefix("cannot be written ").strip("()") or type(error).__name__
        raise DataError(f"{path}: cannot be written ({cause}). Is there room, and permission?") from error


def encode_audio(samples: np.ndarray, sample_rate: int, format: str = "float") -> bytes:
    """Return the content of a file that :func:`write_audio` would write."""
    samples = np.atleast_2d(samples)
    stream = io.BytesIO()
    with AudioWriter(stream, sample_rate, len(samples), samples.shape[1], format) as writer:
        writer.write(samples)
    return stream.getvalue()


def data_uri(samples: np.ndarray, sample_rate: int, format: str = "mp3") -> str:
    """Return a sound as a ``data:`` address, for web pages.

    Args:
        samples: ``[M, T]`` or ``[T]``, within -1 to 1.
        sample_rate: in Hz.
        format: ``mp3`` (about 8 kB a second; FLAC where MP3 knows no such rate, or libsndfile no MP3), or ``flac16``.
    """
    known = format != "mp3" or can_encode("mp3", sample_rate)
    content = encode_audio(samples, sample_rate, format if known else "flac16")
    kind = "mpeg" if format == "mp3" and known else "flac"
    return f"data:audio/{kind};base64,{base64.b64encode(content).decode()}"
