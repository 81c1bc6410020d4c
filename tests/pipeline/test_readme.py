"""The README's blocks run as they stand."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def blocks(language, containing):
    found = [code for kind, code in BLOCKS if kind == language and containing in code]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def at_home(trained, tmp_path, monkeypatch):
    """A folder with a recording and a trained system where the README has them."""
    (tmp_path / "egs/dcase26_s5/exp").mkdir(parents=True)
    (tmp_path / "egs/dcase26_s5/exp/mini").symlink_to(trained)
    soundfile.write(tmp_path / "party.wav", 0.1 * np.random.default_rng(0).standard_normal((8000, 4)), 8000)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_own_recording_from_python(at_home, capsys):
    exec(compile(blocks("python", "load_system"), "README.md", "exec"), {})
    for line in capsys.readouterr().out.splitlines():
        assert re.fullmatch(r"(Bell|Dog|Rain|Speech) [01]\.\d+ \(8000,\)", line)


def test_own_recording_from_the_shell(at_home):
    from s5lib.bin.main import main

    command = blocks("bash", "s5lib infer").replace("\\\n", " ").splitlines()[1]
    assert main(shlex.split(command)[1:]) == 0
    assert (at_home / "separated/party.json").exists()


def test_metric_alone(capsys):
    exec(compile(blocks("python", "ca_pi_sdri"), "README.md", "exec"), {})
    assert capsys.readouterr().out.endswith("[(0, 1), (1, 0)] 2 0 0\n")


def test_own_separator_keeps_the_contract(tmp_path):
    (tmp_path / "mine.py").write_text(blocks("python", "class Gain"))
    code = "import s5lib; s5lib.plugins.register_plugin('mine.py'); print(s5lib.testing.check_separator('gain'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ", 0 failed" in done.stdout


def test_recipe_commands_are_understood(tmp_path):
    (tmp_path / "mine.py").write_text("")
    for kind, code in BLOCKS:
        for line in code.splitlines() if kind == "bash" else ():
            if line.startswith("egs/"):
                command = shlex.split(line, comments=True)
                done = subprocess.run(
                    [ROOT / command[0], *command[1:], "--dry_run"], cwd=tmp_path, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stderr
                assert "s5lib train separator" in done.stdout
