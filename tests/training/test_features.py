"""Which taggers' features can be computed once."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from s5lib.bin.main import main
from s5lib.errors import PluginError
from s5lib.interfaces import Tagger
from s5lib.models import prepare_mixture
from s5lib.models.configs import InputConfig
from s5lib.plugins.feature_check import check_features
from s5lib.training.features import FeatureShards, features_are_fixed

CONFIG = InputConfig(num_classes=3, num_sources=2, num_channels=2, channel_dropout=1e-3)


class Energies(Tagger):
    """Energies of 32 frames a channel, and a linear layer."""

    def __init__(self, config=CONFIG):
        super().__init__(config)
        self.frozen = nn.Linear(64, 64).requires_grad_(False)
        self.layer = nn.Linear(64, 8)
        self.norm = nn.BatchNorm1d(64, affine=False)

    def features(self, mixture):
        return mixture.unflatten(-1, (32, -1)).square().mean(-1).flatten(1)

    def classify(self, features):
        return self.layer(features).unflatten(1, (2, 4))

    def forward(self, mixture):
        return self.classify(self.features(mixture))


class FrozenLayer(Energies):
    def features(self, mixture):
        return self.frozen(super().features(mixture))


class Centred(Energies):
    def features(self, mixture):
        return self.norm.eval()(super().features(mixture))


class LosesChannels(Energies):
    """As doc/plugins.md has it; one item in a thousand, so that hardly a call shows it."""

    def features(self, mixture):
        return super().features(prepare_mixture(mixture, self.config, self.training)[0])


class Jitters(Energies):
    def features(self, mixture):
        return super().features(mixture.roll(int(self.training and np.random.random() < 1e-3), -1))


class Flips(Energies):
    def features(self, mixture):
        return super().features(mixture.flip(-1) if self.training and random.random() < 1e-3 else mixture)


class Drops(Energies):
    def features(self, mixture):
        return nn.functional.dropout(super().features(mixture), 1e-3)


class Normalises(Energies):
    def features(self, mixture):
        return self.norm(super().features(mixture))


class Counts(Energies):
    """Keeps statistics that it does not use yet."""

    def features(self, mixture):
        self.norm(super().features(mixture))
        return super().features(mixture)


class Learns(Energies):
    def features(self, mixture):
        return super().features(mixture) * self.layer.bias[0]


@pytest.mark.parametrize(
    ("tagger", "expected"),
    [(fixed, True) for fixed in (Energies, FrozenLayer, Centred)]
    + [(moving, False) for moving in (LosesChannels, Jitters, Flips, Drops, Normalises, Counts, Learns)],
)
@pytest.mark.parametrize("training", [True, False])
def test_chance_batches_and_training_are_noticed_and_nothing_is_left_behind(tagger, expected, training):
    for seed in range(20):
        torch.manual_seed(seed)
        model = tagger().train(training)
        model.norm.running_mean.normal_()
        mixture = torch.randn(1, 2, 3200)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        generators = torch.get_rng_state(), np.random.get_state()[1:3], random.getstate()
        assert features_are_fixed(model, mixture) is expected
        assert model.training == training
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert torch.equal(torch.get_rng_state(), generators[0]) and random.getstate() == generators[2]
        np.testing.assert_equal(np.random.get_state()[1:3], generators[1])


class InHalfPrecision(Energies):
    def features(self, mixture):
        return super().features(mixture).half()

    def classify(self, features):
        return super().classify(features.float())


class OfChannels(Energies):
    def features(self, mixture):
        return super().features(mixture.flatten(0, 1)[:, None])

    def classify(self, features):
        return super().classify(features.unflatten(0, (-1, 2)).flatten(1))


class WithLength(Energies):
    def features(self, mixture):
        return super().features(mixture), mixture.shape[-1]

    def classify(self, features):
        return super().classify(features[0])


class AsArray(Energies):
    def features(self, mixture):
        return super().features(mixture).numpy()

    def classify(self, features):
        return super().classify(torch.from_numpy(features))


class Complex(Energies):
    def features(self, mixture):
        return torch.polar(super().features(mixture), torch.ones(64))

    def classify(self, features):
        return super().classify(features.real)


class Trimmed(Energies):
    """Without the silence at the end."""

    def features(self, mixture):
        frames = super().features(mixture).unflatten(1, (2, 32))
        return frames[..., : 1 + int(frames.sum((0, 1)).nonzero().max())]

    def classify(self, features):
        return super().classify(nn.functional.pad(features, (0, 32 - features.shape[-1])).flatten(1))


class ForwardDoesMore(Energies):
    def forward(self, mixture):
        return self.classify(self.features(mixture) * 3 - 2)


class AsksForRate(Energies):
    def features(self, mixture, rate):
        return super().features(mixture)

    def forward(self, mixture):
        return self.classify(self.features(mixture, 8000))


class AsksForMixture(Energies):
    def classify(self, features, mixture):
        return super().classify(features)

    def forward(self, mixture):
        return self.classify(self.features(mixture), mixture)


BROKEN = {
    OfChannels: "features.*rows|features.*[(]6, 32[)]",
    WithLength: "features.* a tuple",
    AsArray: "features.* a ndarray",
    Complex: "features.* torch.complex64",
    Trimmed: "shape [(]2, 16[)] and [(]2, 32[)]",
    ForwardDoesMore: "classify.* other values",
    AsksForRate: "features[(]mixture, rate[)]",
    AsksForMixture: "classify[(]features, mixture[)]",
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("tagger", [Energies, InHalfPrecision, Normalises, *BROKEN])
def test_features_that_cannot_be_stored_are_refused_with_advice(tagger, training):
    model, mixture = tagger().train(training), torch.randn(1, 2, 3200)
    if tagger in BROKEN:
        with pytest.raises(PluginError, match=f"(?s)the owner.*{BROKEN[tagger]}.*expected.*without a cache"):
            check_features(model, mixture, "the owner")
    else:
        check_features(model, mixture, "the owner")
        assert model.training == training


class RarelyShorter(Energies):
    def features(self, mixture):
        return super().features(mixture)[:, : 63 if mixture.amax() > 9 else 64]


def test_a_length_that_depends_on_a_later_mixture_is_reported(tmp_path):
    model, mixture = RarelyShorter(), torch.randn(2, 3200)
    labels = torch.tensor([0, -1])
    scenes = [{"mixture": mixture * (10 if n == 6 else 1), "labels": labels, "id": str(n)} for n in range(8)]
    check_features(model, mixture[None], "the owner")
    shards = FeatureShards(tmp_path, {})
    options = {"device": torch.device("cpu"), "precision": "float32", "batch_size": 3, "num_workers": 0}
    with pytest.raises(PluginError, match=r"RarelyShorter.*[(]63,[)] and [(]64,[)]"):
        shards.fill(scenes, model, len(scenes), **options)


PLUGIN = """
import torch
from s5lib.interfaces import Tagger
from s5lib.plugins import ComponentSpec

class Levels(Tagger):
    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(config.num_channels, config.num_sources * (config.num_classes + 1))
    def features(self, mixture):
        return mixture.mean(-1)[..., None, None].expand(-1, -1, 4, 4).to(torch.complex64)
    def classify(self, features):
        return self.layer(features.real.mean((-1, -2))).unflatten(1, (self.config.num_sources, -1))
    def forward(self, mixture):
        return self.classify(self.features(mixture))

def s5lib_taggers():
    return [ComponentSpec("levels", f"{__name__}:Levels")]
"""


def test_a_run_that_cannot_be_cached_ends_with_one_message_and_binds_no_folder(tiny_data, tmp_path, capsys):
    (tmp_path / "levels_of_channels.py").write_text(PLUGIN)
    command = ["train", "tagger", "--plugin", str(tmp_path / "levels_of_channels.py"), "--tagger", "levels"]
    command += ["--data_dir", str(tiny_data), "--expdir", str(tmp_path / "exp"), "--batch_size", "2"]
    command += ["--max_steps", "2", "--num_workers", "0", "--logger"]
    assert main([*command, "--tagger_cache", "4"]) == 1
    (message,) = capsys.readouterr().err.strip().splitlines()
    assert "Levels: features(mixture) returned a tensor of torch.complex64" in message and "without a cache" in message
    assert main(command) == 0
