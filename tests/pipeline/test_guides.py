"""The blocks of the guides run, page by page and in order, on a tiny corpus and tiny models.

Commands of `s5lib` are run as they stand, scripts of the recipe as dry runs.  ``<!-- shown -->`` above a block
says that it can't be run in a test (it takes hours, a network or a cluster); its commands are then only parsed.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from s5lib import plugins
from s5lib.bin.main import COMMANDS, build_parser, main
from s5lib.testing import check_separator

from .conftest import infer_command

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {"metric.md", "models.md", "own_sounds.md", "plugins.md"}  # tests of their own
PAGES = sorted(path for path in (ROOT / "doc").glob("*.md") if path.name not in ELSEWHERE)
PAGES.append(ROOT / "CONTRIBUTING.md")
BLOCK = re.compile(r"(?:<!-- (\w+) -->\n)?```(sh|bash|python)\n(.*?)```\n", re.DOTALL)
OTHERS = {".", "pip", "pre-commit", "python3", "sbatch", "srun", "tensorboard", "torchrun"}  # not ours
OTHERS |= {"lint-imports", "mypy", "pytest", "ruff"}


@pytest.fixture(scope="session")
def household(corpus_with_test, prepared, trained, trained_joint, tmp_path_factory):
    """A checkout with a trained experiment, recordings and data where the guides have them."""
    home = tmp_path_factory.mktemp("home")
    recipe = home / "egs/dcase26_s5"
    recipe.mkdir(parents=True)
    others = [ROOT / name for name in ("egs/TEMPLATE", "s5lib", "tools", "setup.py", "constraints.txt")]
    for path in [*(ROOT / "egs/dcase26_s5").iterdir(), *others]:
        if path.name not in ("exp", "data", "dump"):
            (home / path.relative_to(ROOT)).symlink_to(path)
    exp = recipe / "exp/mini"
    exp.mkdir(parents=True)
    for name in ("tagger", "separator"):
        (exp / name).symlink_to(trained / name)
        (home / f"{name}.safetensors").symlink_to(trained / name / "model.safetensors")
    (home / "joint_model.safetensors").symlink_to(trained_joint / "joint_model/model.safetensors")
    data = ["--data_dir", str(prepared / "data/test")]
    assert main(infer_command(prepared, trained, exp / "infer/test")) == 0
    assert main(["score", *data, "--infer_dir", str(exp / "infer/test"), "--out", str(exp / "RESULTS.md")]) == 0
    (recipe / "data").mkdir()
    (recipe / "data/mini").symlink_to(prepared / "data")
    shutil.copytree(prepared / "data/test", home / "data/test")  # a guide mends it
    (home / "corpus").symlink_to(corpus_with_test)
    (home / "recordings").mkdir()
    (home / "recordings/kitchen").symlink_to(corpus_with_test)
    noise = np.random.default_rng(0)
    (home / "field_recordings").mkdir()
    for name in (
        "party.wav",
        "party.flac",
        "recording.wav",
        "street.wav",
        "field_recordings/a.wav",
        "field_recordings/b.wav",
    ):
        soundfile.write(home / name, 0.1 * noise.standard_normal((8000, 4)), 8000)
    return home


@pytest.fixture
def home(household, tmp_path, monkeypatch):
    """One's own view of the household, so that no page sees what another has written."""
    for path in household.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("s5lib.models.keep_freed_memory", lambda: True)  # it would concern all tests after this one
    return tmp_path


def commands(text: str) -> list[list[str]]:
    """Return the words of each command of a shell block, with the values of its variables."""
    variable = re.compile(r"^([a-z]+)=(\S+)\n", re.MULTILINE)
    for name, value in variable.findall(text):
        text = text.replace(f"${name}", value)
    lines = variable.sub("", text).replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def run_command(words: list[str], home: Path, shown: bool) -> None:
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    program = words[0]
    if program == "cd":
        os.chdir(words[1])
    elif program == "s5lib":
        if shown:
            assert words[1] in COMMANDS
            build_parser(words[1]).parse_args(words[2:])
        else:
            assert main(words[1:]) == 0, shlex.join(words)
    elif program.startswith("egs/"):
        if not shown:
            done = subprocess.run(
                [home / program, *words[1:], "--dry_run"], cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        assert os.access(ROOT / program, os.X_OK)
    elif "/" in program:
        assert os.access(ROOT / program, os.X_OK), program
    else:
        assert program in OTHERS, program


def run_page(page: Path, home: Path) -> None:
    names = {"waveform": np.zeros((4, 8000), np.float32), "sample_rate": 8000}
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for how, language, text in blocks:
        text = re.sub(r"/data/dcase26(t4)?", str(home / "corpus"), text).replace("~/", f"{home}/")
        if language != "python":
            os.chdir(home)
            for words in commands(text):
                run_command(words, home, how == "shown")
        elif ">>>" in text:
            test = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), 0)
            assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False).failed == 0
            names.update(test.globs)
        else:
            code = compile(text, page.name, "exec")
            if how != "shown":
                exec(code, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_of_a_page(page, home):
    run_page(page, home)


def test_readme(home, capsys):
    run_page(ROOT / "README.md", home)
    printed = capsys.readouterr().out
    assert re.search(r"^(Bell|Dog|Rain|Speech) [01]\.\d+ \(8000,\)$", printed, re.MULTILINE)
    assert "[(0, 1), (1, 0)] 2 0 0\n" in printed
    assert (home / "separated/party.json").exists() and (home / "report.html").exists()


def test_separator_of_the_readme(tmp_path, monkeypatch):
    (source,) = (text for *_, text in BLOCK.findall((ROOT / "README.md").read_text()) if "class Gain" in text)
    (tmp_path / "mine.py").write_text(source)
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.setenv("S5LIB_PLUGINS", "")
    monkeypatch.syspath_prepend(tmp_path)  # restored afterwards
    plugins.register_plugin(str(tmp_path / "mine.py"))
    assert not check_separator("gain").failed
