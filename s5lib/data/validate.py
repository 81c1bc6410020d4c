"""Checking a data directory to the last file, and mending what can be mended without guessing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from s5lib.audio import AudioInfo, UnavailableError, open_audio
from s5lib.data.directory import DataDirectory, Recording, refuse_segments, source_slots
from s5lib.data.paths import resolve_path
from s5lib.data.tables import c_order, line_problem, read_lines, split_labels
from s5lib.errors import DataError

__all__ = ["Finding", "fix_data_directory", "validate_data_directory"]

_BLOCK = 1 << 20  # samples decoded at a time


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, said in a sentence with file and ID."""

    id: str
    message: str


def validate_data_directory(
    path: str | os.PathLike[str],
    classes: Iterable[str] | None = None,
    decode: bool = True,
    progress: Callable[..., Iterable[Recording]] | None = None,
) -> list[Finding]:
    """Check every recording of a data directory.

    Args:
        path: the folder.
        classes: the class labels, where they are to be checked.
        decode: read all samples, which finds damaged files and numbers that are not finite; else headers only.
        progress: called as ``progress(iterable, total=n)``; ``tqdm``, for one.

    Returns:
        What is wrong with single recordings; empty if nothing.

    Raises:
        DataError: the tables themselves are wrong.
    """
    directory = DataDirectory.read(path)
    known = None if classes is None else set(classes)
    findings: list[Finding] = []
    first: tuple[str, int, int] | None = None
    rows = progress(directory, total=len(directory)) if progress else directory
    for recording in rows:
        try:
            info = _check_recording(recording, decode)
            unknown = [label for label in recording.labels or () if known is not None and label not in known]
            if unknown:
                raise DataError(f"{directory.path / 'labels'}: ID {recording.id!r}: unknown label {unknown[0]!r}.")
            first = first or (recording.id, info.sample_rate, info.channels)
            if (info.sample_rate, info.channels) != first[1:]:
                raise DataError(
                    f"{recording.mixture}: {info.sample_rate} Hz, {info.channels} channels; {first[0]!r} has "
                    f"{first[1]} Hz, {first[2]} channels. All mixtures of a set need the same."
                )
        except DataError as error:
            findings.append(Finding(recording.id, f"{recording.id}: {error}"))
    return findings


def _check_recording(recording: Recording, decode: bool) -> AudioInfo:
    info = _check_file(recording.mixture, decode)
    if recording.num_samples not in (None, info.frames):
        raise DataError(
            f"utt2num_samples says {recording.num_samples} samples, but {recording.mixture} has {info.frames}."
        )
    for path in recording.sources:
        source = _check_file(path, decode)
        if (source.frames, source.sample_rate, source.channels) != (info.frames, info.sample_rate, 1):
            raise DataError(
                f"{path}: {source.frames} samples, {source.sample_rate} Hz, {source.channels} channels; expected "
                f"{info.frames}, {info.sample_rate}, 1 as a reference of {recording.mixture}."
            )
    return info


def _check_file(entry: str, decode: bool) -> AudioInfo:
    with open_audio(entry) as audio:
        for start in range(0, audio.num_samples, _BLOCK) if decode else ():
            audio.read(start, start + _BLOCK)
        return audio.info


def fix_data_directory(path: str | os.PathLike[str], classes: Iterable[str] | None = None) -> list[str]:
    """Mend a data directory: sort, drop repeated lines and lines without a value, drop recordings that are not usable.

    IDs that are not in every file are dropped, ``utt2num_samples`` is written from the recordings.  The files as
    they were are kept in ``.backup`` below the folder, those of a second time in ``.backup.2``, and so on.

    Returns:
        What was changed, a sentence each; empty if nothing.

    Raises:
        DataError: one ID has two different values, there are references without ``labels``, nothing usable would be
            left, or a recording may be all right but cannot be read here and now; nothing was changed.
    """
    path = Path(path)
    if not (path / "wav.scp").is_file():
        raise DataError(f"{path}: no wav.scp; there is nothing to fix.")
    refuse_segments(path)
    changes: list[str] = []
    slots = source_slots(path)
    tables = {
        name: _lenient(path / name, name == "labels", changes)
        for name in ("wav.scp", "labels", *(f"src{slot}.scp" for slot in slots))
        if os.path.lexists(path / name)
    }
    if "labels" not in tables and any(tables[f"src{slot}.scp"] for slot in slots):  # lost; the recordings are all right
        raise DataError(
            f"{path}: src{slots[0]}.scp is there without 'labels'; nothing was changed. Restore 'labels', or remove "
            "srcN.scp if the labels are not known."
        )
    recordings = []
    for key, wav in sorted(tables["wav.scp"].items()):
        labels = split_labels(tables["labels"][key]) if key in tables.get("labels", {}) else None
        given = [slot for slot in slots if key in tables[f"src{slot}.scp"]]
        expected = list(range(1, len(labels or ()) + 1)) if slots else []
        if "labels" in tables and labels is None:
            changes.append(f"dropped {key!r}: not in labels")
        elif given != expected:
            changes.append(f"dropped {key!r}: {len(labels or ())} labels, but references {given}")
        else:
            sources = tuple(tables[f"src{slot}.scp"][key] for slot in given)
            recordings.append(Recording(key, wav, labels, sources))
    for name, table in tables.items():
        for key in sorted(set(table) - set(tables["wav.scp"])):
            changes.append(f"{name}: dropped {key!r}, which is not in wav.scp")
    usable = []
    for recording in recordings:
        try:
            usable.append(replace(recording, num_samples=_check_recording(_resolved(recording, path), True).frames))
        except UnavailableError as error:
            raise DataError(f"{path}: nothing was changed, because {recording.id!r} may be intact: {error}") from None
        except DataError as error:
            changes.append(f"dropped {recording.id!r}: {error}")
    if not usable:
        raise DataError(f"{path}: no usable recording would be left; nothing was changed. " + "; ".join(changes[:3]))
    found = path / "utt2num_samples"
    lengths = _lenient(found, False, changes) if os.path.lexists(found) else {}
    if lengths != {recording.id: str(recording.num_samples) for recording in usable}:
        changes.append("utt2num_samples: written from the recordings")
    if changes:
        _back_up(path)
        DataDirectory.write(path, usable, num_sources=max(slots, default=1), portable=False)
    for finding in validate_data_directory(path, classes, decode=False):
        raise DataError(f"{finding.message} Fix it by hand.")
    return changes


def _resolved(recording: Recording, folder: Path) -> Recording:
    mixture, *sources = (resolve_path(entry, folder) for entry in (recording.mixture, *recording.sources))
    return replace(recording, mixture=mixture, sources=tuple(sources))


def _lenient(path: Path, empty_values: bool, changes: list[str]) -> dict[str, str]:
    """Read a table whose lines may be unsorted, repeated or without a value; the latter two are dropped."""
    table: dict[str, str] = {}
    for number, key, value in read_lines(path):
        problem = line_problem(key, value, empty_values)
        if problem:
            changes.append(f"{path.name}:{number}: dropped: {problem}")
        elif table.get(key, value) != value:
            raise DataError(f"{path}:{number}: ID {key!r} with another value than before; keep the right one.")
        elif key in table:
            changes.append(f"{path.name}:{number}: dropped: ID {key!r} a second time")
        else:
            table[key] = value
    if list(table) != sorted(table, key=c_order):
        changes.append(f"{path.name}: sorted")
    return table


def _back_up(path: Path) -> None:
    number = 1
    while True:
        backup = path / (".backup" if number == 1 else f".backup.{number}")
        try:
            backup.mkdir()
            break
        except FileExistsError:
            number += 1
    for file in path.iterdir():
        if file.is_file():
            shutil.copy2(file, backup / file.name)
