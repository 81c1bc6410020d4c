"""Types of command-line values: each rejects what no command can use and says what is expected."""

from __future__ import annotations

import contextlib
import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from s5lib.config.values import convert, describe_type

__all__ = [
    "assignment",
    "channel_list",
    "channel_order",
    "count",
    "decibels",
    "file_name",
    "integer",
    "label_list",
    "positive_int",
    "probability",
    "process_count",
    "seconds",
    "seed",
    "typed",
]


def integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the type of integers of 64 bits from ``least`` to ``most`` (None: no other limit); 1e3 and 3.0 are some.

    >>> integer(1)("8"), integer(1)("1e3")
    (8, 1000)
    >>> integer(1)("-3")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: '-3' is not an integer of 1 or more, below 2^63
    """
    expected = f"an integer of {least} or more, below 2^63" if most is None else f"an integer from {least} to {most}"

    def parse(text: str) -> int:
        with contextlib.suppress(ValueError, OverflowError):
            value: int = convert(text, int)
            if value >= least and (most is None or value <= most):
                return value
        raise ArgumentTypeError(f"{text[:80]!r} is not {expected}")

    return parse


count = integer(0)
positive_int = integer(1)
process_count = integer(1, 4096)
"""Processes or threads; the limit keeps a typing error from filling the process table."""
seed = integer(0, 2**32 - 1)
"""Seeds that both NumPy and Lightning accept."""


def typed(annotation: Any) -> Callable[[str], Any]:
    """Return the argparse type for values of a declared type, such as a dataclass field's.

    >>> typed(tuple[int, ...])("8,16")
    (8, 16)
    """

    def parse(text: str) -> Any:
        try:
            return convert(text, annotation)
        except (ValueError, TypeError, OverflowError):
            raise ArgumentTypeError(f"{text[:80]!r}; expected {describe_type(annotation)}") from None

    return parse


def seconds(text: str) -> float:
    """Return a finite duration above 0.

    >>> seconds("2.5")
    2.5
    """
    return _finite(text, "a duration in seconds above 0", lambda value: value > 0)


def probability(text: str) -> float:
    """Return a number from 0 to 1."""
    return _finite(text, "a probability from 0 to 1", lambda value: 0 <= value <= 1)


def decibels(text: str) -> float:
    """Return a finite number of dB."""
    return _finite(text, "a finite number of dB", lambda value: True)


def file_name(text: str) -> str:
    """Return a word that is safe as a part of file names."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise ArgumentTypeError(f"{text[:80]!r} becomes part of file names; expected letters, digits, '.', '_' and '-'")
    return text


def assignment(text: str) -> str:
    """Return ``KEY=VALUE`` as it is, the key being an option's name."""
    if not re.match(r"[A-Za-z]\w*=.", text):
        raise ArgumentTypeError(f"{text[:80]!r} is not KEY=VALUE, such as max_steps=500")
    return text


def channel_list(text: str) -> str | tuple[int, ...]:
    """Return ``all`` or ``mean`` as it is, and the numbers of ``N,N,...``.

    >>> channel_list("0,1,2,3"), channel_list("mean")
    ((0, 1, 2, 3), 'mean')
    """
    if text in ("all", "mean"):
        return text
    if not re.fullmatch(r"[0-9]{1,4}( *, *[0-9]{1,4})*", text):
        raise ArgumentTypeError(f"{text[:80]!r}; expected all, mean, or channels counted from 0, such as 0,1,2,3")
    return tuple(int(number) for number in text.split(","))


def channel_order(text: str) -> str:
    """Return the order that a name stands for, if it is one; other text is left to the option's choices.

    >>> channel_order("acn"), channel_order("FuMa"), channel_order("WXYZ")
    ('WYZX', 'WXYZ', 'WXYZ')
    """
    return {"ACN": "WYZX", "FUMA": "WXYZ"}.get(text.upper(), text.upper())


def label_list(text: str) -> str:
    """Return ``LABEL,LABEL,...`` without spaces around the commas; a single word, such as ``predicted``, is one too.

    >>> label_list("Speech, Door bell")
    'Speech,Door bell'
    """
    labels = [label.strip() for label in text.split(",")]
    if not all(labels):
        raise ArgumentTypeError(f"{text[:80]!r} has an empty label; expected LABEL,LABEL,...")
    return ",".join(labels)


def _finite(text: str, expected: str, is_valid: Callable[[float], bool]) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value) and is_valid(value):
            return value
    raise ArgumentTypeError(f"{text[:80]!r} is not {expected}")
