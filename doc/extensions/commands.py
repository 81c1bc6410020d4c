"""The directive ``commands``: a section for each command of ``s5lib``, with what its ``--help`` says."""

from __future__ import annotations

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive

from s5lib.bin.main import COMMANDS, build_parser


class Commands(Directive):
    """Makes the sections from the parsers, so that they cannot differ from them."""

    def run(self):
        os.environ["COLUMNS"] = "110"  # what the help is folded to
        sections = []
        for name, (_, summary) in COMMANDS.items():
            section = nodes.section(ids=[f"s5lib-{name}"], names=[f"s5lib {name}"])
            section += nodes.title(text=f"s5lib {name}")
            section += nodes.paragraph(text=f"{summary[0].upper()}{summary[1:]}.")
            for parser in with_sub_commands(build_parser(name)):
                text = parser.format_help()
                section += nodes.literal_block(text, text, language="text")
            sections.append(section)
        return sections


def with_sub_commands(parser):
    """Return the parser and those of its sub-commands."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [parser, *(sub for group in groups for sub in group.choices.values())]


def setup(app):
    """Tell Sphinx about the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
