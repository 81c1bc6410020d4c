"""Recordings in folders as people have them: with links, loops, hidden files of memory cards, and trash."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from s5lib.errors import DataError

__all__ = ["SUFFIXES", "FoundAudio", "by_stem", "find_audio_files", "is_hidden"]

_LIBSNDFILE = (
    ".wav .wave .wavex .bwf .rf64 .bw64 .w64 .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .au .snd .caf .voc .nist "
    ".sph .sf .ircam .avr .paf .pvf .sds .svx .8svx .wve .xi .htk"
)
_FFMPEG = (
    ".m4a .m4b .mp4 .aac .wma .asf .webm .mka .mkv .mov .3gp .3ga .ac3 .eac3 .amr .ape .wv .tta .tak .spx .mpc .dsf"
)
SUFFIXES = frozenset(f"{_LIBSNDFILE} {_FFMPEG}".split())
"""Endings of the names of recordings, in lower case."""

_TRASH = frozenset(
    ["$recycle.bin", "recycler", "system volume information", "__macosx", "lost+found", "@eadir", "#recycle"]
)  # the others are hidden


@dataclass(frozen=True)
class FoundAudio:
    """The recordings of a folder; ``str()`` says what was skipped, and is empty where nothing was."""

    files: list[Path] = field(default_factory=list)
    """sorted; each file once, whatever links lead to it"""
    skipped: dict[str, list[Path]] = field(default_factory=dict)
    """everything else, under the reason"""

    def __str__(self) -> str:
        parts = [f"{len(paths)} {reason} ({_kinds(paths)})" for reason, paths in sorted(self.skipped.items())]
        return "skipped: " + ", ".join(parts) if parts else ""


def _kinds(paths: list[Path]) -> str:
    """Return the commonest endings of names; without any, the first name."""
    endings = Counter(path.suffix.lower() for path in paths if path.suffix)
    if not endings:
        return paths[0].name
    return ", ".join(ending for ending, _ in endings.most_common(3)) + (", ..." if len(endings) > 3 else "")


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or the trash of some system.

    >>> is_hidden("._a.wav"), is_hidden("$RECYCLE.BIN"), is_hidden("a.wav")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in _TRASH


def by_stem(files: Iterable[Path]) -> dict[str, Path]:
    """Return recordings by their names without ending.

    Raises:
        DataError: two differ by their endings alone.
    """
    found: dict[str, Path] = {}
    for path in files:
        if (other := found.setdefault(path.stem, path)) is not path:
            raise DataError(f"{path}: {other.name} has the same name but for its ending; rename one or remove it.")
    return found


def find_audio_files(folder: str | os.PathLike[str], recursive: bool = True, also: Collection[str] = ()) -> FoundAudio:
    """Find the recordings in a folder and, with ``recursive``, below it.

    Links to folders are followed; a folder that several links lead to, or that contains itself, is searched once, if
    possible under a path without links.  Hidden files and folders, the trash of all systems and what is not a regular
    file are skipped.  ``also``: further endings of names to find, in lower case.
    """
    found = FoundAudio()
    folders, links = [Path(folder)], list[Path]()
    files: dict[str, Path] = {}
    endings = SUFFIXES.union(also)
    searched: set[str] = set()

    def skip(reason: str, path: Path) -> None:
        found.skipped.setdefault(reason, []).append(path)

    def sort_in(entry: os.DirEntry[str], path: Path, real_folder: str) -> None:
        if is_hidden(entry.name):
            skip("hidden or trash", path)
        elif entry.is_dir():
            if recursive:
                (links if entry.is_symlink() else folders).append(path)
        elif os.path.splitext(entry.name)[1].lower() not in endings:
            skip("without the ending of an audio file", path)
        elif not entry.is_file():
            skip("not regular files", path)
        else:
            # Resolving every path would ask the file system about each of its folders.
            real = os.path.realpath(path) if entry.is_symlink() else os.path.join(real_folder, entry.name)
            kept = files.setdefault(real, path)
            if kept is not path:
                files[real], other = sorted([kept, path], key=lambda p: (p.is_symlink(), p))
                skip("links to files found elsewhere", other)

    while folders or links:
        current = folders.pop() if folders else links.pop()  # what can be reached without links comes first
        real = os.path.realpath(current)
        if real in searched:
            continue
        searched.add(real)
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            skip(f"unreadable: {error.strerror}", current)
            continue
        for entry in entries:
            try:
                sort_in(entry, current / entry.name, real)
            except OSError as error:
                skip(f"unreadable: {error.strerror}", current / entry.name)
    found.files.extend(sorted(files.values()))
    for paths in found.skipped.values():
        paths.sort()
    return found
