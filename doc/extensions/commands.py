"""The directive ``commands``: a section for each command of ``s5lib``, with what its ``--help`` says."""

from __future__ import annotations

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
            text = build_parser(name).format_help()
            section += nodes.literal_block(text, text, language="text")
            sections.append(section)
        return sections


def setup(app):
    """Tell Sphinx about the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
