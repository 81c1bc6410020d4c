"""What inference leaves on disk, per recording: ``NAME_I_LABEL.wav`` for each source, and ``NAME.json`` last.

``NAME_remainder.wav``, if it is asked for, is what the sources leave of the recording's reference channel.

The JSON lists the sources with their files, so that nothing has to be guessed from file names; it is written when all
files of the recording are in place.  See :mod:`s5lib.systems.records`.

Formats: ``float``, 32-bit floating point WAV, holds whatever a system gives; ``pcm24`` (WAV) and ``flac`` hold 24 bits
up to full scale.  What is louder would be clipped there, so all sources of such a recording are made softer by one
factor, which keeps their balance; the JSON has it as ``gain``, and :func:`read_sources` takes it off again.  ``mp3``
loses what is hard to hear, for listening alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s5lib.audio import ActivityDetector, AudioWriter, Resampling, can_encode, decibel, open_audio
from s5lib.audio.writing import FORMATS as AUDIO_FORMATS
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.provenance import commit, scratch_folder, stamp_output
from s5lib.systems.records import (
    WRITTEN_BY,
    check_targets,
    file_label,
    file_stem,
    owned_files,
    read_record,
    record_path,
)
from s5lib.systems.source import Source
from s5lib.systems.streaming import Block
from s5lib.version import __version__

__all__ = ["FORMATS", "SourceWriter", "file_label", "read_record", "read_sources", "write_sources"]

FORMATS = ("float", "pcm24", "flac", "mp3")
"""Formats of sources: 32-bit WAV, 24-bit WAV, 24-bit FLAC, MP3."""

_LOUDEST = 1 - 2**-20  # below full scale, so that no rounding reaches it
_BLOCK = 1 << 18  # samples copied at a time


@dataclass
class _Part:
    """A source that is being written."""

    label: str
    probability: float
    detector: ActivityDetector
    path: Path
    peak: float = 0.0
    """of what is written"""


class SourceWriter:
    """Writes the sources of a recording as they come, block by block; used in a ``with`` block.

    What an earlier run has left of this recording is replaced at the very end.  No other file is.

    Args:
        folder: made where it is missing.
        name: of the recording.
        sample_rate: of the sources, in Hz.
        format: one of :data:`FORMATS`.
        written_rate: of the files, in Hz; None: that of the sources.
        written_samples: of each file, where ``written_rate`` is another; by default as many as resampling gives.

    Raises:
        ConfigError: there is no such format.
        DataError: ``name`` cannot be a file name, the format has no such sampling rate, the folder cannot be
            written into, or its file ``NAME.json`` is not one of s5lib.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        sample_rate: int,
        format: str = "float",
        *,
        written_rate: int | None = None,
        written_samples: int | None = None,
    ):
        folder = Path(folder)
        if format not in FORMATS:
            raise ConfigError(f"--format {format!r} is unknown. {nearest(format, FORMATS)}")
        if not name.strip(".") or Path(name).name != name or "\0" in name:
            raise DataError(f"{name!r} cannot be part of a file name: a recording's name has no '/' in it. Rename it.")
        self.folder, self.name, self.sample_rate, self.format = folder, name, sample_rate, format
        self._resampling = Resampling(sample_rate, written_rate or sample_rate)
        self._written_samples = written_samples
        if not can_encode(format, self._resampling.target_rate):
            raise DataError(
                f"{name}: no {format} file can be written at {self._resampling.target_rate} Hz. Choose "
                "--sample_rate model or another --format."
            )
        self._parts: list[_Part] = []
        self._num_samples = 0
        self._held = contextlib.ExitStack()
        with _writing(folder):
            owned_files(record_path(folder, name))
            self._scratch = self._held.enter_context(scratch_folder(folder / file_stem(name)))

    def __enter__(self) -> SourceWriter:
        return self

    def __exit__(self, *error) -> None:
        self._held.close()

    def add(self, block: Block) -> None:
        """Write the next samples.

        Raises:
            DataError: a sample is not finite, or the disk is full.
        """
        for index, source in enumerate(block.sources):
            waveform = np.asarray(source.waveform, np.float32)
            if not np.isfinite(waveform).all():
                raise DataError(
                    f"{self.name}: the system's estimate of {source.label} is not finite at sample "
                    f"{self._num_samples + int(np.argmin(np.isfinite(waveform)))}. Are the recording's samples far "
                    "beyond -1 to 1, or the models' weights damaged?"
                )
            if index == len(self._parts):
                detector = ActivityDetector(self.sample_rate)
                self._parts.append(_Part(source.label, source.probability, detector, self._scratch / f"{index}.raw"))
                for start in range(0, self._num_samples, _BLOCK):  # in blocks: it may have been found after hours
                    self._append(self._parts[index], np.zeros(min(_BLOCK, self._num_samples - start), np.float32))
            self._parts[index].probability = source.probability
            self._append(self._parts[index], waveform)
        self._num_samples += block.num_samples

    def _append(self, part: _Part, waveform: np.ndarray) -> None:
        part.detector.add(waveform)
        with _writing(self.folder), open(part.path, "ab") as stream:
            waveform.tofile(stream)

    def finish(
        self,
        order: Callable[[list], list] = list,
        mixture_energy: float | None = None,
        reference: Callable[[int, int], np.ndarray] | None = None,
        **details: Any,
    ) -> dict[str, Any]:
        """Put the files into place, then the JSON, and return what is in it.

        Args:
            order: gives the sources, of which it sees ``label`` and ``probability``, in the order of their numbers.
            mixture_energy: sum of squares of the mixture's reference channel; gives the sources' level relative to it.
            reference: gives ``[stop - start]`` of that channel at the rate of the files; what the sources leave of it
                is then written, too.
            details: further entries of the JSON.

        Raises:
            DataError: something cannot be written, or a file that s5lib has not written has the name of a source.
        """
        parts = order(self._parts)
        if mixture_energy:
            for part in parts:
                part.detector.compare_with(mixture_energy / self._num_samples)
        rate = self._resampling.target_rate
        size = min(self._resampling.length(self._num_samples), self._written_samples or 2**63)
        ending = AUDIO_FORMATS[self.format][0]
        stem, path = file_stem(self.name), record_path(self.folder, self.name)
        with _writing(self.folder):
            signals = [self._resampled(part, size) for part in parts]
            left = self._remainder(signals, reference, size) if reference is not None else None
            peak = max([part.peak for part in parts] + ([left[1]] if left else []), default=0.0)
            gain = 1.0 if self.format == "float" or peak <= _LOUDEST else _LOUDEST / peak
            files = {f"{stem}_{i}_{file_label(part.label)}.{ending}": signals[i] for i, part in enumerate(parts)}
            entries = [_entry(part, file, mixture_energy) for part, file in zip(parts, files, strict=True)]
            remainder = {}
            if left:
                files[f"{stem}_remainder.{ending}"] = left[0]
                remainder = {"remainder": {"file": f"{stem}_remainder.{ending}", "peak_dbfs": decibel(left[1] ** 2)}}
            for file, signal in files.items():
                with AudioWriter(self._scratch / file, rate, 1, size, self.format) as stream:
                    for start in range(0, size, _BLOCK):
                        samples = _read(signal, start, min(start + _BLOCK, size))
                        stream.write(samples if gain == 1.0 else samples * np.float32(gain))
            record = {
                WRITTEN_BY: f"s5lib {__version__}",
                "name": self.name.encode("utf-8", "backslashreplace").decode(),
                "sample_rate": rate,
                "duration": round(size / rate, 4),
                **details,
                "gain": gain,
                "sources": entries,
                **remainder,
                "files": {file: stamp_output(self._scratch / file) for file in files},
            }
            earlier, written = owned_files(path), record["files"]
            check_targets(self._scratch, self.folder, written, earlier)
            commit(self._scratch, path, record, written, earlier)
        return record

    def _resampled(self, part: _Part, size: int) -> Path:
        """Return the file with the samples of a source as they are to be written, and note its peak."""
        if self._resampling.rate == self._resampling.target_rate:
            part.peak = part.detector.peak
            return part.path
        path = part.path.with_suffix(".resampled")
        with path.open("wb") as stream:
            for start in range(0, size, _BLOCK):
                stop = min(start + _BLOCK, size)
                piece = self._resampling.piece(
                    lambda first, last: _read(part.path, first, last)[None], start, stop, self._num_samples
                )[0]
                part.peak = max(part.peak, float(np.abs(piece).max()))
                piece.tofile(stream)
        return path

    def _remainder(
        self, signals: Sequence[Path], reference: Callable[[int, int], np.ndarray], size: int
    ) -> tuple[Path, float]:
        """Return a file with what those of ``signals`` leave of the reference, and its peak."""
        path, peak = self._scratch / "remainder.raw", 0.0
        with path.open("wb") as stream:
            for start in range(0, size, _BLOCK):
                stop = min(start + _BLOCK, size)
                rest = np.asarray(reference(start, stop), np.float64)
                for signal in signals:
                    rest = rest - _read(signal, start, stop)
                peak = max(peak, float(np.abs(rest).max()))
                rest.astype(np.float32).tofile(stream)
        return path, peak


def _read(path: Path, start: int, stop: int) -> np.ndarray:
    return np.fromfile(path, np.float32, stop - start, offset=4 * start)


def _entry(part: _Part, file: str, mixture_energy: float | None) -> dict[str, Any]:
    entry = {
        "label": part.label,
        "probability": round(part.probability, 6),
        "file": file,
        "active": part.detector.segments(),
        "level_dbfs": decibel(part.detector.active_power()),
        "peak_dbfs": decibel(part.peak**2),
    }
    if mixture_energy is not None:
        entry["level_to_mixture_db"] = decibel(part.detector.energy / mixture_energy) if mixture_energy > 0 else None
    return entry


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the system says about a file into an error that names the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"cannot write into {folder}: {reason}. Is there room? Choose another folder.") from error


def write_sources(
    folder: str | Path, name: str, sources: Sequence[Source], sample_rate: int, format: str = "float", **details: Any
) -> dict[str, Any]:
    """Write the sources of the recording ``name`` into ``folder`` and return the JSON's content.

    ``details`` go into the JSON.  See :class:`SourceWriter`, which writes a long recording without having it whole.
    """
    with SourceWriter(folder, name, sample_rate, format) as writer:
        writer.add(Block(max((len(source.waveform) for source in sources), default=0), list(sources)))
        return writer.finish(**details)


def read_sources(folder: Path, name: str, num_samples: int) -> tuple[list[str], np.ndarray]:
    """Return the labels and waveforms ``[E, T]`` that :func:`write_sources` wrote for the recording ``name``.

    Raises:
        DataError: the recording is missing, or a file is missing, unreadable, of another length or not finite.
    """
    record = read_record(record_path(folder, name))
    entries = record["sources"]
    waveforms = np.zeros((len(entries), num_samples), np.float32)
    for row, entry in zip(waveforms, entries, strict=True):
        path = folder / Path(entry["file"]).name
        try:
            with open_audio(path) as audio:
                shape = (audio.info.channels, audio.info.frames)
                if shape != (1, num_samples):
                    raise DataError(f"{path}: has shape {shape}; expected (1, {num_samples}).")
                row[:] = audio.read()[0]
        except DataError as error:
            raise DataError(f"{error} Run the inference stage again.") from None
        if (gain := record.get("gain", 1.0)) != 1:
            row /= np.float32(gain)
    return [entry["label"] for entry in entries], waveforms
