"""Kaldi's text tables: one line ``ID VALUE`` an entry, sorted in C order (by bytes)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from s5lib.errors import DataError
from s5lib.provenance.files import write_text

__all__ = ["line_problem", "numbered_lines", "read_table", "write_table"]


def read_table(path: str | os.PathLike, empty_values: bool = False) -> dict[str, str]:
    """Read lines ``ID VALUE``, in the file's order.

    Raises:
        DataError: naming file and line: not UTF-8, an empty line, an ID without a value (unless ``empty_values``), an
            ID twice, lines not sorted in C order.
    """
    table: dict[str, str] = {}
    previous = None
    for number, line in numbered_lines(path):
        key, _, value = line.partition(" ")
        value = value.strip()
        problem = line_problem(key, value, empty_values)
        if not problem and key in table:
            problem = f"ID {key!r} stands here a second time"
        if not problem and previous is not None and key < previous:
            problem = f"ID {key!r} stands after {previous!r}; lines must be sorted in C order (LC_ALL=C sort)"
        if problem:
            raise DataError(f"{path}:{number}: {problem}. 's5lib validate {Path(path).parent} --fix' may mend it.")
        table[key] = value
        previous = key
    return table


def numbered_lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Yield ``(line number, line)`` with tabs as spaces; raise DataError where the file is missing or not UTF-8."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    for number, line in enumerate(text.splitlines(), 1):
        yield number, line.replace("\t", " ")


def line_problem(key: str, value: str, empty_values: bool) -> str:
    """Return what is wrong with a line, or an empty string."""
    if not key:
        return "an empty line or one that begins with a space; expected 'ID VALUE'"
    if not value and not empty_values:
        return f"nothing after ID {key!r}; expected 'ID VALUE'"
    return ""


def write_table(path: str | os.PathLike, table: dict[str, str]) -> None:
    """Write ``ID VALUE`` lines sorted in C order; the file appears whole or not at all."""
    write_text(path, "".join(f"{key} {table[key]}".rstrip() + "\n" for key in sorted(table)))
