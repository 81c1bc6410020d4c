"""Mappings from a file, read key by key: each value has the wanted type and range, or the error says what it is."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeGuard

from s5lib.errors import DataError
from s5lib.untrusted.documents import read_json, read_yaml
from s5lib.untrusted.names import is_file_name
from s5lib.untrusted.text import shown

__all__ = ["Record", "is_number", "is_real", "json_record", "yaml_record"]

_REQUIRED: Any = object()


class Record:
    """A mapping and where it stands.

    Some accessors take a ``default``, returned where the key is missing or null; without one, the key is required.

    Args:
        value: what was parsed.
        where: file and place, with which messages begin.
        error: the exception that is raised.
        advice: a sentence with which messages end: the next step.

    Raises:
        DataError: (or ``error``) ``value`` is not a mapping.

    >>> Record({"sr": "fast"}, "scene.json").number("sr")
    Traceback (most recent call last):
    s5lib.errors.DataError: scene.json: 'sr' is 'fast', expected a number.
    """

    def __init__(self, value: Any, where: object, *, error: type[Exception] = DataError, advice: str = ""):
        self.where, self.error, self.advice = str(where), error, advice
        if not isinstance(value, Mapping):
            found = "nothing" if value is None else f"a {type(value).__name__}"
            self.fail(f"expected names and values, found {found}")
        self.values: Mapping[str, Any] = value

    def fail(self, problem: str) -> NoReturn:
        """Raise this record's error: its place, ``problem``, its advice."""
        raise self.error(f"{self.where}: {problem}.{' ' * bool(self.advice)}{self.advice}")

    def reject(self, key: str, expected: str) -> NoReturn:
        """Raise this record's error for the value of ``key``."""
        found = f"is {shown(self.values[key])}" if key in self.values else "is missing"
        self.fail(f"{shown(key)} {found}, expected {expected}")

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value as it is."""
        return self.values.get(key, default)

    def text(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a string of whole characters."""
        return self._checked(key, default, lambda value: isinstance(value, str) and _is_whole(value), "text")

    def path(self, key: str) -> Any:
        """Return a path as the file system has it, which need not be UTF-8."""
        return self._checked(key, _REQUIRED, lambda v: isinstance(v, str) and v != "" and "\0" not in v, "a path")

    def name(self, key: str) -> Any:
        """Return a string that can be (a part of) a file's name, such as a label."""
        return self._checked(
            key, _REQUIRED, lambda v: is_file_name(v) and _is_whole(v), "a name without '/' and control characters"
        )

    def number(
        self,
        key: str,
        default: Any = _REQUIRED,
        *,
        least: float = -math.inf,
        above: float = -math.inf,
        most: float = math.inf,
    ) -> Any:
        """Return a finite number, as a float."""
        value = self._checked(
            key,
            default,
            lambda v: is_number(v) and least <= v <= most and v > above,
            f"a number{_range(least, above, most)}",
        )
        return value if value is default else float(value)

    def integer(self, key: str, default: Any = _REQUIRED, *, least: float = -math.inf, most: float = math.inf) -> Any:
        """Return a whole number."""
        return self._checked(
            key,
            default,
            lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most,
            f"a whole number{_range(least, -math.inf, most)}",
        )

    def items(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a list of anything."""
        return self._checked(key, default, lambda value: isinstance(value, (list, tuple)), "a list")

    def names(self, key: str) -> tuple[str, ...]:
        """Return a list of distinct strings, each as :meth:`name` has it."""
        found = self.items(key)
        if not all(is_file_name(item) and _is_whole(item) for item in found) or len(set(found)) < len(found):
            self.reject(key, "a list of distinct names without '/' and control characters")
        return tuple(found)

    def record(self, key: str) -> Record:
        """Return a mapping."""
        value = self._checked(key, _REQUIRED, lambda value: isinstance(value, Mapping), "names and values")
        return Record(value, f"{self.where}: {key}", error=self.error, advice=self.advice)

    def records(self, key: str) -> Iterator[Record]:
        """Yield the mappings of a list."""
        for index, item in enumerate(self.items(key)):
            yield Record(item, f"{self.where}: {key}[{index}]", error=self.error, advice=self.advice)

    def _checked(self, key: str, default: Any, holds: Callable[[Any], bool], expected: str) -> Any:
        value = self.values.get(key)
        if value is None and default is not _REQUIRED:
            return default
        if not holds(value):
            self.reject(key, expected)
        return value


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether ``value`` is a finite int or float, not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_real(value: Any) -> bool:
    """Return whether ``value`` is an int or a float, of Python or numpy, not a bool; it may be of any size, or none."""
    if isinstance(value, (int, float)):
        return not isinstance(value, bool)
    import numpy as np  # reading documents needs none

    return isinstance(value, np.integer | np.floating)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, or a byte of a file name that is not UTF-8
        return False
    return True


def _range(least: float, above: float, most: float) -> str:
    if least > -math.inf and most < math.inf:
        return f" from {least:g} to {most:g}"
    low = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
    return low + (f"{' and' * bool(low)} at most {most:g}" if most < math.inf else "")


def json_record(path: str | os.PathLike[str], *, error: type[Exception] = DataError, advice: str = "") -> Record:
    """Return the mapping in a JSON file; for arguments and errors see :func:`~s5lib.untrusted.documents.read_json`."""
    return Record(read_json(path, error=error, advice=advice), path, error=error, advice=advice)


def yaml_record(path: str | os.PathLike[str], *, error: type[Exception] = DataError, advice: str = "") -> Record:
    """Return the mapping in a YAML file; for arguments and errors see :func:`~s5lib.untrusted.documents.read_json`."""
    return Record(read_yaml(path, error=error, advice=advice), path, error=error, advice=advice)
