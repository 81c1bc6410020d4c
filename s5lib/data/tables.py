"""Kaldi's text tables: one line ``ID VALUE`` an entry, sorted in C order (by bytes).

Spaces and tabs separate; line feeds end lines, with or without a carriage return before them.  Everything else belongs
to IDs and values, whatever Unicode says about it.  A byte order mark is skipped.  Paths may be other bytes than UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from s5lib.errors import DataError
from s5lib.provenance.files import atomic_write
from s5lib.untrusted import read_bytes

__all__ = ["c_order", "line_problem", "read_lines", "read_table", "split_labels", "write_table"]

_LONGEST = 256 << 20  # bytes
_SPACE = re.compile(r"[ \t]")
_NO_ID = frozenset(" \t\r\n\0\ufeff")


def read_table(path: str | os.PathLike[str], empty_values: bool = False) -> dict[str, str]:
    """Read lines ``ID VALUE``, in the file's order.

    Raises:
        DataError: naming file and line: no text, an empty line, an ID without a value (unless ``empty_values``), an ID
            twice, lines not sorted in C order.
    """
    table: dict[str, str] = {}
    previous, last = "", b""
    for number, key, value in read_lines(path):
        order = c_order(key)
        problem = line_problem(key, value, empty_values)
        if not problem and key in table:
            problem = f"ID {key!r} a second time"
        if not problem and order < last:
            problem = f"ID {key!r} stands after {previous!r}; lines must be sorted in C order (LC_ALL=C sort)"
        if problem:
            raise DataError(f"{path}:{number}: {problem}. 's5lib validate {Path(path).parent} --fix' may mend it.")
        table[key] = value
        previous, last = key, order
    return table


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line number, ID and value of each line.

    Raises:
        DataError: the file is missing or not a regular one, or it is no text: not UTF-8 (but for paths in ``.scp``
            files), or with NUL characters, as UTF-16 has them.
    """
    is_scp = os.fspath(path).endswith(".scp")
    content = read_bytes(path, _LONGEST)
    try:
        text = content.decode("utf-8-sig", "surrogateescape" if is_scp else "strict")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    if "\0" in text:
        raise DataError(f"{path}: cannot be read as UTF-8 text (it has NUL characters; is it UTF-16, or binary?).")
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        key, *rest = _SPACE.split(line.rstrip(" \t\r"), maxsplit=1)
        yield number, key, rest[0].strip(" \t") if rest else ""


def c_order(key: str) -> bytes:
    """Return what IDs are sorted by: their bytes, as ``LC_ALL=C sort`` does."""
    return key.encode("utf-8", "surrogateescape")


def split_labels(value: str) -> tuple[str, ...]:
    """Return the labels of a line.

    >>> split_labels("Dog  Door_bell")
    ('Dog', 'Door_bell')
    """
    return tuple(re.findall(r"[^ \t]+", value))


def line_problem(key: str, value: str, empty_values: bool = False) -> str:
    """Return why an entry cannot be a line, or an empty string."""
    if not key:
        return "an empty line or one that begins with a space; expected 'ID VALUE'"
    if not value and not empty_values:
        return f"nothing after ID {key!r}; expected 'ID VALUE'"
    if not _NO_ID.isdisjoint(key):
        return f"ID {key!r} has white space or characters that are no text"
    if "\r" in value or "\n" in value or value != value.strip(" \t"):
        return f"the value of ID {key!r} has a line break, or begins or ends with white space: {value!r}"
    return ""


def write_table(path: str | os.PathLike[str], table: dict[str, str]) -> None:
    """Write ``ID VALUE`` lines sorted in C order; the file appears whole or not at all.

    Raises:
        DataError: an entry cannot be a line.
    """
    for key, value in table.items():
        if problem := line_problem(key, value, empty_values=True):
            raise DataError(f"{path}: {problem}.")
    lines = (f"{key} {table[key]}".rstrip(" ") + "\n" for key in sorted(table, key=c_order))
    with atomic_write(path) as temporary:
        temporary.write_bytes("".join(lines).encode("utf-8", "surrogateescape"))
