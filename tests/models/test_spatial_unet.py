"""The separator that hears directions: its features and filters against plain forms, gradients, levels."""

import math

import pytest
import torch

from s5lib.errors import ConfigError
from s5lib.models.configs import SpatialUNetConfig
from s5lib.models.filters import apply_filters
from s5lib.models.spatial_unet import SpatialUNet, spatial_features

SMALL = dict(num_classes=4, num_sources=3, sample_rate=8000, n_fft=128, hop_length=32, channels=(4, 8), patch_bins=4)


def small(**options):
    torch.manual_seed(0)
    return SpatialUNet(SpatialUNetConfig(**{**SMALL, "condition_size": 8, **options}))


def query(*labels):
    return torch.eye(4)[torch.tensor(labels)]


def test_features_tell_opposite_directions_apart():
    """A plane wave from the left and its mirror image differ in the sign of Y's real part alone."""
    wave = torch.randn(1, 5, 9, dtype=torch.complex64)
    left = torch.stack([wave, 0.5 * wave, 0 * wave, -0.2 * wave], 1)
    right = torch.stack([wave, -0.5 * wave, 0 * wave, -0.2 * wave], 1)
    one, other = (spatial_features(torch.view_as_real(spectrum)) for spectrum in (left, right))
    magnitudes, directions = one.split([4, 6], 1)
    norm = math.sqrt(1 + 0.25 + 0.04)
    assert torch.allclose(magnitudes[:, 1], (0.5 * wave.abs()).pow(0.3), atol=1e-5)
    for channel, expected in enumerate([0.5, 0.0, -0.2, 0.0, 0.0, 0.0]):
        assert torch.allclose(directions[:, channel], torch.tensor(expected / norm), atol=1e-3)
    changed = (one - other).abs().amax((0, 2, 3)) > 0.1
    assert changed.tolist() == [False] * 4 + [True] + [False] * 5


def test_features_of_silence_are_finite():
    features = spatial_features(torch.zeros(1, 4, 3, 5, 2))
    assert features.isfinite().all()
    assert (features[:, 4:] == 0).all()


def test_filters_are_complex_products():
    torch.manual_seed(1)
    outputs, x, y = (
        torch.randn(*shape, dtype=torch.float64) for shape in ((5, 2, 3, 4, 6), (5, 1, 4, 6), (5, 1, 4, 6))
    )
    real, imaginary = apply_filters(outputs, x, y)
    filters = torch.complex(outputs[:, 0].tanh(), outputs[:, 1].tanh())
    expected = (filters * torch.complex(x, y)).sum(2)
    assert torch.allclose(torch.complex(real, imaginary), expected)
    assert torch.autograd.gradcheck(lambda o: apply_filters(o, x, y), outputs.requires_grad_())


def test_starts_as_half_of_the_reference_channel():
    model = small().eval()
    with torch.no_grad():
        model.base.after_conv.weight.zero_()
    mixture = torch.randn(2, 4, 2000)
    asked = query([0, 1, 3], [2, 2, 0])
    sources = model(mixture, asked)
    # The highest bin, which is left out, is little of white noise.
    assert torch.allclose(sources, 0.5 * mixture[:, :1].expand_as(sources), atol=0.2)


@pytest.mark.parametrize("gain", [1e-6, 1e-2, 30.0])
def test_scales_with_its_input(gain):
    model, mixture, asked = small().eval(), torch.randn(1, 4, 1500), query([0, 1, 1])
    with torch.no_grad():
        once, scaled = model(mixture, asked), model(gain * mixture, asked)
    assert torch.allclose(scaled / gain, once, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 33, 700, 1601])
def test_every_length_and_patch(samples):
    for patch in (1, 2, 8):
        model = small(patch_bins=patch).eval()
        with torch.no_grad():
            assert model(torch.randn(1, 4, samples), query([0, 1, 2])).shape == (1, 3, samples)


def test_all_parameters_learn():
    model = small().train()
    model(torch.randn(2, 4, 1000), query([0, 1, 3], [2, 2, 0])).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_impossible_patch():
    with pytest.raises(ConfigError, match="n_fft is 128; expected a multiple of 256"):
        small(patch_bins=32)
    with pytest.raises(ConfigError, match="patch_bins is 0"):
        small(patch_bins=0)
