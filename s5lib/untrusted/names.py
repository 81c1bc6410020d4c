"""Names and paths that a file gives: one rule for what may be a file's name, one way to a path below a folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from s5lib.errors import DataError
from s5lib.untrusted.text import shown

__all__ = ["check_file_name", "is_file_name", "path_below"]

_LONGEST = 255  # bytes, of every file system in use


def is_file_name(name: object) -> bool:
    """Return whether ``name`` can be the name of a file, and stays in its folder on every system.

    >>> [is_file_name(name) for name in ("Dog.wav", "..", "a/b", "a\\x1b", "")]
    [True, False, False, False, False]
    """
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name:
        return False
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return len(encoded) <= _LONGEST and not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name)


def check_file_name(name: str, where: object) -> str:
    """Return ``name``.

    Raises:
        DataError: it cannot be the name of a file in a folder; the message begins with ``where``.
    """
    if not is_file_name(name):
        raise DataError(
            f"{where}: {shown(name)} cannot be a file name; expected 1 to {_LONGEST} bytes without '/' and control "
            "characters, and not '..'."
        )
    return name


def path_below(folder: str | os.PathLike[str], written: str, where: object, *, follow: bool = True) -> Path:
    """Return the path ``folder/written`` of a path that a file gives.

    Args:
        folder: what the path must stay in.
        written: relative, with ``/`` or ``\\`` between folders.
        where: what gave the path, for the message.
        follow: whether a link below ``folder`` may lead out of it.  Data sets are often linked to another disk, so
            reading follows; where foreign content is written, it must not.

    Raises:
        DataError: the path is absolute, has a part that is no file name (``..`` is none), or leads out.

    >>> path_below("dev_set", "Speech/a.wav", "scene.json").as_posix()
    'dev_set/Speech/a.wav'
    """
    parts = [part for part in PurePosixPath(str(written).replace("\\", "/")).parts if part != "."]
    if not parts or not all(map(is_file_name, parts)):
        raise DataError(
            f"{where}: the path {shown(written)} leads out of {folder}, or is no path; expected a relative one "
            "without '..' and control characters."
        )
    path = Path(folder).joinpath(*parts)
    if not follow and not path.resolve().is_relative_to(Path(folder).resolve()):
        raise DataError(f"{where}: {path} leads out of {folder} by a link; replace the link by a folder.")
    return path
