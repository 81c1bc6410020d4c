"""Data directories as ESPnet and Kaldi users know them.

::

    wav.scp           ID PATH                     the mixtures
    labels            ID [LABEL LABEL ...]        nothing after the ID: no target.  Not there: nobody knows
    src1.scp ...      ID PATH                     dry references in the labels' order; only IDs that have so many
    utt2num_samples   ID NUMBER                   length of the mixture

One line an ID, sorted in C order (by bytes), the same IDs in every file but ``srcN.scp``.  A PATH is what
:func:`s5lib.audio.open_audio` opens; a relative one counts from the current folder, as there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from s5lib.data.tables import read_table, write_table
from s5lib.errors import DataError

__all__ = ["DataDirectory", "Recording"]

SOURCE_FILE = re.compile(r"src([1-9][0-9]*)\.scp")


@dataclass(frozen=True)
class Recording:
    """One line of a data directory."""

    id: str
    mixture: str
    """Path of the mixture."""
    labels: tuple[str, ...] | None = None
    """Of the targets; None where they are not known."""
    sources: tuple[str, ...] = ()
    """Paths of the dry references in the order of ``labels``; empty where there are none."""
    num_samples: int | None = None


@dataclass(frozen=True)
class DataDirectory:
    """A data directory that was read and found consistent; the recordings themselves are not opened."""

    path: Path
    recordings: tuple[Recording, ...]

    @property
    def has_sources(self) -> bool:
        """Whether there are dry references."""
        return any(recording.sources for recording in self.recordings)

    @classmethod
    def read(cls, path: str | os.PathLike) -> DataDirectory:
        """Read a data directory.

        Raises:
            DataError: a file is missing or a line is wrong, with file, line and ID.
        """
        path = Path(path)
        if not (path / "wav.scp").is_file():
            found = "it has no wav.scp" if path.is_dir() else "no such folder"
            raise DataError(f"{path}: not a data directory, {found}.")
        wavs = read_table(path / "wav.scp")
        if not wavs:
            raise DataError(f"{path / 'wav.scp'}: empty; expected lines 'ID PATH'.")
        labels = _read_beside(path / "labels", wavs, empty_values=True)
        lengths = _read_beside(path / "utt2num_samples", wavs)
        for key, value in (lengths or {}).items():
            if not value.isdecimal() or int(value) == 0:
                raise DataError(f"{path / 'utt2num_samples'}: ID {key!r}: {value!r} is not a number of samples.")
        sources = _read_sources(path, labels)
        recordings = (
            Recording(
                id=key,
                mixture=wav,
                labels=None if labels is None else tuple(labels[key].split()),
                sources=tuple(table[key] for table in sources if key in table),
                num_samples=None if lengths is None else int(lengths[key]),
            )
            for key, wav in wavs.items()
        )
        return cls(path, tuple(recordings))

    def __len__(self) -> int:
        return len(self.recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.recordings)

    @classmethod
    def write(cls, path: str | os.PathLike, recordings: Iterable[Recording], num_sources: int = 3) -> DataDirectory:
        """Write a data directory and return it, read again.

        ``src1.scp`` to ``srcN.scp`` are written for ``num_sources`` N or as many as any recording has, unless no
        recording with labels has references.

        Raises:
            DataError: no recordings, an ID twice, white space in an ID or a label, references that do not fit.
        """
        path = Path(path)
        recordings = sorted(recordings, key=lambda recording: recording.id)
        if not recordings:
            raise DataError(f"{path}: no recordings to write.")
        files: dict[str, dict[str, str]] = {"wav.scp": {}, "labels": {}, "utt2num_samples": {}}
        slots = max(num_sources, *(len(recording.sources) for recording in recordings))
        for slot in range(1, slots + 1):
            files[f"src{slot}.scp"] = {}
        for recording in recordings:
            _check(recording, path, files["wav.scp"])
            files["wav.scp"][recording.id] = recording.mixture
            if recording.labels is not None:
                files["labels"][recording.id] = " ".join(recording.labels)
            if recording.num_samples is not None:
                files["utt2num_samples"][recording.id] = str(recording.num_samples)
            for slot, source in enumerate(recording.sources, 1):
                files[f"src{slot}.scp"][recording.id] = source
        path.mkdir(parents=True, exist_ok=True)
        referenced = any(recording.sources for recording in recordings)
        for name in os.listdir(path):
            if SOURCE_FILE.fullmatch(name) and (name not in files or not referenced):
                (path / name).unlink()  # of an earlier set; it would contradict the new labels
        for name, table in files.items():
            wanted = referenced if SOURCE_FILE.fullmatch(name) else bool(table)
            if wanted:
                write_table(path / name, table)
            else:
                (path / name).unlink(missing_ok=True)
        return cls.read(path)


def _read_beside(path: Path, wavs: dict[str, str], empty_values: bool = False) -> dict[str, str] | None:
    """Read a table that must have the IDs of ``wav.scp``; None where the file is not there."""
    if not path.is_file():
        return None
    table = read_table(path, empty_values)
    only_here, only_wav = sorted(set(table) - set(wavs)), sorted(set(wavs) - set(table))
    if only_here:
        raise DataError(f"{path}: ID {only_here[0]!r} is not in wav.scp ({len(only_here)} such).")
    if only_wav:
        raise DataError(f"{path}: ID {only_wav[0]!r} of wav.scp is missing ({len(only_wav)} such).")
    return table


def source_slots(path: Path) -> list[int]:
    """Return the numbers N of the files ``srcN.scp`` in a folder, sorted."""
    return sorted(int(match[1]) for name in os.listdir(path) if (match := SOURCE_FILE.fullmatch(name)))


def _read_sources(path: Path, labels: dict[str, str] | None) -> list[dict[str, str]]:
    """Return the tables of ``src1.scp``, ``src2.scp``, ...; each has exactly the IDs with so many labels."""
    slots = source_slots(path)
    if not slots:
        return []
    if labels is None:
        raise DataError(f"{path}: src{slots[0]}.scp without a file 'labels'.")
    tables = []
    for slot in range(1, max(slots[-1], *(len(value.split()) for value in labels.values())) + 1):
        file = path / f"src{slot}.scp"
        table = read_table(file) if file.is_file() else {}
        needed = {key for key, value in labels.items() if len(value.split()) >= slot}
        for key in sorted(set(table) ^ needed):
            told = f"has {len(labels[key].split())} labels" if key in labels else "is not in wav.scp"
            found = "a reference" if key in table else "no reference"
            raise DataError(f"{file}: ID {key!r} {told}, but {found} number {slot}.")
        tables.append(table)
    return tables


def _check(recording: Recording, path: Path, written: dict[str, str]) -> None:
    for kind, names in (("ID", (recording.id,)), ("label", recording.labels or ())):
        for name in names:
            if not name or name.split() != [name]:
                raise DataError(f"{path}: {kind} {name!r} is empty or has white space, which lines cannot hold.")
    if recording.id in written:
        raise DataError(f"{path}: ID {recording.id!r} twice.")
    if recording.sources and len(recording.sources) != len(recording.labels or ()):
        raise DataError(
            f"{path}: ID {recording.id!r} has {len(recording.labels or ())} labels, but {len(recording.sources)} "
            "references."
        )
