"""YAML for ``--config``, nested by one level: ``separator_conf: {base: 16}`` is ``--separator_conf base=16``.

So is ``separator_conf: [base=16]``.
"""

from __future__ import annotations

import io
import logging
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TextIO

import configargparse

from s5lib.errors import ConfigError
from s5lib.untrusted import Record, parse_yaml, read_text, read_yaml, shown, to_json

__all__ = [
    "NestedYAMLParser",
    "assignments",
    "component_options",
    "joined_assignments",
    "open_config",
    "parse_assignments",
]

log = logging.getLogger(__name__)
_CONFIG_BYTES = 1 << 20


def _as_yaml(value: Any) -> str:
    return str(value) if isinstance(value, float) else to_json(value)


class NestedYAMLParser(configargparse.ConfigFileParser):  # type: ignore[misc]  # configargparse has no types
    """Reads a YAML mapping; a nested mapping becomes a list of ``key=value`` strings, a list stays one.

    Such strings, and all of an option ``..._conf``, begin with a space, which distinguishes them from those of the
    command line.
    """

    def get_syntax_description(self) -> str:
        """Describe the format, for a command's help."""
        return "YAML: option names without dashes as keys."

    def parse(self, stream: TextIO) -> OrderedDict[str, str | list[str]]:
        """Return the options in a file that :func:`open_config` opened."""
        how = {"error": configargparse.ConfigFileParserException, "advice": "Expected are lines 'option: value'."}
        content = Record(parse_yaml(stream.read(), stream.name, **how) or {}, stream.name, **how)
        if "config" in content.values:  # which configargparse would ignore
            message = f"{stream.name}: 'config' cannot be set in a file; give --config on the command line"
            raise configargparse.ConfigFileParserException(message)
        words = ((str(key), _words(str(key), value)) for key, value in content.values.items() if value is not None)
        return OrderedDict(words)


def open_config(path: str) -> TextIO:
    """Return a configuration file's text as a stream with a name; see :func:`s5lib.untrusted.read_text`.

    Raises:
        ConfigError: it is missing, no regular file, not UTF-8 or too large.
    """
    stream = io.StringIO(read_text(path, _CONFIG_BYTES, error=ConfigError))
    stream.name = path  # error messages begin with it
    return stream


def _words(option: str, value: Any) -> str | list[str]:
    """Return a YAML value as it would be written on the command line."""
    if isinstance(value, dict):
        return [f" {key}={_as_yaml(item)}" for key, item in value.items()]
    if isinstance(value, list):
        space = " " if option.endswith("_conf") else ""
        return [f"{space}{item}" for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_assignments(pairs: Sequence[str], option: str = "") -> dict[str, Any]:
    """Turn ``["base=16", "query=onehot"]`` into a dict, the values read as YAML; the last of equal keys holds.

    >>> parse_assignments(["base=16", "name=a=b"])
    {'base': 16, 'name': 'a=b'}

    Args:
        pairs: what the user gave.
        option: the option they were given to, for the message.

    Raises:
        ConfigError: an item has no ``=`` or its value is not YAML.
    """
    result = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{option and f'--{option}: '}expected KEY=VALUE, got {shown(pair)}.")
        advice = "Quote a value that has spaces: 'key=[1, 2]'."
        where = f"--{option} {key.strip()}" if option else key.strip()
        result[key.strip()] = parse_yaml(value, where, error=ConfigError, advice=advice)
    return result


def assignments(args: Namespace, option: str) -> dict[str, Any]:
    """Return :func:`parse_assignments` of what ``args`` have for ``--option``."""
    return parse_assignments(getattr(args, option), option)


def joined_assignments(args: Namespace, option: str) -> dict[str, Any]:
    """Join the assignments of ``--option`` in the configuration file with the command line's, which take precedence.

    The parser has the file's only where the command line has none: one key there would drop all others.

    Raises:
        ConfigError: as :func:`parse_assignments`, or the file has something else than assignments.
    """
    return {**_assignments_of(_content(args.config), option), **assignments(args, option)}


def _content(config: str | None) -> Record:
    """Return what a configuration file holds; nothing where there is none."""
    content = {} if config is None else read_yaml(config, error=ConfigError)
    return Record(content or {}, config, error=ConfigError)


def _assignments_of(content: Record, option: str) -> dict[str, Any]:
    """Return what a configuration file assigns with ``option``, a mapping or a list as on the command line."""
    found = content.get(option)
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return parse_assignments(found, option)
    if not isinstance(found, dict | None):
        content.reject(option, "names and values, or a list of KEY=VALUE")
    return dict(found or {})


def component_options(given: Sequence[str], name: str, kind: str, default: str, config: str | None) -> dict[str, Any]:
    """Join the options of a component from a configuration file and from the command line, which takes precedence.

    The file's options belong to the file's component and are ignored for any other.

    Args:
        given: ``key=value`` as the parser has them: the command line's, or the file's where that has none.
        name: the component to make.
        kind: ``"separator"``, whose options stand under ``separator_conf``.
        default: the component that the file means if it names none.
        config: path of the YAML file, or None.

    Raises:
        ConfigError: as :func:`joined_assignments`.
    """
    content, option = _content(config), f"{kind}_conf"
    in_file = _assignments_of(content, option)
    given = [pair for pair in given if not pair.startswith(" ")]
    of_another = content.get(kind, default) != name
    if of_another and in_file:
        log.info("%s: its %s is for %s; %s is made without it", config, option, content.get(kind, default), name)
    return {**({} if of_another else in_file), **parse_assignments(given, option)}
