"""Which taggers' features can be computed once."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from s5lib.interfaces import Tagger
from s5lib.models import prepare_mixture
from s5lib.models.configs import InputConfig
from s5lib.training.features import features_are_fixed

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
