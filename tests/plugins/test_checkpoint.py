"""A checkpoint of a plugin's model: loads where the plugin is, says what to install where it is not."""

from __future__ import annotations

import pytest
import torch

from s5lib import plugins
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
