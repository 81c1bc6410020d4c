"""One way to read sound: a file of any kind, or a place in a Kaldi archive, whole or by parts, at any sampling rate."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from typing import Any

import numpy as np

from s5lib.audio import archive, ffmpeg
from s5lib.audio.containers import Bytes, Damaged, scan
from s5lib.audio.decoding import ArraySamples, FileSamples, NotDecodable, UnavailableError
from s5lib.audio.layout import ChannelLayout, used_channels
from s5lib.audio.resampling import Resampling
from s5lib.errors import DataError
from s5lib.untrusted import is_real, shown

__all__ = ["AudioInfo", "AudioReader", "check_sample_rate", "open_audio", "probe", "read_audio"]

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
_MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # bytes


@dataclass(frozen=True)
class AudioInfo:
    """Size and kind of a recording."""

    frames: int
    """samples of each channel"""
    sample_rate: int
    """in Hz"""
    channels: int
    format: str = ""
    """of the file, as libsndfile has it: ``WAV``, ``FLAC``, ..."""
    subtype: str = ""
    """of its samples: ``PCM_16``, ``FLOAT``, ..."""

    is_seekable: bool = True
    """whether parts can be read without decoding the whole"""

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.frames / self.sample_rate


def check_sample_rate(sample_rate: int, where: str) -> int:
    """Return ``sample_rate`` as an int.

    Raises:
        DataError: not a number, or out of range: a filter for it would take more memory than there is.
    """
    if not is_real(sample_rate) or not LOWEST_RATE <= sample_rate <= HIGHEST_RATE or int(sample_rate) != sample_rate:
        value = sample_rate.item() if isinstance(sample_rate, np.generic) else sample_rate
        raise DataError(
            f"{where}: the sampling rate is {shown(value)} Hz; expected a whole number from {LOWEST_RATE} to "
            f"{HIGHEST_RATE}."
        )
    return int(sample_rate)


def open_audio(
    entry: str | os.PathLike[str] | io.BytesIO,
    sample_rate: int | None = None,
    layout: ChannelLayout | None = None,
    name: str | None = None,
) -> AudioReader:
    """Open a recording; use the result in a ``with`` block.

    Args:
        entry: a file, ``ARCHIVE.ark:OFFSET`` as in ``wav.scp``, or a file's content.
        sample_rate: in Hz, of what is read; None: that of the recording.
        layout: what becomes of the channels; None: they are read as they are.
        name: of the recording in messages, where ``entry`` is a content.

    Raises:
        UnavailableError: it may be all right: no permission, or a decoder (ffmpeg, kaldiio) is not installed.
        DataError: missing, not a regular file, not decodable, truncated, empty, sampling rate out of range; a command
            (``... |``), which is never run.
    """
    if not isinstance(entry, str | os.PathLike | io.BytesIO):
        raise DataError(f"{shown(entry)} is no recording; expected its path as text.")
    if sample_rate is not None:
        sample_rate = check_sample_rate(sample_rate, "what is read")
    name = name or (os.fspath(entry) if not isinstance(entry, io.BytesIO) else "the recording")
    samples = _samples(entry, name)
    try:
        return AudioReader(samples, name, sample_rate, layout)
    except BaseException:
        samples.close()
        raise


def _samples(entry: Any, name: str) -> FileSamples | ArraySamples:
    if isinstance(entry, io.BytesIO):
        return _open_content(entry, name, None)
    path = os.fspath(entry)
    if archive.is_entry(path):
        return archive.read(path)
    if path.rstrip().endswith("|"):
        raise DataError(
            f"{path!r} is a command, which s5lib does not run from a data directory. Write its output to a file."
        )
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, PermissionError):
            raise UnavailableError(f"{path}: cannot be read ({reason}).") from None
        raise DataError(f"{path}: no such recording ({reason}).") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise DataError(f"{path}: {kind}; expected a recording.")
    try:
        with open(path, "rb") as file:
            return _open_content(file, name, path)
    except FileNotFoundError as error:  # removed since
        raise DataError(f"{path}: no such recording ({error.strerror}).") from error
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read ({error.strerror}).") from error


def _open_content(file: Any, name: str, path: str | None) -> FileSamples | ArraySamples:
    data = Bytes(file)
    if not data.size:
        raise DataError(f"{name}: holds no samples: the file is empty.")
    try:
        found = scan(data)
        try:
            return FileSamples(path if path is not None else file, found, name)
        except NotDecodable as error:
            if path is None:
                raise DataError(f"{name}: not a recording that can be decoded ({error}).") from None
            return ffmpeg.decode(path, str(error))
    except Damaged as error:
        raise DataError(f"{name}: {error}. Copy or fetch it again.") from None


class AudioReader:
    """An open recording; made by :func:`open_audio`.

    Attributes:
        info: of the recording as it is.
        sample_rate: of what is read.
        num_samples: at that rate.
        num_channels: of what is read.
        layout: as it was opened with.
        note: what the layout loses, in words, if anything.
    """

    def __init__(
        self,
        samples: FileSamples | ArraySamples,
        name: str,
        sample_rate: int | None = None,
        layout: ChannelLayout | None = None,
    ):
        self.name, self._samples, self.layout = name, samples, layout
        self.info = AudioInfo(
            samples.frames, samples.sample_rate, samples.channels, samples.format, samples.subtype, samples.is_seekable
        )
        if self.info.frames < 1:
            raise DataError(f"{name}: holds no samples.")
        check_sample_rate(self.info.sample_rate, name)
        try:
            mix, self.note = layout.matrix(self.info.channels) if layout else (None, "")
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        self._used = np.arange(self.info.channels) if mix is None else used_channels(mix)
        self._mix = None if mix is None else mix[:, self._used]
        self._part_energy, self._decoded = np.zeros(len(self._used)), 0
        self._resampling = Resampling(self.info.sample_rate, sample_rate or self.info.sample_rate)
        self.sample_rate = sample_rate or self.info.sample_rate
        self.num_samples = self._resampling.length(self.info.frames)
        self.num_channels = self.info.channels if self._mix is None else len(self._mix)

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._samples.close()

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.info.duration

    @property
    def part_power(self) -> float:
        """Mean power of the loudest channel in the sum that is read as the first, with its weight there.

        A sum far below it shows that channels cancel.  It is of what was read, without a constant; 0 if none are added.
        """
        return float(self._part_energy.max()) / max(1, self._decoded)

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the samples ``[M, stop - start]`` float32; of a resampled recording what the whole has there.

        Args:
            start, stop: at :attr:`sample_rate`; by default all.

        Raises:
            DataError: ``start`` is beyond the end, the file cannot be decoded or ends early, or a sample that the
                layout uses is not finite.
        """
        stop = self.num_samples if stop is None else min(stop, self.num_samples)
        if not 0 <= start < stop:
            raise DataError(f"{self.name}: ends after {self.num_samples} samples; sample {start} was requested.")
        return self._resampling.piece(self._decode, start, stop, self.info.frames)

    def read_into(self, out: np.ndarray) -> None:
        """Fill ``out`` float32, ``[T, M]`` or ``[T]`` for one channel, with all samples of the recording as it is.

        For many recordings read one after the other into the same memory; whether samples are finite is not checked.

        Raises:
            DataError: the file cannot be decoded or ends early.
        """
        self._fill(out, 0)

    def _fill(self, out: np.ndarray, first: int) -> None:
        try:
            count = self._samples.fill(out, first)
        except NotDecodable as error:
            raise DataError(f"{self.name}: cannot be decoded from sample {first} on ({error}).") from error
        if count < len(out):
            raise DataError(
                f"{self.name}: truncated or damaged: {first + count} of its {self.info.frames} samples can be decoded. "
                "Copy or fetch it again."
            )

    def _decode(self, first: int, last: int) -> np.ndarray:
        if 4 * (last - first) * self.info.channels > _MEMORY:  # the system grants more, and kills who uses it
            raise DataError(
                f"{self.name}: {last - first} samples of {self.info.channels} channels do not fit into memory."
            )
        samples = np.empty((last - first, self.info.channels), np.float32)
        self._fill(samples, first)
        if self._mix is not None:
            samples = samples[:, self._used]
        finite = np.isfinite(samples)
        if not finite.all():
            sample, column = np.argwhere(~finite)[0]
            raise DataError(
                f"{self.name}: channel {self._used[column]}, sample {first + sample} is not a finite number; repair or "
                "remove the recording."
            )
        if self._mix is not None:
            if np.count_nonzero(self._mix[0]) > 1:
                self._part_energy += len(samples) * samples.var(0, dtype=np.float64) * self._mix[0] ** 2
                self._decoded += len(samples)
            mixed: np.ndarray = self._mix @ samples.T
            return mixed
        return np.ascontiguousarray(samples.T)


def probe(entry: str | os.PathLike[str]) -> AudioInfo:
    """Return size and kind of a recording; raises what :func:`open_audio` raises."""
    with open_audio(entry) as audio:
        return audio.info


def read_audio(entry: str | os.PathLike[str], start: int = 0, frames: int = -1) -> tuple[np.ndarray, int]:
    """Return ``(samples [M, frames] float32, sample rate)``; ``frames=-1`` reads to the end.

    Raises:
        DataError: as :func:`open_audio` and :meth:`AudioReader.read`.
    """
    with open_audio(entry) as audio:
        return audio.read(start, None if frames < 0 else start + frames), audio.info.sample_rate
