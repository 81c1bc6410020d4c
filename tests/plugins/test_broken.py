"""Broken plugins: none disturbs a run that does not ask for it; asked for, each is named with version and cause."""

from __future__ import annotations

import logging

import pytest

from s5lib import plugins
from s5lib.errors import PluginError
from s5lib.plugins import loading

LISTED = "def s5lib_separators(): return [ComponentSpec('it', 'model_of_it:Model')]\n"

BROKEN = {
    "import error": ("raise ImportError('libfoo.so is missing')", "ImportError: libfoo.so is missing"),
    "SystemExit at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax error": ("def s5lib_separators(:", "SyntaxError"),
    "duplicate name": (
        "def s5lib_separators(): return [ComponentSpec('it', 'a:B'), ComponentSpec('it', 'a:C')]",
        "it lists the separator 'it' twice",
    ),
    "misspelt hook": (
        "def s5lib_seperators(): return []",
        "it has a hook 's5lib_seperators'. .*Did you mean 's5lib_separators'",
    ),
    "no hook": ("x = 1", "it has none of the hooks"),
    "wrong signature": ("def s5lib_separators(registry): return []", "registry.*can not be found in the hookspec"),
    "raising hook": ("def s5lib_separators(): raise RuntimeError('not today')", "RuntimeError: not today"),
    "no list": ("def s5lib_separators(): return ComponentSpec('it', 'a:B')", "expected a list of ComponentSpec"),
    "newer contract": (
        "def s5lib_separators(): return [ComponentSpec('it', 'a:B', api_version=99)]",
        "needs version 99 of s5lib's plugin contract.*upgrade s5lib",
    ),
    "newer field": (
        "def s5lib_separators(): return [ComponentSpec('it', 'a:B', colour='red')]",
        "unexpected keyword argument 'colour'.*may need a newer s5lib",
    ),
    "missing dependency": (
        "import a_package_that_is_not_here.part",
        "install the package 'a_package_that_is_not_here'",
    ),
    "bad target": (
        "def s5lib_separators(): return [ComponentSpec('it', 'no class')]",
        "target must be 'package.module",
    ),
}

TARGETS = {
    "missing dependency of the model": (
        "import a_package_that_is_not_here",
        "needs the package 'a_package_that_is_not_here'",
    ),
    "SystemExit when the model is imported": ("raise SystemExit('licence expired')", "SystemExit: licence expired"),
    "no such class": ("x = 1", "has no attribute 'Model'"),
    "not a separator": ("class Model: pass", "does not inherit from s5lib.interfaces.Separator"),
    "raising factory": (
        "from s5lib.interfaces import Separator\n"
        "class Model(Separator):\n    def __init__(self, config): raise RuntimeError('no weights')",
        "could not be built: RuntimeError: no weights",
    ),
}


@pytest.mark.parametrize("source, cause", BROKEN.values(), ids=BROKEN)
def test_a_plugin_that_does_not_load(install, caplog, source, cause):
    install("acme-broken", source, version="0.7", entry="acme")
    install("fine", LISTED)
    assert plugins.find("separator", "resunetk").distribution == "s5lib"
    assert not caplog.records  # nothing asked for it yet
    assert "it" in plugins.available("separator")
    assert len(caplog.records) == 1 and "\n" not in caplog.messages[0] and "acme-broken 0.7" in caplog.messages[0]
    with pytest.raises(PluginError, match=f"(?s)acme-broken 0.7.*{cause}"):
        plugins.find("separator", "acme/it")
    with pytest.raises(PluginError, match=f"(?s)No separator 'other'.*may have it: acme-broken 0.7.*{cause}"):
        plugins.find("separator", "other")
    with pytest.raises(PluginError, match=f"(?s)--plugin acme_broken.*{cause}"):
        plugins.register_plugin("acme_broken")


@pytest.mark.parametrize("model, cause", TARGETS.values(), ids=TARGETS)
def test_a_model_that_cannot_be_made(install, model, cause):
    install("acme", LISTED, version="0.7", model_of_it=model)
    assert "it" in plugins.available("separator")
    with pytest.raises(PluginError, match=rf"(?s)separator acme/it \(acme 0.7\).*{cause}"):
        plugins.create("separator", "it")


@pytest.mark.parametrize(
    "output, shape",
    [("mixture[:, :1]", r"\(2, 1, 50\)"), ("mixture[..., 1:]", r"\(2, 4, 49\)"), ("[mixture]", "a list")],
)
def test_a_model_that_returns_another_shape(install, output, shape):
    import torch

    model = f"""
        from s5lib.interfaces import Separator
        class Model(Separator):
            def forward(self, mixture, query):
                return {output}
    """
    install("acme", LISTED, version="0.7", model_of_it=model)
    separator = plugins.create("separator", "it", num_sources=3, num_classes=5)
    with pytest.raises(PluginError, match=rf"acme/it \(acme 0.7\) returned {shape}.*expected \(2, 3, 50\)"):
        separator(torch.zeros(2, 4, 50), torch.zeros(2, 3, 5))


def test_a_slow_import_is_reported(install, caplog, monkeypatch):
    monkeypatch.setattr(loading, "SLOW_SECONDS", 0.01)
    install("acme", "import time; time.sleep(0.02)\n" + LISTED)
    assert "it" in plugins.available("separator")
    assert "acme 1.2 took" in caplog.text


def test_a_file_that_the_user_names_may_import_what_it_needs(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(loading, "SLOW_SECONDS", 0.01)
    file = tmp_path / "own_slow_plugin.py"
    file.write_text(f"import time\ntime.sleep(0.02)\nfrom s5lib.plugins import ComponentSpec\n{LISTED}")
    plugins.register_plugin(str(file))
    assert "it" in plugins.available("separator") and "took" not in caplog.text


def test_what_a_plugin_prints_stays_out_of_the_output(install, capsys):
    install("acme", "print('hello')\n" + LISTED)
    plugins.available("separator")
    assert capsys.readouterr().out == ""


def test_ctrl_c_is_not_swallowed(install):
    install("acme", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        plugins.available("separator")


def test_a_broken_plugin_named_by_the_environment_is_reported_not_fatal(monkeypatch, caplog):
    monkeypatch.setenv("S5LIB_PLUGINS", "/nowhere/x.py")
    caplog.set_level(logging.WARNING)
    assert "resunetk" in plugins.available("separator")
    assert "no file /nowhere/x.py" in caplog.text
