"""What setup.py puts into a distribution, and the version everywhere."""

import re
import runpy
from pathlib import Path

import pytest
import setuptools

import s5lib

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def arguments(monkeypatch):
    """The keywords that setup.py gives to ``setup``."""
    found = {}
    monkeypatch.setattr(setuptools, "setup", lambda **keywords: found.update(keywords))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return found


def test_every_file_of_the_package_is_distributed(arguments):
    files = {path for path in (ROOT / "s5lib").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    packed = set()
    for package in arguments["packages"]:
        folder = ROOT / package.replace(".", "/")
        for pattern in ["*.py", *arguments["package_data"].get(package, [])]:
            packed.update(folder.glob(pattern))
    assert packed == files


def test_description_stands_without_the_repository(arguments):
    text = arguments["long_description"]
    assert "](doc/" not in text and "](http" in text and text.startswith("# s5lib")


def test_version_everywhere(arguments):
    released = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert arguments["version"] == s5lib.__version__ == released.group(1) == cited.group(1)
