"""Clips as they lie in ``LABEL/[SOURCE/...]``, and the names that they get in a corpus."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from s5lib.audio import FoundAudio, find_audio_files, is_hidden
from s5lib.untrusted import is_file_name, printable, shown

__all__ = ["Clips", "FoundClip", "find_clips", "label_of", "safe_name"]

LONGEST_LABEL = 80  # bytes: it becomes a part of file names
UNREADABLE = "unreadable"  # as find_audio_files begins this reason


@dataclass(frozen=True)
class FoundClip:
    """One recording of the user's."""

    path: Path
    label: str
    source: str
    """What must not be in two sets: the sub-folder of the label's folder, or the file itself, with its ending."""
    target: str
    """``LABEL/[SOURCE/...]NAME.wav`` in the corpus."""
    shown: str
    """Path below the folder of clips, printable."""


@dataclass
class Clips:
    """The recordings of a folder, and what keeps them from being clips of classes."""

    folder: Path
    clips: list[FoundClip] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        """The labels, sorted."""
        return sorted({clip.label for clip in self.clips})


def find_clips(folder: Path, own_label: bool = False) -> Clips:
    """Return the clips of ``folder``.

    Args:
        folder: of folders named after classes.
        own_label: take recordings directly in ``folder`` for the class of that name.
    """
    clips = Clips(folder)
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not is_hidden(entry.name))
    except OSError as error:
        clips.problems.append(f"{folder}: {error.strerror}. Expected a folder of folders named after classes.")
        return clips
    found = find_audio_files(folder)
    _note_skipped(clips, found)
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in found.files:
        parts = path.relative_to(folder).parts
        groups[parts[0] if len(parts) > 1 else ""].append(path)
    loose = groups.pop("", [])
    roots = {name: folder / name for name in groups}
    own = os.path.basename(os.path.abspath(folder))  # "." has no name
    if loose and own_label and own not in groups:
        groups[own], roots[own] = loose, folder
    elif loose:
        clips.problems.append(
            f"recordings lie directly in {folder}, {len(loose)} of them, such as {shown(loose[0].name)}: move each "
            "into a folder named after its class."
        )
    for name in sorted(set(entries) - set(groups)):
        if not any(name in path.relative_to(folder).parts[:1] for path in found.skipped.get(_denied(found), [])):
            clips.problems.append(_nothing_in(folder, name))
    for name, label in _labels(clips, sorted(groups)).items():
        clips.clips += _clips_of(label, roots[name], groups[name], folder)
    return clips


def _nothing_in(folder: Path, name: str) -> str:
    """Return what is wrong with a class's folder in which no recording was found."""
    target = (folder / name).resolve()
    if (folder / name).is_symlink() and target.is_relative_to(folder.resolve()):
        other = target.relative_to(folder.resolve()).as_posix()
        return f"{shown(name)}: a link to {shown(other)}, whose clips already have a class. Remove it."
    return f"{shown(name)}: no recordings in this folder. Add some, or remove it."


def _denied(found: FoundAudio) -> str:
    return next((reason for reason in found.skipped if reason.startswith(UNREADABLE)), "")


def _note_skipped(clips: Clips, found: FoundAudio) -> None:
    for reason, paths in sorted(found.skipped.items()):
        names = ", ".join(shown(os.fspath(path.relative_to(clips.folder))) for path in paths[:3])
        names += f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        if reason.startswith(UNREADABLE):
            clips.problems.append(f"{names}: {reason}. Make them readable (chmod -R u+rX), or remove them.")
        elif reason != "hidden or trash":
            clips.notes.append(f"skipped, {reason}: {names}")


def label_of(name: str) -> str:
    """Return a folder's label: composed, as macOS decomposes, and without white space, not held by data directories."""
    return unicodedata.normalize("NFC", "_".join(name.split()))


def _labels(clips: Clips, names: list[str]) -> dict[str, str]:
    """Return the label of each folder whose name can be one."""
    labels: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in names:
        label = label_of(name)
        encoded = label.encode("utf-8", "surrogateescape")
        if not is_file_name(label) or printable(label, keep="") != label or set(label) & set(",\\"):
            clips.problems.append(
                f"{shown(name)} cannot be a label: control characters, ',', '\\' or not UTF-8. Rename it."
            )
        elif len(encoded) > LONGEST_LABEL:
            clips.problems.append(
                f"{shown(name)}: too long for a label, {len(encoded)} of {LONGEST_LABEL} bytes. Rename it."
            )
        elif (other := taken.get(label.casefold())) is not None:
            clips.problems.append(
                f"{shown(other)} and {shown(name)} are the same label. Merge the folders, or rename one."
            )
        else:
            labels[name], taken[label.casefold()] = label, name
            if label != name:
                clips.notes.append(f"the folder {shown(name)} is the class {label}")
    return labels


def _clips_of(label: str, root: Path, paths: list[Path], folder: Path) -> list[FoundClip]:
    targets: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        targets["/".join(map(safe_name, path.relative_to(root).with_suffix("").parts)).casefold()].append(path)
    result = []
    for same in targets.values():
        for path in same:  # take.wav and take.flac keep their endings
            parts = path.relative_to(root).parts
            name = [safe_name(part) for part in parts[:-1]] + [safe_name(parts[-1] if len(same) > 1 else path.stem)]
            source = safe_name(parts[0])  # whatever lies beside it, or new files would move old ones to other sets
            relative = printable(os.fspath(path.relative_to(folder)), keep="")
            result.append(FoundClip(path, label, source, f"{label}/{'/'.join(name)}.wav", relative))
    return sorted(result, key=lambda clip: clip.path)


def safe_name(name: str) -> str:
    r"""Return ``name``, or a like one that any file system, JSON and scene metadata can hold.

    >>> safe_name("take 1"), safe_name(".take")
    ('take 1', 'take_9e0deb19')
    """
    clean = printable(name, keep="").replace("\\", "_").lstrip(".")
    if clean == name and name not in ("", "dev_set") and len(name.encode()) <= 100:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return f"{clean.encode()[:90].decode('utf-8', 'ignore')}_{digest}"
