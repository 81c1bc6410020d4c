"""Converts values from YAML or a command line to the declared type of an option, or raises ValueError."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, Union

__all__ = ["convert", "describe_type"]

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_SEQUENCES = (tuple, list)


def describe_type(annotation: Any) -> str:
    """Name a type in words that a message or a help text can use.

    >>> describe_type(tuple[int, ...]), describe_type(Literal["onehot", "text"])
    ('integers separated by commas', 'onehot or text')
    """
    names = {int: "integer", float: "number", bool: "true or false", str: "text", type(None): "none", Any: "anything"}
    if annotation in names:
        return names[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(str(argument) for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(argument) for argument in arguments)
    if origin in _SEQUENCES or annotation in _SEQUENCES:
        items = [argument for argument in arguments if argument is not Ellipsis]
        plural = f"{describe_type(items[0])}s" if items and items[0] in (int, float) else "values"
        count = f"{len(items)} " if origin is tuple and items and Ellipsis not in arguments else ""
        return f"{count}{plural} separated by commas"
    return getattr(annotation, "__name__", str(annotation))


def convert(value: Any, annotation: Any) -> Any:
    """Return ``value`` as an instance of ``annotation``.

    Supports int, float, bool, str, Literal, Optional and other unions, tuples and lists of these; values of any other
    type must already be instances of it.

    >>> convert("1e-3", float), convert("32,64", tuple[int, ...]), convert("none", int | None)
    (0.001, (32, 64), None)

    Raises:
        ValueError: the value cannot be that type without losing or guessing something.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any or isinstance(annotation, typing.TypeVar):
        return value
    if origin is Literal:
        return _choice(value, arguments)
    if origin in (Union, types.UnionType):
        return _first_of(value, arguments)
    if origin in _SEQUENCES or annotation in _SEQUENCES:
        return _sequence(value, origin or annotation, arguments)
    converter = _SCALARS.get(annotation)
    if converter is not None:
        return converter(value)
    kind = origin or annotation
    if isinstance(kind, type) and not isinstance(value, kind):
        raise ValueError("another type")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str):
        value = float(value) if any(sign in value.lower() for sign in ".e") else int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("not an integer")
    if not -(2**63) <= value < 2**63:
        raise ValueError("beyond 64 bits")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    number = float(value)
    if math.isnan(number):
        raise ValueError("not a number")
    return number


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise ValueError("neither true nor false")
    return text in _TRUE


def _text(value: Any) -> str:
    if not isinstance(value, str):  # YAML has turned it into something else, and how it was written is lost
        raise ValueError("not text; write it in quotes")
    return value


def _nothing(value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.lower() in ("none", "null", "")):
        raise ValueError("not none")


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    for choice in choices:
        try:
            if convert(value, type(choice)) == choice:
                return choice
        except ValueError:
            continue
    raise ValueError("not one of the choices")


def _first_of(value: Any, members: Sequence[Any]) -> Any:
    # None before text, so that "none" is not taken as text; then the type that the value has already
    for member in sorted(members, key=lambda member: (member is not type(None), type(value) is not member)):
        try:
            return convert(value, member)
        except ValueError:
            continue
    raise ValueError("none of the types")


def _sequence(value: Any, kind: type[list[Any]] | type[tuple[Any, ...]], arguments: Sequence[Any]) -> Any:
    if isinstance(value, str):
        value = value.strip("()[] ").replace(",", " ").split()
    elif not isinstance(value, (list, tuple)):
        value = [value]
    if not arguments:
        return kind(value)
    if kind is tuple and Ellipsis not in arguments:
        if len(value) != len(arguments):
            raise ValueError(f"{len(value)} values")
        return tuple(convert(item, argument) for item, argument in zip(value, arguments, strict=True))
    return kind(convert(item, arguments[0]) for item in value)


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    int: _integer,
    float: _number,
    bool: _boolean,
    str: _text,
    type(None): _nothing,
}
