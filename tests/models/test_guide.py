"""The guide's Python runs, from top to bottom."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "doc/models.md"


def test_python_of_the_guide(tmp_path, monkeypatch):
    pytest.importorskip("sentencepiece")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("s5lib.models.keep_freed_memory", lambda: True)  # it would concern all tests after this one
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(block, names)


def test_commands_of_the_guide_exist():
    from s5lib.bin.main import COMMANDS, build_parser

    text = GUIDE.read_text()
    for command, options in re.findall(r"^s5lib ([\w-]+)(.*)$", text, re.MULTILINE):
        assert command in COMMANDS
        known = {option for action in build_parser(command)._actions for option in action.option_strings}
        assert set(re.findall(r" (--\w+)", options)) <= known
