"""Plugins for tests: small distributions in a temporary folder on sys.path, found by their metadata like real ones."""

from __future__ import annotations

import logging
import sys
import textwrap

import pytest

from s5lib import plugins
from s5lib.plugins import loading
from s5lib.plugins.registry import DISABLE_AUTOLOAD, PLUGINS_VARIABLE

HEADER = "from s5lib.plugins import Capabilities, ComponentSpec\n"


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch):
    """Each test starts without plugins and leaves none behind."""
    modules, path = set(sys.modules), list(sys.path)
    monkeypatch.setenv(PLUGINS_VARIABLE, "")
    monkeypatch.setenv(DISABLE_AUTOLOAD, "0")
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.setattr(logging.getLogger("s5lib"), "propagate", True)  # a command that ran before turns it off
    monkeypatch.setattr(loading, "SLOW_SECONDS", 600)  # a loaded machine is no plugin's fault
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith(("torch", "s5lib", "numpy", "scipy")):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution with one module and an entry point of s5lib."""
    folder = tmp_path / "site packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(distribution, source, version="1.2", entry=None, **modules):
        name = distribution.replace("-", "_")
        (folder / f"{name}.py").write_text(HEADER + textwrap.dedent(source))
        for module, text in modules.items():
            (folder / f"{module}.py").write_text(textwrap.dedent(text))
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[s5lib]\n{entry or distribution} = {name}\n")
        monkeypatch.setattr(plugins, "_registry", None)
        return folder

    return install
