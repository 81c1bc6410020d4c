"""Every block of ``doc/plugins.md`` runs, in order, in one folder.

A comment above a block says how: ``recipe``, as a dry run of the recipe's script; ``slow``, only with the slow tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from s5lib import plugins

ROOT = Path(__file__).parents[2]
TAGGER = "egs/dcase26_s5/exp/mini/tagger/model.safetensors"
BLOCK = re.compile(r"(?:<!-- (\w+) -->\n)?```(\w+)\n(.*?)```\n", re.DOTALL)


def blocks():
    """Return ``(how, language, text)`` of each block."""
    return BLOCK.findall((ROOT / "doc/plugins.md").read_text())


@pytest.fixture
def execute(tmp_path, monkeypatch, capsys):
    """Return a function that runs a block and returns what it printed."""
    tools, site, work = tmp_path / "bin", tmp_path / "site", tmp_path / "work"
    for folder in (tools, work):
        folder.mkdir()
    pip = tools / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent}/installing.py" "{site}" "$@"\n')
    pip.chmod(0o755)
    (work / "egs").symlink_to(ROOT / "egs")
    (work / "tagger.safetensors").touch()  # a dry run looks whether it is there
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(site),
        "S5LIB_PLUGINS": "",
    }

    def execute(how, language, text):
        if how == "recipe":
            text = text.replace("run.sh", "run.sh --dry_run").replace(TAGGER, "tagger.safetensors")
        name = re.match(r"# file: (\S+)\n", text)
        if name:
            (work / name.group(1)).write_text(text)
            return ""
        if language == "python":
            return run_python(text)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_python(text):
        with monkeypatch.context() as patched:
            patched.setattr(plugins, "_registry", None)
            patched.syspath_prepend(site)
            patched.chdir(work)
            exec(compile(text, "plugins.md", "exec"), {"__name__": "block"})
        printed = capsys.readouterr().out
        expected = re.findall(r"print\(.*  # (.+)\n", text)
        for part in (part for line in expected for part in line.split("...")):
            assert part.strip() in printed, f"{part!r} is not in:\n{printed}"
        return printed

    return execute


def test_all_blocks_but_the_slow_ones_run(execute):
    printed = [execute(*block) for block in blocks() if block[0] != "slow"]
    printed = "\n".join(printed)
    assert "demo" in printed and "first_come" in printed
    assert "separator passthrough/passthrough: the mixture itself" in printed
    assert "s5lib train separator" in printed and "--separator demo" in printed


@pytest.mark.slow
def test_all_blocks_run(execute):
    for block in blocks():
        execute(*block)
