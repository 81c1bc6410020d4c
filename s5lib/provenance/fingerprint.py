"""What a result depends on, and whether the result is still what was written.

A :class:`Fingerprint` holds plain values by name: digests of files, options.  A result is finished if the fingerprint
kept with it equals that of today and its files are intact (:func:`problem_of`).
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from s5lib.errors import DataError
from s5lib.provenance.digest import file_digest
from s5lib.untrusted import parse_json, shown, to_json

__all__ = ["Change", "Fingerprint", "problem_of", "stamp_output"]

_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+")  # in the text of a function, another one in each process


class Change(NamedTuple):
    """A value that differs from an earlier one."""

    name: str
    before: Any
    now: Any

    def __str__(self) -> str:
        if _is_digest(self.before) or _is_digest(self.now):
            return f"the {self.name} changed"
        if isinstance(self.before, Mapping) and self.now is None:
            return f"{self.name} was removed"
        if isinstance(self.now, Mapping) and self.before is None:
            return f"{self.name} was added"
        return f"{self.name} was {shown(self.before)}, now {shown(self.now)}"


@dataclass(frozen=True)
class Fingerprint:
    """Values that a result is a function of; nested mappings are compared key by key, and a missing value is None.

    >>> now = Fingerprint({"window": 10.0, "model": {"layers": 2}})
    >>> [str(change) for change in now.changes_since({"window": 10.0, "model": {"layers": 3}})]
    ['model.layers was 3, now 2']
    """

    values: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the values as JSON has them: tuples are lists, keys strings, and what is no plain value is text."""
        plain: dict[str, Any] = parse_json(to_json(_finite(self.values), default=_text), "a fingerprint")
        return plain

    def changes_since(self, earlier: Any) -> list[Change]:
        """Return what differs from what :meth:`as_json` gave for an earlier result.

        Args:
            earlier: anything; what is not a mapping of plain values counts as empty.  It may say more than these
                values, such as versions and files; inside a mapping that both have, it may not.
        """
        try:
            before = Fingerprint(earlier if isinstance(earlier, Mapping) else {}).as_json()
        except DataError:  # an integer beyond 64 bits or the like, which as_json never gives
            before = {}
        now = self.as_json()
        return list(_changes({key: value for key, value in before.items() if key in now}, now))


def _finite(value: Any) -> Any:
    """Return ``value`` with text for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> Any:
    """Return what is no plain value as text that is the same in each process."""
    return sorted(map(_text, value)) if isinstance(value, Set) else _ADDRESS.sub("", str(value))


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], name: str = "") -> Iterator[Change]:
    for key in (*new, *(key for key in old if key not in new)):
        here, there = old.get(key), new.get(key)
        path = f"{name}.{key}" if name else key
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            yield from _changes(here, there, path)
        elif here != there or isinstance(here, bool) != isinstance(there, bool):
            yield Change(path, here, there)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and all(digit in "0123456789abcdef" for digit in value)


def stamp_output(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return size and digest of a file that was written, for a manifest.

    Raises:
        OSError: it cannot be read.
    """
    return {"bytes": os.path.getsize(path), "sha256": file_digest(path)}


def problem_of(manifest: str | os.PathLike[str], files: Mapping[str, Any]) -> str:
    """Return why files are not those that a manifest lists, or an empty string.

    A file is read only if it was changed after the manifest was written; the manifest is then marked, so that the file
    is not read a third time.

    Args:
        manifest: the file that lists them; they lie in its folder or below.
        files: what :func:`stamp_output` gave, by path relative to that folder; anything else counts as unknown.

    Raises:
        OSError: the manifest is not there.
    """
    folder, written, verified = Path(manifest).parent, os.stat(manifest), False
    for name, stamp in files.items():
        if not (isinstance(stamp, Mapping) and {"bytes", "sha256"} <= stamp.keys()):
            return f"{name} was written by an earlier version"
        path = folder / name
        try:
            state = os.stat(path)
            if state.st_size != stamp["bytes"]:
                return f"{name} has {state.st_size} bytes, expected {stamp['bytes']}"
            if max(state.st_mtime_ns, state.st_ctime_ns) > written.st_ctime_ns:
                if file_digest(path) != stamp["sha256"]:
                    return f"{name} was changed"
                verified = True
        except OSError as error:
            return f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error.strerror}"
    if verified:
        with contextlib.suppress(OSError):  # sets the time of the entry's change to now, and keeps that of the content
            os.utime(manifest, ns=(written.st_atime_ns, written.st_mtime_ns))
    return ""
