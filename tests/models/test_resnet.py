"""The convolutional tagger: shapes of any length, levels, missing channels, and that it learns."""

import pytest
import torch

from s5lib.errors import ConfigError, DataError
from s5lib.losses import PITCrossEntropy
from s5lib.models.configs import ResNetConfig
from s5lib.models.resnet import ResidualBlock, ResNetTagger
from s5lib.training.features import features_are_fixed

SMALL = dict(num_classes=3, num_sources=2, sample_rate=8000, n_fft=256, hop_length=128, n_mels=16, widths=(4, 8))


def small(**options):
    torch.manual_seed(0)
    return ResNetTagger(ResNetConfig(**{**SMALL, "head_dim": 16, "track_dim": 8, **options}))


@pytest.mark.parametrize("samples", [1, 127, 1000, 9001])
def test_every_length(samples):
    assert small().eval()(torch.randn(2, 4, samples)).shape == (2, 2, 4)


@pytest.mark.parametrize("gain", [1e-5, 1e-2, 100.0])
def test_hears_the_same_at_every_level(gain):
    model, mixture = small().eval(), torch.randn(2, 4, 3000)
    assert torch.allclose(model(gain * mixture), model(mixture), atol=1e-4)


def test_missing_channels_count_as_nothing():
    model, mixture = small(channel_dropout=0.5).eval(), torch.randn(2, 4, 3000)
    one = model(mixture[:, :1])
    assert one.isfinite().all() and not torch.allclose(one, model(mixture))
    with pytest.raises(DataError, match="channels"):
        small().eval()(mixture[:, :1])


@pytest.mark.parametrize("given", [1, 2, 4])
def test_features_are_fixed_whatever_trains_and_hold_all_that_is_heard(given):
    model, mixture = small(channel_dropout=0.5, dropout=0.0), torch.randn(2, 4, 3000)
    assert features_are_fixed(model, mixture)
    features = model.eval().features(mixture[:, :given])
    assert features.isfinite().flatten(2).all(-1).tolist() == [[channel < given for channel in range(4)]] * 2
    assert torch.equal(model.classify(features), model(mixture[:, :given]))
    silent = mixture.clone()
    silent[:, given:] = 0
    assert torch.equal(model.features(silent), features)


def test_what_is_no_number_is_not_taken_for_a_missing_channel():
    mixture = torch.randn(1, 4, 3000)
    mixture[0, 1, 100] = torch.nan
    assert small(channel_dropout=0.5).eval()(mixture).isnan().any()


def test_input_channels_are_the_only_ones_heard():
    model, mixture = small(input_channels=1).eval(), torch.randn(1, 4, 3000)
    assert torch.equal(model(mixture), model(torch.cat([mixture[:, :1], torch.randn(1, 3, 3000)], 1)))


def test_block_is_a_shortcut_where_its_convolutions_are_zero():
    block = ResidualBlock(2, 3).eval()
    with torch.no_grad():
        block.conv2.weight.zero_()
    x = torch.randn(1, 2, 6, 4)
    expected = torch.nn.functional.avg_pool2d(block.shortcut(x).relu(), 2)
    assert torch.allclose(block(x), expected, atol=1e-6)


def test_learns_which_tones_sound():
    torch.manual_seed(0)
    model, loss = small(dropout=0.0).train(), PITCrossEntropy()
    time = torch.arange(4000) / 8000
    tones = torch.stack([torch.sin(6.28318 * f * time) for f in (300.0, 900.0, 2200.0)])
    labels = torch.tensor([[0, -1], [1, -1], [2, -1], [0, 1], [1, 2], [0, 2]])
    mixtures = torch.stack([tones[row[row >= 0]].sum(0).expand(4, -1) for row in labels])
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(model(mixtures + 0.01 * torch.randn_like(mixtures)), labels)
        value.backward()
        optimizer.step()
    assert value < 0.1


def test_too_many_widths():
    with pytest.raises(ConfigError, match="1 to 4 widths"):
        small(widths=(4,) * 5)
