"""Bands of a spectrum: which bins they have, and that none gets lost on the way there and back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.models.bands import BandMerge, BandSplit, band_groups, cut, join

WIDTHS = st.lists(st.integers(1, 80), min_size=5, max_size=5)


@given(WIDTHS, st.sampled_from([64, 512, 1024, 2048]), st.sampled_from([8000, 16000, 32000, 44100, 48000, 192000]))
@settings(max_examples=60, deadline=None)
def test_every_bin_is_in_a_band(widths, n_fft, sample_rate):
    groups = band_groups(widths, n_fft, sample_rate)
    bins = sum(count * width for count, width in groups)
    last = groups[-1][1]
    assert n_fft // 2 + 1 <= bins < n_fft // 2 + 1 + last
    assert all(count > 0 for count, _ in groups)


def test_edges_are_where_they_should_be():
    start = 0
    for (count, width), edge in zip(
        band_groups((2, 4, 8, 16, 32), 2048, 32000), (1000, 2000, 4000, 8000, 16000), strict=True
    ):
        start += count * width
        assert start * 32000 / 2048 == pytest.approx(edge, abs=width * 32000 / 2048)


def identity_split(groups, features):
    """Split into as many features as the widest band has, without mixing them."""
    width = features * max(bins for _, bins in groups)
    split = BandSplit(groups, features, width)
    for layer in split.layers:
        layer.weight.data = torch.eye(layer.weight.shape[1], width).expand_as(layer.weight).clone()
        layer.bias.data.zero_()
    return split, width


@pytest.mark.parametrize("sample_rate", [8000, 32000])
def test_there_and_back(sample_rate):
    groups, features, bins = band_groups((1, 2, 3, 5, 7), 128, sample_rate), 3, 65
    split, width = identity_split(groups, features)
    merge = BandMerge(groups, width, [0.0] * features)
    for layer in merge.layers:
        outputs = layer.weight.shape[2] // 2
        layer.weight.data = 2 * torch.eye(width, 2 * outputs).expand_as(layer.weight).clone()
        layer.weight.data[..., outputs:] = 0  # a gate of one half
        layer.bias.data.zero_()
    spectrum = torch.randn(2, 4, bins, features)
    with torch.no_grad():
        assert torch.allclose(join(merge(split(spectrum)), bins), spectrum, atol=1e-6)
    assert torch.equal(join(cut(spectrum, groups), bins), spectrum)


def test_a_bin_reaches_its_band_alone():
    groups = band_groups((2, 4, 8, 16, 32), 256, 32000)
    split = BandSplit(groups, 2, 5)
    spectrum = torch.zeros(1, 1, 129, 2)
    with torch.no_grad():
        silent = split(spectrum)
        edges = torch.tensor([width for count, width in groups for _ in range(count)]).cumsum(0)
        for changed in (0, 7, 20, 64, 128):
            other = spectrum.clone()
            other[0, 0, changed] = 1
            bands = (split(other) != silent).any(-1).flatten().nonzero().flatten().tolist()
            assert bands == [int((edges <= changed).sum())]
