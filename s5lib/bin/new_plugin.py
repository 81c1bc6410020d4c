"""Write a new plugin: an installable package with a working component, its options and its tests.

s5lib new-plugin separator demo
pip install ./demo
s5lib plugins separator demo
"""

from __future__ import annotations

import argparse

from s5lib.plugins import KINDS
from s5lib.plugins.scaffold import write_plugin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=list(KINDS), help="kind of component")
    parser.add_argument("name", help="the component's name: lowercase letters, digits, '_' and '-'")
    parser.add_argument("--folder", default=".", help="where to make the package's folder (default: here)")


def run(args: argparse.Namespace) -> None:
    place = write_plugin(args.kind, args.name, args.folder)
    print(f"Made the {args.kind} {args.name}:")
    for file in sorted(path for path in place.rglob("*") if path.is_file()):
        print(f"  {file}")
    prefix = "" if place.is_absolute() else "./"
    print(f"Next:\n  pip install {prefix}{place}\n  pytest {place}/tests\n  s5lib plugins {args.kind} {args.name}")
