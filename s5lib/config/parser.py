"""The argument parser of every command: options from the command line and YAML; wrong ones are reported in one line."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import configargparse

from s5lib.config.command_line import NestedYAMLParser, open_config
from s5lib.errors import nearest
from s5lib.untrusted import shown

__all__ = ["CommandParser"]

_NUMBER = re.compile(r"-\.?\d")


class CommandParser(configargparse.ArgumentParser):  # type: ignore[misc]  # configargparse has no types
    """Suggests the nearest option or choice where one is unknown, and rejects empty values."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(
            config_file_parser_class=NestedYAMLParser,
            config_file_open_func=open_config,
            allow_abbrev=False,
            add_env_var_help=False,
            add_config_file_help=False,
            **options,
        )

    def parse_args(self, args: list[str] | None = None, namespace: Any = None, **more: Any) -> Any:
        """Parse the arguments; exit with status 2 and one line where they are wrong."""
        parsed, unknown = self.parse_known_args(args, namespace, **more)
        if unknown:  # from a configuration file, as those of the command line are seen before
            self._reject(unknown[0])
        return parsed

    def parse_known_args(
        self, args: list[str] | None = None, namespace: Any = None, **more: Any
    ) -> tuple[Any, list[str]]:
        """Look for unknown options first: argparse would complain about what their values leave missing."""
        if self._subparsers is None:  # with sub-commands, their parsers look
            for word in args or []:
                if word == "--":
                    break
                if self._is_unknown_option(word):
                    self._reject(word)
        parsed: tuple[Any, list[str]] = super().parse_known_args(args, namespace, **more)
        return parsed

    def _is_unknown_option(self, word: str) -> bool:
        name = word.partition("=")[0]
        is_option = len(word) > 1 and word[0] == "-" and " " not in name and not _NUMBER.match(word)
        return is_option and name not in self._option_string_actions

    def _reject(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            self.error(f"unexpected argument {shown(word)}.")
        name = word.partition("=")[0]
        names = [known for known in self._option_string_actions if known.startswith("--")]
        close = difflib.get_close_matches(name.lower().replace("-", "_").replace("__", "--", 1), names, n=1, cutoff=0.6)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        if os.path.lexists(word):
            hint = f" For the file, write {shown(os.path.join('.', word))}."
        self.error(f"no option {shown(name)}.{hint}")

    def convert_item_to_command_line_arg(self, action: argparse.Action | None, key: str, value: Any) -> list[str]:
        """Return the words for an option of a configuration file; exit where it takes one value and has several."""
        takes_more = action is None or isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+")
        if isinstance(value, list) and not takes_more:
            found = shown([word.strip() for word in value])
            self.error(f"argument --{key}: {found} is a list or a mapping; expected a single value")
        words: list[str] = super().convert_item_to_command_line_arg(action, key, value)
        return words

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        follows_sub_command = action.nargs == argparse.PARSER
        if not text.strip() and text != action.default and not follows_sub_command:
            raise argparse.ArgumentError(action, "the value is empty; leave the option out for its default")
        if "\0" in text:  # of a YAML file; no file has such a name
            raise argparse.ArgumentError(action, f"{shown(text)} has a NUL character, which no value can have")
        return super()._get_value(action, text)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices: Iterable[Any] | None = action.choices
        if choices is not None and value not in choices:
            raise argparse.ArgumentError(action, f"{shown(value)} is not a choice. {nearest(value, choices)}")

    def error(self, message: str) -> NoReturn:
        """Print one line, not the usage of forty options, and exit with status 2."""
        if message.startswith("Unable to open config file"):  # configargparse
            message = f"--config: {message.partition('Error: ')[2]}"
        self.exit(2, f"{self.prog}: error: {message} ('{self.prog} --help' lists the options)\n")
        raise AssertionError("exit returns never")
