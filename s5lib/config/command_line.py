"""YAML files for ``--config``, nested one level: ``separator_conf: {base: 16}`` is ``--separator_conf base=16``."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict

import configargparse
import yaml

from s5lib.errors import ConfigError

__all__ = ["NestedYAMLParser", "assignments", "component_options", "parse_assignments"]

log = logging.getLogger(__name__)


class NestedYAMLParser(configargparse.ConfigFileParser):
    """Reads a YAML mapping; a nested mapping becomes a list of ``key=value`` strings, a list stays one."""

    def get_syntax_description(self):
        return "YAML: option names without dashes as keys."

    def parse(self, stream):
        try:
            content = yaml.safe_load(stream)
        except yaml.YAMLError as error:
            raise configargparse.ConfigFileParserException(f"{stream.name}: not YAML: {error}") from error
        if content is None:
            return OrderedDict()
        if not isinstance(content, dict):
            raise configargparse.ConfigFileParserException(
                f"{stream.name}: expected 'option: value' lines, found a {type(content).__name__}"
            )
        return OrderedDict((key, self._value(value)) for key, value in content.items() if value is not None)

    @staticmethod
    def _value(value):
        if isinstance(value, dict):
            return [f"{key}={json.dumps(item)}" for key, item in value.items()]
        if isinstance(value, list):
            return [str(item) for item in value]
        return str(value).lower() if isinstance(value, bool) else str(value)


def parse_assignments(pairs: list[str]) -> dict:
    """Turn ``["base=16", "query=onehot"]`` into a dict, the values read as YAML; the last of equal keys holds.

    >>> parse_assignments(["base=16", "name=a=b"])
    {'base': 16, 'name': 'a=b'}

    Raises:
        ValueError: an item has no ``=``.
    """
    result = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"expected key=value, got {pair!r}")
        result[key.strip()] = yaml.safe_load(value)
    return result


def assignments(args, option: str) -> dict:
    """Return :func:`parse_assignments` of the command's ``--option``, its error told as the option's.

    Raises:
        ConfigError: an item has no ``=`` or a value is not YAML.
    """
    try:
        return parse_assignments(getattr(args, option))
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"--{option}: {error}.") from None


def component_options(given: list[str], name: str, kind: str, default: str, config: str | None) -> dict:
    """Join the options of a component from a configuration file and from the command line, which go before.

    The file's are those of the file's component: for another one, they say nothing.

    Args:
        given: ``key=value`` as the parser has them: the command line's, or the file's where that has none.
        name: the component that is asked for.
        kind: ``"separator"``, whose options stand under ``separator_conf``.
        default: the component that the file means if it names none.
        config: path of the YAML file, or None.

    Raises:
        ValueError: an item has no ``=``.
    """
    content = {}
    if config is not None:
        with open(config, encoding="utf-8") as stream:
            content = yaml.safe_load(stream) or {}
    in_file = content.get(f"{kind}_conf") or {}
    if given == NestedYAMLParser._value(in_file):
        given = []
    of_another = content.get(kind, default) != name
    if of_another and in_file:
        log.info("%s: its %s_conf is that of %s; %s is made without", config, kind, content.get(kind, default), name)
    return {**({} if of_another else in_file), **parse_assignments(given)}
