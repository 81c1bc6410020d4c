"""tools/check_install.py: what it finds, and what it says to do."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from .conftest import REPOSITORY

SCRIPT = REPOSITORY / "tools/check_install.py"


@pytest.fixture
def check(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("check_install", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", "/nowhere")
    monkeypatch.setattr(module, "report_devices", lambda: None)  # imports torch
    monkeypatch.syspath_prepend(tmp_path)
    return module


def fake_distribution(folder, name, version):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_requirements_are_those_of_setup(check):
    install, extras = check.declared()
    assert "pluggy>=1.6" in install and extras["kaldi"] == ["kaldiio>=2.18"]
    assert set(extras) == set(check.PURPOSES)


def test_releases_are_compared_as_numbers(check, tmp_path):
    assert check.release("2.11.0+cu130") == (2, 11, 0) and check.release("2.0rc1") == (2, 0)
    fake_distribution(tmp_path, "madeup", "1.9")
    assert check.problem_of("madeup>=1.9") == ("madeup", "1.9", None)
    assert check.problem_of("madeup>=1.10")[2].startswith("too old")
    assert check.problem_of("neverwas>=1") == ("neverwas", "-", "missing")


def test_a_pair_of_different_releases(check, tmp_path):
    fake_distribution(tmp_path, "torch", "2.11.0+cu130")
    fake_distribution(tmp_path, "torchaudio", "2.9.1")
    assert "2.11.0+cu130" in check.pair_problem() and "2.9.1" in check.pair_problem()
    assert check.quick([]) == 1


def test_a_package_that_breaks_on_import(check, tmp_path, monkeypatch, capsys):
    fake_distribution(tmp_path, "brokenone", "3.0")
    (tmp_path / "brokenone.py").write_text("import sys; sys.exit('bye')\n")
    monkeypatch.setattr(check, "declared", lambda: (["brokenone>=1", "neverwas>=1"], {"kaldi": ["neverwas>=1"]}))
    assert check.main([]) == 1
    printed = capsys.readouterr().out
    assert "brokenone: SystemExit: bye" in printed and "neverwas: missing" in printed
    assert "tools/install.sh kaldi" in printed


def test_all_is_well_with_the_python_of_the_tests(check, monkeypatch):
    install, extras = check.declared()
    light = [item for item in install if item.split(">=")[0] in ("numpy", "pluggy", "PyYAML", "safetensors")]
    monkeypatch.setattr(check, "declared", lambda: (light, extras))
    assert check.main([]) == 0


def test_an_old_python(check, monkeypatch, capsys):
    monkeypatch.setattr(check, "OLDEST_PYTHON", (99, 0))
    assert check.main(["--quick"]) == 1 and check.main([]) == 1
    assert "too old" in capsys.readouterr().out


def test_quick_check_imports_nothing_heavy():
    program = "import runpy, sys; sys.argv = ['x', '--quick']\n"
    program += f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    program += "except SystemExit as end: print(end.code, 'torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 False False"
