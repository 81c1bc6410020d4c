"""The tutorial notebook, cell by cell, on a tiny corpus; without Jupyter, whose few conventions are replayed here."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from s5lib import plugins
from s5lib.bin.main import main

BOOK = Path(__file__).parents[2] / "doc/tutorial.ipynb"
CELLS = [cell for cell in json.loads(BOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
SMALLER = {
    "STEPS = 300": "STEPS = 4",
    "--corpus mini --data_root corpus": "--corpus small --data_root {root}",
    "--duration 2 --valid_scenes 8 --test_scenes 20": "--duration 1 --valid_scenes 2 --test_scenes 5",
    "--valid_interval 100 --batch_size 8": "--valid_interval 2 --batch_size 2 --num_workers 0",
}


def run_cell(text, names):
    """Run a cell as IPython does and return what it would show: the value of a last line that is an expression."""
    if text.startswith("%%writefile "):
        first, _, rest = text.partition("\n")
        Path(first.split()[1]).write_text(rest, encoding="utf-8")
        return None
    if text.startswith("!"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("!").format_map(names))
            assert words[0] == "s5lib" and main(words[1:]) == 0, line
        return None
    body = ast.parse(text).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(last, "cell", "eval"), names) if last else None


def test_all_cells_run(corpus_with_test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("s5lib.models.keep_freed_memory", lambda: True)  # it would concern all tests after this one
    monkeypatch.setattr(plugins, "_registry", None)  # the notebook's plugin is of no interest to others
    names, shown, used = {}, [], set()
    for cell in CELLS:
        text = "".join(cell["source"])
        for size, smaller in SMALLER.items():
            if size in text:
                text = text.replace(size, smaller.replace("{root}", shlex.quote(str(corpus_with_test))))
                used.add(size)
        shown.append(run_cell(text, names))
    sys.modules.pop("mask_separator")
    assert used == set(SMALLER)
    (value, pairs), halved = [item for item in shown if isinstance(item, (tuple, float))]
    assert 19 < value < 21 and pairs == [(0, 1), (1, 0)] and halved == pytest.approx(3.01, abs=0.05)
    players = [item._repr_html_() for item in shown if hasattr(item, "_repr_html_")]
    assert len(players) == 2 and all(re.search(r"<audio controls .*base64,", player) for player in players)
    assert len(list(Path("separated").iterdir())) == len(names["sources"]) > 0
    assert "floor: best gain" in Path("exp/mask/RESULTS.md").read_text()


def test_nothing_of_a_machine_is_in_it():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS)
    assert not re.search(r"/(home|root|tmp|work|Users)/", BOOK.read_text())
