"""Data directories as ESPnet and Kaldi users know them.

::

    wav.scp           ID PATH                     the mixtures
    labels            ID [LABEL LABEL ...]        nothing after the ID: no target.  No such file: unknown
    src1.scp ...      ID PATH                     dry references in the labels' order; only IDs that have so many
    utt2num_samples   ID NUMBER                   length of the mixture

One line an ID, sorted in C order (by bytes), the same IDs in every file but ``srcN.scp``.  A PATH is what
:func:`s5lib.audio.open_audio` opens; a relative one counts from the current folder, as there, or from this one.

Kaldi's ``segments``, parts of recordings, are refused: cut the recordings first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from s5lib.audio import by_stem, find_audio_files
from s5lib.data.paths import portable_path, resolve_path
from s5lib.data.tables import c_order, line_problem, read_table, split_labels, write_table
from s5lib.errors import DataError, nearest
from s5lib.untrusted import shown

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

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> DataDirectory:
        """Read a data directory.

        Raises:
            DataError: a file is missing or a line is wrong, with file, line and ID.
        """
        path = Path(path)
        if not (path / "wav.scp").is_file():
            found = "it has no wav.scp" if path.is_dir() else "no such folder"
            raise DataError(f"{path}: not a data directory, {found}.")
        refuse_segments(path)
        wavs = read_table(path / "wav.scp")
        if not wavs:
            raise DataError(f"{path / 'wav.scp'}: empty; expected lines 'ID PATH'.")
        labels = _read_beside(path / "labels", wavs, empty_values=True)
        lengths = _read_beside(path / "utt2num_samples", wavs)
        for key, value in (lengths or {}).items():
            if not re.fullmatch(r"0{0,9}[1-9][0-9]{0,17}", value):
                place = f"{path / 'utt2num_samples'}: ID {shown(key)}"
                raise DataError(f"{place}: {shown(value)} is not a number of samples.")
        sources = _read_sources(path, labels)
        recordings = (
            Recording(
                id=key,
                mixture=resolve_path(wav, path),
                labels=None if labels is None else split_labels(labels[key]),
                sources=tuple(resolve_path(table[key], path) for table in sources if key in table),
                num_samples=None if lengths is None else int(lengths[key]),
            )
            for key, wav in wavs.items()
        )
        return cls(path, tuple(recordings))

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> DataDirectory:
        """Read a data directory, or a folder of recordings as one without labels; the IDs are the files' names.

        Raises:
            DataError: there are no recordings, two differ by their endings alone, or as :meth:`read`.
        """
        folder = Path(folder)
        if (folder / "wav.scp").is_file():
            return cls.read(folder)
        files = find_audio_files(folder, recursive=False).files if folder.is_dir() else []
        if not files:
            found = "there is no such folder" if not folder.is_dir() else "it has no wav.scp"
            raise DataError(f"{folder} is neither a data directory ({found}) nor a folder with recordings.")
        return cls(folder, tuple(Recording(name, str(path)) for name, path in sorted(by_stem(files).items())))

    def check_labels(self, known: Collection[str]) -> None:
        """Raise DataError where a recording has a label that models, whose labels are ``known``, do not have."""
        foreign = {label for recording in self for label in recording.labels or ()} - set(known)
        if foreign:
            first = min(foreign)
            count = sum(not foreign.isdisjoint(recording.labels or ()) for recording in self)
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise DataError(
                f"{self.path}: {count} of {len(self)} recordings have labels that the models do not know: {first!r}"
                f"{more}. {nearest(first, known)} Use data with the models' labels, or models with the data's."
            )

    def __len__(self) -> int:
        return len(self.recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.recordings)

    @classmethod
    def write(
        cls, path: str | os.PathLike[str], recordings: Iterable[Recording], num_sources: int = 3, portable: bool = True
    ) -> DataDirectory:
        """Write a data directory and return it, read again.

        ``src1.scp`` to ``srcN.scp`` are written for ``num_sources`` N or as many as any recording has, unless no
        recording with labels has references.

        Args:
            path: the folder.
            recordings: in any order.
            num_sources: N.
            portable: write paths as :func:`s5lib.data.paths.portable_path` has them; else as they are.

        Raises:
            DataError: no recordings, an ID twice, white space in an ID or a label, references that do not fit.
        """
        path = Path(path)
        recordings = sorted(recordings, key=lambda recording: c_order(recording.id))
        if not recordings:
            raise DataError(f"{path}: no recordings to write.")
        files: dict[str, dict[str, str]] = {"wav.scp": {}, "labels": {}, "utt2num_samples": {}}
        slots = max(num_sources, *(len(recording.sources) for recording in recordings))
        for slot in range(1, slots + 1):
            files[f"src{slot}.scp"] = {}
        for recording in recordings:
            _check(recording, path, files["wav.scp"])
            files["wav.scp"][recording.id] = portable_path(recording.mixture, path) if portable else recording.mixture
            if recording.labels is not None:
                files["labels"][recording.id] = " ".join(recording.labels)
            if recording.num_samples is not None:
                files["utt2num_samples"][recording.id] = str(recording.num_samples)
            for slot, source in enumerate(recording.sources, 1):
                files[f"src{slot}.scp"][recording.id] = portable_path(source, path) if portable else source
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
    if not os.path.lexists(path):
        return None
    table = read_table(path, empty_values)
    only_here, only_wav = sorted(set(table) - set(wavs)), sorted(set(wavs) - set(table))
    if only_here:
        raise DataError(f"{path}: ID {only_here[0]!r} is not in wav.scp ({len(only_here)} such).")
    if only_wav:
        raise DataError(f"{path}: ID {only_wav[0]!r} of wav.scp is missing ({len(only_wav)} such).")
    return table


def refuse_segments(path: Path) -> None:
    """Raise DataError where there is Kaldi's file ``segments``: ``wav.scp`` does not name what its IDs stand for."""
    if os.path.lexists(path / "segments"):
        raise DataError(
            f"{path / 'segments'}: parts of recordings are not supported. Cut the recordings, as ESPnet's "
            "scripts/audio/format_wav_scp.sh --segments does, then remove this file."
        )


def source_slots(path: Path) -> list[int]:
    """Return the numbers N of the files ``srcN.scp`` in a folder, which are 1, 2, ...

    Raises:
        DataError: one is missing.
    """
    slots = {int(match[1]) for name in os.listdir(path) if (match := SOURCE_FILE.fullmatch(name))}
    missing = min(set(range(1, len(slots) + 1)) - slots, default=None)
    if missing is not None:
        raise DataError(f"{path}: src{max(slots)}.scp without src{missing}.scp; expected src1.scp, src2.scp, ...")
    return sorted(slots)


def _read_sources(path: Path, labels: dict[str, str] | None) -> list[dict[str, str]]:
    """Return the tables of ``src1.scp``, ``src2.scp``, ...; each has exactly the IDs with so many labels."""
    slots = source_slots(path)
    if not slots:
        return []
    if labels is None:
        raise DataError(f"{path}: src{slots[0]}.scp without a file 'labels'.")
    tables = []
    counts = {key: len(split_labels(value)) for key, value in labels.items()}
    for slot in range(1, max(slots[-1], *counts.values()) + 1):
        file = path / f"src{slot}.scp"
        table = read_table(file) if slot <= slots[-1] else {}
        needed = {key for key, count in counts.items() if count >= slot}
        for key in sorted(set(table) ^ needed):
            has = f"has {counts[key]} labels" if key in counts else "is not in wav.scp"
            found = "a reference" if key in table else "no reference"
            raise DataError(f"{file}: ID {key!r} {has}, but {found} number {slot}.")
        tables.append(table)
    return tables


def _check(recording: Recording, path: Path, written: dict[str, str]) -> None:
    for kind, names in (("ID", (recording.id,)), ("label", recording.labels or ())):
        for name in names:
            if line_problem(name, "", empty_values=True):
                raise DataError(
                    f"{path}: {kind} {name!r} of {recording.mixture} is empty or has white space, which lines cannot "
                    "hold. Rename it."
                )
    for name in (recording.mixture, *recording.sources):
        if problem := line_problem(recording.id, name):
            raise DataError(f"{path}: {problem}.")
    if recording.id in written:
        raise DataError(f"{path}: ID {recording.id!r} twice.")
    if recording.sources and len(recording.sources) != len(recording.labels or ()):
        raise DataError(
            f"{path}: ID {recording.id!r} has {len(recording.labels or ())} labels, but {len(recording.sources)} "
            "references."
        )
