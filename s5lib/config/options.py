"""The options of a component: read from its config dataclass or its constructor, and filled with a user's values."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s5lib.config.values import convert, describe_type
from s5lib.errors import ConfigError, nearest
from s5lib.untrusted import shown

__all__ = ["REQUIRED", "Option", "fill", "options_of"]

REQUIRED = inspect.Parameter.empty
"""Stands for the default of a required option."""


@dataclass(frozen=True)
class Option:
    """One option: its name, declared type, default (:data:`REQUIRED` where there is none) and help text."""

    name: str
    annotation: Any
    default: Any = REQUIRED
    help: str = ""
    names_file: bool = False
    """Whether the value may name a file whose content is meant: ``field(metadata={"names_file": True})``."""

    @property
    def type(self) -> str:
        """The type in words."""
        return describe_type(self.annotation)


def options_of(target: type) -> list[Option]:
    """Return the options of a config dataclass, or, for any other class, the keywords of its constructor.

    A dataclass field is explained by the string below it, or by ``field(metadata={"help": ...})``.

    >>> from s5lib.interfaces import ModelConfig
    >>> [option.name for option in options_of(ModelConfig)]
    ['num_classes', 'num_sources', 'num_channels', 'sample_rate']
    """
    if dataclasses.is_dataclass(target):
        types, helps = typing.get_type_hints(target), _strings_below_fields(target)
        return [
            Option(
                f.name,
                types[f.name],
                _default(f),
                f.metadata.get("help", helps.get(f.name, "")),
                bool(f.metadata.get("names_file")),
            )
            for f in dataclasses.fields(target)
            if f.init
        ]
    constructor: Any = inspect.getattr_static(target, "__init__")
    if constructor is object.__init__:
        return []
    types = typing.get_type_hints(constructor)
    return [
        Option(parameter.name, types.get(parameter.name, Any), parameter.default)
        for parameter in list(inspect.signature(constructor).parameters.values())[1:]
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY)
    ]


def fill(values: Mapping[str, Any], options: list[Option], owner: str) -> dict[str, Any]:
    """Return ``values`` converted to the types of ``options``; ``owner`` is named in messages.

    Raises:
        ConfigError: an option is unknown, is missing or has a value of another type.
    """
    known = {option.name: option for option in options}
    filled = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"{owner} has no option {shown(name)}. {nearest(name, known)}")
        try:
            filled[name] = convert(value, known[name].annotation)
        except (ValueError, TypeError, OverflowError) as error:
            raise ConfigError(f"{owner}: option {name!r} is {shown(value)}, expected {known[name].type}.") from error
    missing = [option.name for option in options if option.default is REQUIRED and option.name not in filled]
    if missing:
        raise ConfigError(f"{owner} needs a value for {', '.join(missing)}.")
    return filled


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return REQUIRED if field.default_factory is dataclasses.MISSING else field.default_factory()


def _strings_below_fields(target: type) -> dict[str, str]:
    """Read the string literals below fields, base classes first; none without source code."""
    import ast  # only help texts need it

    helps = {}
    for base in reversed(target.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            (found,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
        for statement, below in itertools.pairwise(found.body if isinstance(found, ast.ClassDef) else []):
            if isinstance(statement, ast.AnnAssign) and isinstance(below, ast.Expr):
                text = getattr(below.value, "value", None)
                if isinstance(text, str) and isinstance(statement.target, ast.Name):
                    helps[statement.target.id] = " ".join(text.split())
    return helps
