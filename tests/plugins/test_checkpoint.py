"""A checkpoint of a plugin's model: loads where the plugin is, says what to install where it is not."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from s5lib import plugins
from s5lib.bin.main import main
from s5lib.errors import PluginError
from s5lib.models import load_model, save_checkpoint
from s5lib.plugins import registry

LISTED = "def s5lib_separators(): return [ComponentSpec('gain', 'model_of_it:Gain')]"
MODEL = """
    import torch
    from s5lib.interfaces import Separator

    class Gain(Separator):
        def __init__(self, config):
            super().__init__(config)
            self.gain = torch.nn.Parameter(torch.rand(1))

        def forward(self, mixture, query):
            return self.gain * mixture[:, :1] * query.sum(-1, keepdim=True)
"""


@pytest.fixture
def checkpoint(install, tmp_path):
    install("acme-gain", LISTED, version="0.4", entry="acme", model_of_it=MODEL)
    component = plugins.find("separator", "gain")
    model = component.create(num_classes=2)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, "separator", "gain", component.distribution, component.version, ["Cough", "Pour"])
    return path, model


def test_it_loads_where_the_plugin_is(checkpoint):
    path, model = checkpoint
    loaded, header = load_model(path)
    assert torch.equal(loaded.gain, model.gain)
    assert (header["distribution"], header["version"], header["labels"]) == ("acme-gain", "0.4", ["Cough", "Pour"])


def test_it_says_what_to_install_where_it_is_not(checkpoint, monkeypatch):
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.setattr(registry, "_installed_plugins", list)
    with pytest.raises(PluginError, match=r"gain comes from acme-gain 0.4, .*author"):
        load_model(checkpoint[0])


def test_it_says_what_to_unset_where_plugins_are_switched_off(checkpoint, monkeypatch):
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.setenv("S5LIB_DISABLE_PLUGIN_AUTOLOAD", "1")
    with pytest.raises(PluginError, match=r"gain comes from acme-gain 0.4, which S5LIB_DISABLE.* unset it"):
        load_model(checkpoint[0])


def test_its_code_is_a_part_of_what_made_a_result(checkpoint, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal((8000, 4)), 32000)
    line = ["infer", str(tmp_path / "a.wav"), "--separator", str(checkpoint[0]), "--labels", "Cough", "--nj", "1"]
    line += ["--out", str(tmp_path / "out")]
    assert main(line) == 0 == main(line)
    assert "1 of 1 recordings are finished already" in capsys.readouterr().out
    with open(tmp_path / "site packages/model_of_it.py", "a") as code:
        code.write("# another state\n")
    assert main(line) == 0
    assert "the separator code changed: 1 recordings" in capsys.readouterr().out


def test_the_digest_of_code_is_that_of_all_files_of_a_package(install, tmp_path):
    folder = install("acme-net", "def s5lib_separators(): return [ComponentSpec('net', 'acme_parts.net:Net')]")
    (folder / "acme_parts/deep").mkdir(parents=True)
    files = [folder / "acme_parts" / name for name in ("__init__.py", "net.py", "deep/__init__.py", "deep/layers.py")]
    for file in files:
        file.write_text("from s5lib.interfaces import Separator as Net\n")
    component = plugins.find("separator", "net")
    digests = {component.code_digest()}
    for file in files:
        file.write_text("x = 1")
        digests.add(component.code_digest())
    assert len(digests) == 5 and plugins.find("separator", "resunetk").code_digest() == ""
