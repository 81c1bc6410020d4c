"""Paths in the files of a data directory: written so that a folder with all of them can be moved, and found again."""

from __future__ import annotations

import os
from pathlib import Path

from s5lib.audio import split_entry
from s5lib.errors import DataError

__all__ = ["portable_path", "resolve_path"]


def portable_path(entry: str, folder: str | os.PathLike[str]) -> str:
    """Return how a file in ``folder`` refers to a recording.

    Relative to ``folder`` where both are below the current folder, which is a recipe's, and moves as a whole; else
    absolute.

    Args:
        entry: path of a recording, or ``ARCHIVE.ark:OFFSET``; relative to the current folder, or absolute.
    """
    path, place = split_entry(entry)
    if entry.rstrip().endswith("|"):
        return entry  # a command, which open_audio refuses
    path, folder = os.path.abspath(path), os.path.abspath(folder)
    here = os.path.join(os.getcwd(), "")
    if path.startswith(here) and folder.startswith(here):
        path = os.path.relpath(path, folder)
    return path + place


def resolve_path(entry: str, folder: str | os.PathLike[str]) -> str:
    """Return the path of a recording to which a file in ``folder`` refers.

    A relative one counts from the current folder, as in ESPnet, or from ``folder``: whichever has the file.

    Raises:
        DataError: both have one.
    """
    path, place = split_entry(entry)
    if os.path.isabs(path) or entry.rstrip().endswith("|"):
        return entry
    beside = os.path.normpath(os.path.join(os.path.abspath(folder), path))
    if not os.path.lexists(beside):
        return entry
    if os.path.lexists(path) and not os.path.samefile(os.path.dirname(path) or ".", os.path.dirname(beside)):
        raise DataError(f"{Path(folder)}: {path!r} can be {os.path.abspath(path)} or {beside}. Write an absolute path.")
    return beside + place
