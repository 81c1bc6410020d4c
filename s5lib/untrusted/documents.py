"""JSON, JSON lines, YAML and plain text, from regular files alone and within limits, and JSON back again.

A document is refused, with file and line, where it is too large or nested too deeply, is not UTF-8, or holds what the
rest of s5lib could not work with: NaN, infinity, integers beyond 64 bits, half characters, objects, a name twice.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import yaml

from s5lib.errors import DataError
from s5lib.untrusted.text import reason, shown

__all__ = [
    "open_regular",
    "parse_json",
    "parse_yaml",
    "read_bytes",
    "read_json",
    "read_json_lines",
    "read_text",
    "read_yaml",
    "to_json",
]

JSON_BYTES = 32 << 20
LINES_BYTES = 256 << 20
"""Of a file of JSON lines; each line has the limits of a document."""
YAML_BYTES = 256 << 10
TEXT_BYTES = 256 << 20
DEPTH = 64
"""Lists and mappings inside each other."""
VALUES = 2_000_000
"""In one document, each counted as often as it is referred to."""

Raised = type[Exception]


class _PlainLoader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Plain values alone: a date stays the text that it is, and so do 010 and 1:30, to YAML 1.1 the numbers 8 and 90.

    A name stands once in a mapping.
    """

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; the second of two equal names would silently replace the first."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} a second time", problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


_TAG = "tag:yaml.org,2002:"
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_TAG) in ("null", "bool", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_PlainLoader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_PlainLoader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


def open_regular(path: str | os.PathLike[str], error: Raised = DataError, advice: str = "") -> BinaryIO:
    """Open a file to read its bytes; a pipe, a device or a folder is refused at once instead of waited for.

    Raises:
        DataError: (or ``error``) there is no such file, it is not a regular one or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe without a writer opens, too
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise error(_message(path, "not a regular file", advice))
        return open(descriptor, "rb")
    except FileNotFoundError:
        raise error(_message(path, "no such file", advice)) from None
    except OSError as cause:
        raise error(_message(path, f"cannot be read: {cause.strerror}", advice)) from None
    except ValueError as cause:
        if isinstance(cause, error):
            raise
        raise error(_message(shown(path), "not the name of a file", advice)) from None  # a NUL, or half a character


def read_bytes(path: str | os.PathLike[str], limit: int, *, error: Raised = DataError, advice: str = "") -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes; for errors see :func:`open_regular`."""
    with open_regular(path, error, advice) as stream:
        try:
            content = stream.read(limit + 1)
        except OSError as cause:
            raise error(_message(path, f"cannot be read: {cause.strerror}", advice)) from None
    if len(content) > limit:
        raise error(_message(path, f"larger than {limit} bytes", advice))
    return content


def read_text(
    path: str | os.PathLike[str], limit: int = TEXT_BYTES, *, error: Raised = DataError, advice: str = ""
) -> str:
    """Return the text of a file in UTF-8, without a byte order mark; for errors see :func:`open_regular`."""
    return _decoded(read_bytes(path, limit, error=error, advice=advice), path, error, advice)


def read_json(path: str | os.PathLike[str], *, error: Raised = DataError, advice: str = "") -> Any:
    """Return the content of a JSON file.

    Args:
        path: of a regular file.
        error: the exception to raise.
        advice: a sentence with which messages end: the next step.

    Raises:
        DataError: (or ``error``) the file is missing, is no JSON in UTF-8, or is beyond the limits of this module.
    """
    return parse_json(read_bytes(path, JSON_BYTES, error=error, advice=advice), path, error=error, advice=advice)


def read_json_lines(
    path: str | os.PathLike[str], *, error: Raised = DataError, advice: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield ``(place, content)`` of each line that is not blank; ``place`` is the file and the line's number.

    Raises:
        DataError: (or ``error``) as :func:`read_json`, naming the line.
    """
    total = 0
    with open_regular(path, error, advice) as stream:
        number = 0
        while line := stream.readline(JSON_BYTES + 1):
            number, total = number + 1, total + len(line)
            place = f"{path}, line {number}"
            if len(line) > JSON_BYTES or total > LINES_BYTES:
                raise error(_message(place, f"too large; a line has at most {JSON_BYTES} bytes", advice))
            if line.strip():
                yield place, parse_json(line, place, error=error, advice=advice)


def parse_json(content: bytes | str, where: object, *, error: Raised = DataError, advice: str = "") -> Any:
    """Return what ``content`` holds; for errors see :func:`read_json`.

    >>> parse_json('{"gain": NaN}', "a.json")
    Traceback (most recent call last):
    s5lib.errors.DataError: a.json: gain is nan; expected finite numbers.
    """
    text = _decoded(content, where, error, advice)
    if sum(map(text.count, ",[{")) > VALUES:  # before they take memory
        raise error(_message(where, f"more than {VALUES} values", advice))
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as cause:
        place = f"{where}, line {cause.lineno}" if text.count("\n", 0, -1) else where
        raise error(_message(place, f"not JSON: {cause.msg} at column {cause.colno}", advice)) from None
    except RecursionError:
        raise error(_message(where, f"nested more than {DEPTH} deep", advice)) from None
    except _Twice as cause:
        raise error(_message(where, f"the name {shown(cause.args[0])} a second time", advice)) from None
    except ValueError:  # more digits than Python reads
        raise error(_message(where, "an integer beyond 64 bits", advice)) from None
    _check(document, where, error, advice)
    return document


def read_yaml(path: str | os.PathLike[str], *, error: Raised = DataError, advice: str = "") -> Any:
    """Return the content of a YAML file of plain values; as :func:`read_json`, but infinity is a number."""
    return parse_yaml(read_bytes(path, YAML_BYTES, error=error, advice=advice), path, error=error, advice=advice)


def parse_yaml(content: bytes | str, where: object, *, error: Raised = DataError, advice: str = "") -> Any:
    """Return what ``content`` holds; for errors see :func:`read_json`."""
    text = _decoded(content, where, error, advice)
    if len(text) > YAML_BYTES:
        raise error(_message(where, f"larger than {YAML_BYTES} characters", advice))
    try:
        document = yaml.load(text, _PlainLoader)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        place = f"{where}, line {mark.line + 1}" if mark else where
        raise error(_message(place, f"not YAML: {shown(str(cause.problem))[1:-1]}", advice)) from None
    except RecursionError:
        raise error(_message(where, f"nested more than {DEPTH} deep", advice)) from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as cause:  # a date that is none, for one
        raise error(_message(where, f"not YAML: {reason(cause)}", advice)) from None
    _check(document, where, error, advice, infinite=True)
    return document


def to_json(
    value: Any, indent: int | None = None, sort_keys: bool = False, default: Callable[[Any], Any] | None = None
) -> str:
    """Return ``value`` as JSON that every parser reads.

    Raises:
        DataError: it holds NaN or an infinity, which JSON does not have.
    """
    try:
        return json.dumps(value, indent=indent, sort_keys=sort_keys, default=default, allow_nan=False)
    except ValueError:
        _check(value, "a result", DataError, "It was not written.")
        raise


class _Twice(ValueError):
    """A name stands twice in a mapping."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a mapping of pairs; the second of two equal names would silently replace the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Twice(name)
            seen.add(name)
    return found


def _decoded(content: bytes | str, where: object, error: Raised, advice: str) -> str:
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = 1 + content.count(b"\n", 0, cause.start)
        place = f"{where}, line {line}" if line > 1 else where
        raise error(_message(place, f"not UTF-8 text: byte 0x{content[cause.start]:02x}", advice)) from None


def _check(document: Any, where: object, error: Raised, advice: str, infinite: bool = False) -> None:
    """Raise ``error`` for the first value that the rest of s5lib could not work with."""
    count = 0
    waiting: list[tuple[Any, tuple[Any, ...], int]] = [(document, (), 0)]
    while waiting:
        value, place, depth = waiting.pop()
        count += 1
        if count > VALUES or depth > DEPTH:
            limit = f"more than {VALUES} values" if count > VALUES else f"nested more than {DEPTH} deep"
            raise error(_message(where, limit, advice))
        problem = ""
        if isinstance(value, str):
            if not value.isascii() and not _is_text(value):
                problem = "expected whole characters"
        elif isinstance(value, float):
            if math.isnan(value) or not (infinite or math.isfinite(value)):
                problem = "expected finite numbers"
        elif isinstance(value, int):  # and bool
            if not -(1 << 63) <= value < 1 << 63:
                problem = "expected integers of at most 64 bits"
        elif isinstance(value, Mapping):
            for key, item in value.items():
                waiting.append((item, (place, key), depth + 1))
                if not isinstance(key, (str, int, float, bool, type(None))) or (
                    isinstance(key, str) and not key.isascii() and not _is_text(key)
                ):
                    raise error(_message(where, f"the name {shown(key)} is not text", advice))
        elif isinstance(value, (list, tuple)):
            waiting.extend((item, (place, index), depth + 1) for index, item in enumerate(value))
        elif value is not None:
            problem = "expected plain values"
        if problem:
            name = _name(place)
            raise error(_message(where, f"{name}{' is ' * bool(name)}{shown(value)}; {problem}", advice))


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8", "surrogateescape")  # as Python keeps the bytes of file names that are not UTF-8
    except UnicodeEncodeError:
        return False
    return True


def _name(place: tuple[Any, ...]) -> str:
    keys: list[str] = []
    while place:
        place, key = place
        keys.append(f"[{key}]" if isinstance(key, int) else f".{shown(str(key))[1:-1]}")
    return "".join(reversed(keys)).removeprefix(".")


def _message(where: object, problem: str, advice: str) -> str:
    return f"{where}: {problem}.{' ' * bool(advice)}{advice}"
