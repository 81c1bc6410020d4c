"""The directive ``commands``: a section for each command of ``s5lib``, made from its parser."""

from __future__ import annotations

import argparse
import re

from docutils import nodes
from docutils.parsers.rst import Directive

from s5lib.bin.main import COMMANDS, build_parser

COMMAND_LINE = re.compile(r"\s*(s5lib|egs/|python) ?")
CODE = re.compile(r"``(.+?)``|`([^`]+)`|'(s5lib [^']+)'|((?<![\w-])--[a-z]\w*|\b[A-Z]{3,}/[A-Z_./]+\b)")


class Commands(Directive):
    """Makes the sections from the parsers, so that they cannot differ from them."""

    def run(self):
        sections = []
        for name in COMMANDS:
            section = nodes.section(ids=[f"s5lib-{name}"], names=[f"s5lib {name}"])
            section += nodes.title(text=f"s5lib {name}")
            for parser in with_sub_commands(build_parser(name)):
                section += of_parser(parser)
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


def with_sub_commands(parser):
    """Return the parser and those of its sub-commands."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [parser, *(sub for group in groups for sub in group.choices.values())]


def of_parser(parser):
    """Return the description and the options of one parser."""
    if len(parser.prog.split()) > 2:  # a sub-command
        yield nodes.rubric(text=parser.prog)
    for text in (parser.description or "").strip().split("\n\n"):
        if COMMAND_LINE.match(text):
            lines = "\n".join(line.removeprefix("  ") for line in text.split("\n"))
            yield nodes.literal_block(lines, lines, language="sh")
        else:
            yield nodes.paragraph("", "", *with_code(" ".join(text.split())))
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if not isinstance(action, argparse._HelpAction)]
        shown = [action for action in shown if action.help != argparse.SUPPRESS]
        if not shown:
            continue
        if group.title not in ("positional arguments", "options"):
            yield nodes.rubric(text=group.title.capitalize())
        entries = nodes.definition_list(classes=["options"])
        for action in shown:
            entry = nodes.definition_list_item()
            entry += nodes.term("", "", nodes.literal(text=signature(parser, action)))
            help_text = parser._get_formatter()._expand_help(action) if action.help else ""
            if getattr(action, "required", False) and action.option_strings:
                help_text += " (required)"
            entry += nodes.definition("", nodes.paragraph("", "", *with_code(help_text)))
            entries += entry
        yield entries


def signature(parser, action):
    """Return an option with the name of its value: ``--nj N``."""
    value = parser._get_formatter()._format_args(
        action, action.dest if not action.option_strings else action.dest.upper()
    )
    if not action.option_strings:
        return value
    return ", ".join(f"{option} {value}".strip() for option in action.option_strings)


def with_code(text):
    """Return the nodes of a text in which options, commands and quoted code are set as code."""
    place = 0
    for found in CODE.finditer(text):
        if found.start() > place:
            yield nodes.Text(text[place : found.start()])
        yield nodes.literal(text=next(group for group in found.groups() if group))
        place = found.end()
    yield nodes.Text(text[place:])


def setup(app):
    """Add the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
