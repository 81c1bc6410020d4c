"""Foreign names on a terminal, and outputs that are closed, full or know ASCII alone."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys

import pytest

from s5lib import plugins
from s5lib.bin.main import main
from s5lib.data import DataDirectory
from s5lib.untrusted.terminal import SafeFormatter, safe_output

ESCAPES = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\x08\x08", "\u202edoc", "\ud800"]


@pytest.mark.parametrize("escape", ESCAPES, ids=ascii)
def test_streams(escape, monkeypatch):
    out, error = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", error)
    with safe_output():
        print(f"Dog{escape}Cat")
        print(f"Dog{escape}Cat", file=sys.stderr)
        print("  1%|#", end="\r", file=sys.stderr)
    assert sys.stdout is out and escape not in out.getvalue() and out.getvalue().startswith("Dog")
    assert error.getvalue().endswith("#\r") and (escape == "\r" or escape not in error.getvalue())


@pytest.mark.parametrize("escape", ESCAPES, ids=ascii)
def test_log_lines(escape):
    line = SafeFormatter("%(message)s").format(logging.makeLogRecord({"msg": "%s", "args": (f"a{escape}b",)}))
    assert escape not in line and line.startswith("a")


def test_errors_of_a_command(tmp_path, capsys):
    for name in ("a\x1b[2Jb", "a\rb", "a\x9bb"):
        assert main(["report", str(tmp_path / name)]) == 1
        assert main(["validate", str(tmp_path / name)]) == 1
    shown = capsys.readouterr()
    assert not any(letter in shown.out + shown.err for letter in "\x1b\r\x9b")


@pytest.fixture
def labels(tmp_path):
    """A data directory with a foreign label; 's5lib validate' shows what it holds."""
    (tmp_path / "wav.scp").write_text("a /nowhere/é.wav\n", encoding="utf-8")
    (tmp_path / "labels").write_text("a Dög\x1b[2J\n", encoding="utf-8")
    DataDirectory.read(tmp_path)
    return tmp_path


def run(*command, **how):
    environment = {**os.environ, **how.pop("env", {})}
    return subprocess.run([sys.executable, "-m", "s5lib.bin.main", *map(str, command)], env=environment, **how)


@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}])
def test_ascii_locales(labels, locale):
    done = run("validate", labels, env={"PYTHONUTF8": "0", **locale}, capture_output=True)
    assert done.returncode == 1 and b"Traceback" not in done.stderr and b"\x1b" not in done.stdout + done.stderr


COMMANDS = (["--help"], ["plugins"], ["doctor", "--json"], ["synth", "--help"], ["describe", "nothing"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_output(command):
    with open("/dev/full", "w") as full:
        done = run(*command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 2
    with open("/dev/full", "w") as full:
        assert run(*command, stdout=full, stderr=full).returncode == 1


@pytest.mark.parametrize("command", COMMANDS[:3], ids=" ".join)
def test_a_closed_output(command, tmp_path):
    words = " ".join([sys.executable, "-m", "s5lib.bin.main", *command])
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["bash", "-c", f"{words} {closed}"], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0 and "Traceback" not in done.stderr + done.stdout


def test_a_reader_that_has_enough():
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m s5lib.bin.main plugins --json | head -c 10"],
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and len(done.stdout) == 10


def test_a_plugin_that_ends_the_program(tmp_path, capsys, monkeypatch):
    """It ended with status 0 and without output."""
    monkeypatch.setenv("S5LIB_PLUGINS", "")
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "quitter.py").write_text(
        "import sys\n"
        "from dataclasses import dataclass\n"
        "from s5lib.interfaces import ModelConfig\n"
        "from s5lib.plugins import ComponentSpec\n"
        "from s5lib.interfaces.models import Separator\n"
        "class Model(Separator):\n"
        "    def forward(self, mixture, query):\n"
        "        sys.exit(0)\n"
        "def s5lib_separators():\n"
        "    return [ComponentSpec('quitter', 'quitter:Model')]\n"
    )
    assert main(["describe", "quitter", "--plugin", str(tmp_path / "quitter.py")]) == 1
    assert "ended the program" in capsys.readouterr().err
