"""Samples from libsndfile, whatever it takes to have it decode all of a file and to find any sample again."""

from __future__ import annotations

import errno
import io
import itertools
import os
import shutil
import tempfile
from typing import Any

import numpy as np
import soundfile

from s5lib.audio.containers import Part, Scan
from s5lib.errors import DataError

__all__ = ["ArraySamples", "FileSamples", "NotDecodable", "UnavailableError"]


class NotDecodable(ValueError):
    """libsndfile does not know the format, or finds nothing in it; the message is libsndfile's."""


class UnavailableError(DataError):
    """A recording may be all right, but cannot be read here and now: a program is missing, or the system refuses."""


class ArraySamples:
    """Decoded samples ``[T, M]``, in memory or mapped from a file."""

    format, subtype, is_seekable = "", "", False

    def __init__(self, array: np.ndarray, sample_rate: int):
        self._array, self.sample_rate = array, sample_rate
        self.frames, self.channels = array.shape

    def fill(self, out: np.ndarray, first: int) -> int:
        """Copy samples from ``first`` on into ``out [n, M]`` or ``[n]``; return how many there were."""
        samples = self._array[first : first + len(out)]
        out[: len(samples)] = samples.reshape(len(samples), *out.shape[1:])
        return len(samples)

    def close(self) -> None:
        """Let go of the memory."""
        self._array = self._array[:0]


class FileSamples:
    """The samples of a file, or of several that follow each other within one.

    Args:
        source: a path, or an open file with the content.
        found: what its structure says.
        name: for messages.

    Raises:
        NotDecodable: libsndfile cannot open it.
        DataError: the parts of a chain differ in rate or channels.
    """

    def __init__(self, source: Any, found: Scan, name: str):
        self._name, self._exact_seek, self.is_seekable = name, found.exact_seek, found.exact_seek
        self._views: list[_View] = []
        self._spooled: ArraySamples | None = None
        self._files: list[soundfile.SoundFile] = []
        try:
            self._open(source, found)
        except BaseException:
            self.close()
            raise
        first = self._files[0]
        if not first.seekable():  # some kinds of ADPCM
            self._exact_seek = self.is_seekable = False
        self.sample_rate, self.channels = first.samplerate, first.channels
        self.format, self.subtype = first.format, first.subtype
        lengths = [file.frames for file in self._files]
        # what decoders cut off the beginning of an MP3 with an Info frame: the silence put there, and no more
        self._skip = lengths[0] - found.frames if found.frames and not found.exact_seek else 0
        lengths[0] -= self._skip
        self._starts = [0, *itertools.accumulate(lengths)]
        self.frames = self._starts[-1]

    def _open(self, source: Any, found: Scan) -> None:
        if found.is_ordinary:
            try:
                self._open_part(source, None)
            except NotDecodable:
                pass
            else:
                if found.frames in (None, self._files[0].frames):
                    return
                self._files.pop().close()
        for part in found.parts or (None,):
            self._open_part(source, part)
        kinds = {(file.samplerate, file.channels) for file in self._files}
        if len(kinds) > 1:
            parts = ", ".join(f"{rate} Hz with {channels} channels" for rate, channels in sorted(kinds))
            raise DataError(f"{self._name}: a chain of recordings of different kinds ({parts}); split or convert it.")

    def _open_part(self, source: Any, part: Part | None) -> None:
        if part is None and not isinstance(source, io.BytesIO):
            self._files.append(_sound_file(os.fsencode(source)))
        else:
            self._views.append(_View(source, part))
            self._files.append(_sound_file(self._views[-1]))

    def fill(self, out: np.ndarray, first: int) -> int:
        """Decode samples from ``first`` on into ``out [n, M]``, or ``[n]`` of one channel; return how many there were.

        Raises:
            NotDecodable: libsndfile gives up.
            UnavailableError: the disk has no room for the decoded samples of a file that cannot be read by parts.
        """
        if not self._exact_seek and (first or len(out) < self.frames or self._spooled or not self._files[0].seekable()):
            return self._spool().fill(out, first)
        return self._decode(out, first)

    def _decode(self, out: np.ndarray, first: int) -> int:
        count = 0
        for index, file in enumerate(self._files):
            begin, end = self._starts[index : index + 2]
            wanted = min(first + len(out), end) - (first + count)
            if wanted <= 0 or not begin <= first + count < end:
                continue
            place = first + count - begin + (self._skip if index == 0 else 0)
            try:
                if file.seekable() and file.tell() != place:
                    file.seek(place)
                got = len(file.read(out=out[count : count + wanted]))
            except (RuntimeError, soundfile.LibsndfileError) as error:
                raise NotDecodable(_reason(error)) from error
            count += got
            if got < wanted:
                break
        return count

    def _spool(self) -> ArraySamples:
        """Decode all at once into a temporary file, for a format in which libsndfile only finds roughly the place."""
        if self._spooled is None:
            size = self.frames * self.channels * 4
            try:
                if size > shutil.disk_usage(tempfile.gettempdir()).free:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                with tempfile.TemporaryFile(prefix="s5lib-") as file:
                    os.posix_fallocate(file.fileno(), 0, size)  # a full disk shows here, not as a killed process
                    whole = np.memmap(file, np.float32, "w+", shape=(self.frames, self.channels))
            except OSError as error:
                raise UnavailableError(
                    f"{self._name}: its {self.frames} decoded samples do not fit into {tempfile.gettempdir()} "
                    f"({error.strerror}). Make room, or set TMPDIR to another folder."
                ) from error
            count = self._decode(whole, 0)
            self._spooled = ArraySamples(whole[:count], self.sample_rate)
        return self._spooled

    def close(self) -> None:
        """Close all files."""
        for file in (*self._files, *self._views):
            file.close()
        self._spooled = None


def _sound_file(source: Any) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(source)
    except (RuntimeError, TypeError, soundfile.LibsndfileError) as error:  # TypeError: headerless, by the name .raw
        raise NotDecodable(_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(error).rpartition(": ")[2].rstrip(".")


class _View:
    """A part of a file under another header, as the file object that soundfile asks for."""

    def __init__(self, source: Any, part: Part | None):
        self._file: Any = source if isinstance(source, io.BytesIO) else open(source, "rb")  # noqa: SIM115 - see close
        self._owned = self._file is not source
        if part is None:
            part = Part(b"", 0, self._file.seek(0, 2))
        self._header, self._start = part.header, part.start
        self._size = len(part.header) + part.stop - part.start
        self._place = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        memory = memoryview(buffer).cast("B")
        memory = memory[: max(0, self._size - self._place)]
        if self._place < len(self._header):
            memory = memory[: len(self._header) - self._place]
            memory[:] = self._header[self._place : self._place + len(memory)]
            count = len(memory)
        else:
            try:
                self._file.seek(self._start + self._place - len(self._header))
                count = self._file.readinto(memory)
            except OSError:  # libsndfile finds fewer samples, which the reader reports
                count = 0
        self._place += count
        return count

    def close(self) -> None:
        if self._owned:
            self._file.close()
