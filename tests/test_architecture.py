"""The import graph: contracts of pyproject.toml, no cycles, renames in one place, and the table in the docs."""

import ast
import collections
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
EVERYWHERE = {"errors", "lazy", "version"}  # imported by nearly all packages, hence left out of the table


@pytest.fixture(scope="module")
def graph():
    """Who imports whom; imports inside functions and those for type checkers count."""
    return grimp.build_graph("s5lib", cache_dir=None)


def test_contracts():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_cycles_between_modules_and_packages(graph):
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = list(graphlib.TopologicalSorter(imports).static_order())
    assert order.index("s5lib.errors") < order.index("s5lib.bin.main")


def renames(source):
    """Return the lines that rename a file; strings and dataclasses have a ``replace`` with other arguments."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil")
        for alias in node.names
        if alias.name in ("rename", "renames", "replace", "move")
    }
    lines = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function = call.func
        if isinstance(function, ast.Name) and function.id in names:
            lines.append(call.lineno)
        elif isinstance(function, ast.Attribute):
            owner = function.value.id if isinstance(function.value, ast.Name) else ""
            of_path = len(call.args) + len(call.keywords) == 1 and owner != "dataclasses"
            if (
                function.attr in ("rename", "renames")
                or (owner, function.attr) in (("os", "replace"), ("shutil", "move"))
                or (function.attr == "replace" and of_path)
            ):
                lines.append(call.lineno)
    return lines


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nos.replace(a, b)", [2]),
        ("import os\nos.rename(a, b)", [2]),
        ("import shutil\nshutil.move(a, b)", [2]),
        ("from os import replace as put\nput(a, b)", [2]),
        ("path.replace(target)", [1]),
        ("(folder / name).replace(target=other)", [1]),
        ("Path(a).rename(b)", [1]),
        ("text.replace('a', 'b')", []),
        ("dataclasses.replace(settings, seed=1)", []),
        ("replace(settings, seed=1)", []),
    ],
)
def test_renames_are_recognised(source, found):
    assert renames(source) == found


def test_only_provenance_renames_files():
    others = [path for path in (ROOT / "s5lib").rglob("*.py") if path.parent.name != "provenance"]
    found = [f"{path.relative_to(ROOT)}:{line}" for path in others for line in renames(path.read_text("utf-8"))]
    assert not found, "use s5lib.provenance instead"


def test_table_of_the_documentation(graph):
    """The table of doc/architecture.md has each package above those that it imports."""
    text = (ROOT / "doc/architecture.md").read_text("utf-8")
    order = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    imports = collections.defaultdict(set)
    for module in graph.modules - {"s5lib"}:
        package = module.split(".")[1]
        imports[package] |= {found.split(".")[1] for found in graph.find_modules_directly_imported_by(module)}
    assert {*order} == imports.keys() - EVERYWHERE
    upward = [(a, b) for a in order for b in imports[a] - EVERYWHERE if order.index(b) < order.index(a)]
    assert not upward, "a package stands below what it imports"
    picture = (ROOT / "doc/pictures/architecture.svg").read_text("utf-8")
    assert set(re.findall(r">(\w+)(?:/|\.py)</text>", picture)) == {*order, "errors"}
