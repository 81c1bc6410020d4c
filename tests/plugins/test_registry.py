"""Names: what is listed, how a name is resolved, what is said of an unknown one, who else sees a plugin."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s5lib import plugins
from s5lib.errors import PluginError
from s5lib.interfaces import Aligner, Assignment
from s5lib.plugins.registry import DISABLE_AUTOLOAD, PLUGINS_VARIABLE, Registry

ALIGNER = """
from s5lib.interfaces import Aligner, Assignment

class First(Aligner):
    def align(self, score, reference_labels, estimated_labels):
        return Assignment(((0, 0),))

def s5lib_aligners():
    return [ComponentSpec({name!r}, f"{{__name__}}:First", summary="pairs the first ones")]
"""


def test_builtins_are_listed_by_kind():
    assert "m2d" in plugins.available("tagger")
    assert "resunetk" in plugins.available("separator")
    assert {"ca_pi", "ca", "pi"} <= set(plugins.available("aligner"))


def test_unknown_kind_names_the_kinds():
    with pytest.raises(PluginError, match="unknown kind of component 'seperator'.*Did you mean 'separator'"):
        plugins.available("seperator")


def test_unknown_name_has_the_known_ones_and_the_nearest():
    with pytest.raises(PluginError, match="No separator 'resunet_k'. Known: .*Did you mean 'resunetk'"):
        plugins.find("separator", "resunet_k")


def test_installed_plugin_is_found_by_bare_and_full_name_and_knows_its_origin(install):
    install("acme-first", ALIGNER.format(name="first"), version="3.1", entry="acme")
    assert "first" in plugins.available("aligner")
    for name in ("first", "acme/first", "acme-first/first", "acme_first/first"):
        component = plugins.find("aligner", name)
        assert (component.distribution, component.version, component.full_name) == ("acme-first", "3.1", "acme/first")
    assert isinstance(plugins.create("aligner", "first"), Aligner)
    assert plugins.create("aligner", "acme/first").align(None, [], []) == Assignment(((0, 0),))


def test_a_builtin_keeps_its_name(install):
    install("acme", ALIGNER.format(name="ca_pi"))
    assert plugins.find("aligner", "ca_pi").distribution == "s5lib"
    assert plugins.find("aligner", "acme/ca_pi").distribution == "acme"
    assert plugins.find("aligner", "s5lib/ca_pi").distribution == "s5lib"
    assert {"ca_pi", "acme/ca_pi"} <= set(plugins.available("aligner"))


def test_a_bare_name_of_two_plugins_asks_which(install):
    install("acme", ALIGNER.format(name="first"))
    install("other", ALIGNER.format(name="first"), version="0.1")
    with pytest.raises(PluginError, match=r"acme/first \(acme 1.2\), other/first \(other 0.1\)"):
        plugins.find("aligner", "first")
    assert plugins.find("aligner", "other/first").distribution == "other"
    assert {"acme/first", "other/first"} <= set(plugins.available("aligner"))


def test_a_builtins_name_imports_no_plugin(install):
    install("acme", "raise AssertionError('imported')")
    plugins.create("aligner", "pi")
    assert "acme" not in sys.modules


def test_autoload_can_be_switched_off(install, monkeypatch):
    install("acme", ALIGNER.format(name="first"))
    monkeypatch.setenv(DISABLE_AUTOLOAD, "1")
    assert "first" not in plugins.available("aligner")
    plugins.register_plugin("acme")
    assert "first" in plugins.available("aligner")


def test_a_file_is_a_plugin(tmp_path):
    file = tmp_path / "my_first.py"
    file.write_text("from s5lib.plugins import ComponentSpec" + ALIGNER.format(name="first"))
    plugins.register_plugin(str(file))
    component = plugins.find("aligner", "my_first/first")
    assert (component.distribution, component.version) == ("my_first.py", "")
    assert plugins.find("aligner", "first") == component
    plugins.register_plugin(str(file))  # twice is once
    assert os.environ[PLUGINS_VARIABLE] == str(file.resolve())


STEM = st.text(st.sampled_from("aB_é7- +,'"), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEM, STEM)
def test_the_name_of_a_file_is_what_can_be_referred_to(tmp_path_factory, first, second):
    """Else the message is about the file, and the name that it advises works."""
    file = tmp_path_factory.mktemp("named") / f"{first}x{second}.py"
    file.write_text("from s5lib.plugins import ComponentSpec" + ALIGNER.format(name="first"))
    if not file.stem.replace("-", "_").isidentifier() or file.stem.startswith("-"):
        with pytest.raises(PluginError, match="must be a Python identifier") as caught:
            Registry().register(str(file))
        assert "target" not in str(caught.value)
        file = file.rename(file.with_name(re.search(r"rename it to (\S+\.py)", str(caught.value))[1]))
        assert file.stem.isidentifier()
    Registry().register(str(file))
    del sys.modules[file.stem]
    sys.path.remove(str(file.parent))  # else the next file of this name is looked for here


def test_child_processes_see_a_named_plugin(tmp_path):
    file = tmp_path / "my_first.py"
    file.write_text("from s5lib.plugins import ComponentSpec" + ALIGNER.format(name="first"))
    plugins.register_plugin(str(file))
    code = "from s5lib import plugins; print(type(plugins.create('aligner', 'first')).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.stdout.strip() == "First", done.stderr


@pytest.mark.parametrize(
    "name, message",
    [
        ("missing.py", "FileNotFoundError: no file"),
        ("no_such_module_anywhere", "ModuleNotFoundError"),
        ("json.py", "'json' is already the name of the module"),
        ("a.b.py", "no '.' in its stem"),
    ],
)
def test_what_cannot_be_named_is_reported_at_once(tmp_path, monkeypatch, name, message):
    if name.endswith(".py"):
        if name != "missing.py":
            (tmp_path / name).write_text("")
        name = str(tmp_path / name)
    with pytest.raises(PluginError, match=message):
        plugins.register_plugin(name)
    assert os.environ[PLUGINS_VARIABLE] == ""


def test_a_component_of_a_forgotten_plugin_is_explained(tmp_path):
    with pytest.raises(PluginError, match="No separator 'gain'.* --plugin FILE"):
        plugins.find("separator", "gain")
    with pytest.raises(PluginError, match="No separator 'mine/gain'.* --plugin FILE"):
        plugins.find("separator", "mine/gain")


def test_a_checkpoint_of_a_missing_plugin_says_what_to_install():
    with pytest.raises(PluginError, match=r"acme/bsrnn comes from acme-bsrnn 0.3, .*author"):
        plugins.find("separator", "acme/bsrnn", distribution="acme-bsrnn", version="0.3")
    with pytest.raises(PluginError, match=r"plugin mine.py, which is not loaded.* --plugin FILE"):
        plugins.find("separator", "mine/x", distribution="mine.py")
    with pytest.raises(PluginError, match="plugin my_module, which is not loaded.* --plugin FILE"):
        plugins.find("separator", "my_module/x", distribution="my_module")


def test_a_checkpoints_distribution_decides_between_equal_names(install):
    install("acme", ALIGNER.format(name="ca_pi"))
    assert plugins.find("aligner", "ca_pi", distribution="acme").distribution == "acme"
    assert plugins.find("aligner", "ca_pi", distribution="s5lib").distribution == "s5lib"


def test_listing_imports_no_torch_and_is_quick():
    code = """
import sys, time
start = time.process_time()
from s5lib import plugins
names = [plugins.available(kind) for kind in plugins.KINDS]
plugins.find("separator", "resunetk").configure(channels="8,16")
assert "torch" not in sys.modules and names
print(time.process_time() - start)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.5
