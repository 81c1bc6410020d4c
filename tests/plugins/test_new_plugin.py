"""``s5lib new-plugin``: what it writes installs, is found, and passes its own tests."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s5lib import plugins
from s5lib.bin.main import main
from s5lib.errors import ConfigError
from s5lib.plugins.scaffold import write_plugin

from .installing import build


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_it_installs_and_can_be_made(tmp_path, monkeypatch, kind):
    name = f"my-{kind.replace('_', '-')}"
    build(write_plugin(kind, name, tmp_path / "here"), tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(plugins, "_registry", None)
    component = plugins.find(kind, name)
    assert (component.full_name, component.origin) == (f"{name}/{name}", f"s5lib-{name} 0.1.0")
    assert component.create() is not None
    assert kind == "aligner" or all(option.help for option in component.options())


def run_its_tests(tmp_path, kind, *arguments):
    package = write_plugin(kind, "demo", tmp_path)
    build(package, tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "S5LIB_PLUGINS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", *arguments]
    return subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)


def test_the_aligner_passes_its_tests(tmp_path):
    done = run_its_tests(tmp_path, "aligner")
    assert done.returncode == 0 and "7 passed, 1 skipped" in done.stdout, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tagger", "separator", "joint_model"])
def test_the_models_pass_their_tests(tmp_path, kind):
    done = run_its_tests(tmp_path, kind)
    assert done.returncode == 0, done.stdout


def test_the_command_says_what_to_do_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new-plugin", "separator", "demo"]) == 0
    out = capsys.readouterr().out
    assert "demo/s5lib_demo/model.py" in out and "pip install ./demo" in out and "pytest demo/tests" in out
    for file in Path("demo").rglob("*.py"):
        ast.parse(file.read_text())
        assert "${" not in file.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo"]  # nothing temporary stays


def test_nothing_is_overwritten(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert main(["new-plugin", "separator", "demo"]) == 1
    assert "demo already exists" in capsys.readouterr().err
    assert not list((tmp_path / "demo").iterdir())


@pytest.mark.parametrize("name", ["", "Demo", "a/b", "../up", "1st", "a b", "x" * 41, "resunetk", "s5lib"])
def test_names_that_cannot_be(tmp_path, name):
    with pytest.raises(ConfigError, match="name is"):
        write_plugin("separator", name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write into"):
        write_plugin("aligner", "demo", tmp_path / "file")


def test_templates_are_packaged(tmp_path):
    """What pip installs has the templates, not only a working copy."""
    root = Path(__file__).parents[2]
    code = (
        "import runpy, setuptools\n"
        "setuptools.setup = lambda **keywords: print(*keywords['package_data']['s5lib.plugins'])\n"
        "runpy.run_path('setup.py')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    patterns = done.stdout.split()
    base = root / "s5lib/plugins"
    packaged = {path for pattern in patterns for path in base.glob(pattern)}
    assert packaged == {path for path in (base / "templates").rglob("*") if path.is_file()}
