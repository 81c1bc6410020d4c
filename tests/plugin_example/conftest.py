"""In s5lib's own test run the distribution need not be installed: it is then taken from this folder."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from s5lib import plugins
from s5lib.plugins import register_plugin


@pytest.fixture(autouse=True)
def example_is_known(monkeypatch):
    try:
        importlib.metadata.distribution("s5lib-example")
    except importlib.metadata.PackageNotFoundError:
        monkeypatch.syspath_prepend(str(Path(__file__).parent))
        monkeypatch.setenv("S5LIB_PLUGINS", "")
        monkeypatch.setattr(plugins, "_registry", None)
        register_plugin("s5lib_example.plugin")
