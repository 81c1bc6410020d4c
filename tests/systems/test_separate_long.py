"""A separator over long recordings: slots of one class keep their places, and seams do not show."""

import numpy as np
import pytest
import torch

from s5lib.errors import ConfigError
from s5lib.interfaces import ModelConfig, Separator
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.resunetk import ResUNetK
from s5lib.systems import separate_chunks, separate_long, streaming

RATE = 1000


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def query_of(labels, classes=3):
    """Return ``[1, K, classes]``: one-hot rows, zeros where the label is None."""
    return torch.stack([torch.zeros(classes) if c is None else torch.eye(classes)[c] for c in labels])[None]


class Bands(Separator):
    """Gives low and high frequencies, in slots whose order is another one in each call, as training leaves it open."""

    def __init__(self, swap: bool = True):
        super().__init__(ModelConfig(num_classes=3, num_sources=3, num_channels=1, sample_rate=RATE))
        self.swap, self.calls = swap, []

    def forward(self, mixture, query):
        spectrum = torch.fft.rfft(mixture)
        low = torch.arange(spectrum.shape[-1]) < spectrum.shape[-1] // 5
        low, high = (
            torch.fft.irfft(spectrum * low, mixture.shape[-1]),
            torch.fft.irfft(spectrum * ~low, mixture.shape[-1]),
        )
        pair = [low, high] if len(self.calls) % 2 == 0 or not self.swap else [high, low]
        self.calls.append(mixture.shape[-1])
        return torch.cat([*pair, mixture], 1) * (query != 0).any(-1, keepdim=True)


def scene(seconds=30):
    time = torch.arange(seconds * RATE) / RATE
    return torch.sin(2 * torch.pi * 20 * time), torch.sin(2 * torch.pi * 200 * time)


def test_same_class_sources_do_not_swap():
    low, high = scene()
    query = query_of([1, 1, 0])
    found = separate_long(Bands(), (low + high)[None, None], query, chunk_seconds=5, overlap_seconds=1)
    assert (found[0, 0] - low).abs()[500:-500].max() < 0.05
    assert (found[0, 1] - high).abs()[500:-500].max() < 0.05


def test_the_pair_would_swap_without_matching(monkeypatch):
    monkeypatch.setattr(streaming, "_match", lambda tracks, found, overlap: {i: i for i in range(len(tracks))})
    low, high = scene()
    found = separate_long(Bands(), (low + high)[None, None], query_of([1, 1, 0]), 5, 1)
    assert (found[0, 0] - low).square().mean() > 0.3


def test_slots_of_other_classes_are_never_exchanged():
    low, high = scene()
    found = separate_long(Bands(), (low + high)[None, None], query_of([1, 2, 0]), 5, 1)
    assert (found[0, 0] - low).square().mean() > 0.3  # as the separator, which ignores the query, gave it


def test_a_source_that_pauses_over_a_seam_keeps_its_slot():
    low, high = scene()
    high = high * ((torch.arange(len(high)) // 2500) % 2 == 0)  # silent in every other 2.5 s
    found = separate_long(Bands(), (low + high)[None, None], query_of([1, 1, 0]), 5, 1)
    assert (found[0, 0] - low).square().mean() < 0.02
    assert (found[0, 1] - high).square().mean() < 0.02


def test_items_of_a_batch_are_matched_each_by_itself():
    low, high = scene()
    mixture = torch.stack([low + high, low + 0.5 * high])[:, None]
    query = query_of([1, 1, 0]).expand(2, -1, -1)
    together = separate_long(Bands(), mixture, query, 5, 1)
    alone = torch.cat([separate_long(Bands(), mixture[i : i + 1], query[:1], 5, 1) for i in range(2)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("seconds", [1, 5, 5.001, 9.1, 13.7])
def test_length_and_seams(seconds):
    mixture = torch.randn(1, 1, int(seconds * RATE))
    found = separate_long(Bands(swap=False), mixture, query_of([1, None, 2]), 5, 1)
    assert torch.allclose(found[0, 2], mixture[0, 0], atol=1e-6)  # the slot that hands the mixture through
    assert (found[0, 1] == 0).all()


def test_all_chunks_have_the_same_length():
    separator = Bands()
    separate_long(separator, torch.randn(1, 1, 14321), query_of([1, 1, 1]), 5, 1)
    assert separator.calls == [5000, 5000, 5000, 5000]


def test_blocks_come_one_by_one_and_arrays_will_do():
    mixture = np.random.default_rng(0).standard_normal((1, 1, 12000)).astype(np.float32)
    separator = Bands(swap=False)
    blocks = separate_chunks(separator, mixture, query_of([1, 2, 0]), 5, 1)
    assert next(blocks).shape == (1, 3, 4000)
    assert len(separator.calls) == 1
    assert sum(block.shape[-1] for block in blocks) == 8000


@pytest.mark.parametrize(("chunk", "overlap"), [(10, 6), (10, 0), (1, -1), (0, 0)])
def test_impossible_lengths(chunk, overlap):
    with pytest.raises(ConfigError, match="cannot overlap"):
        separate_long(Bands(), torch.zeros(1, 1, 10), query_of([1, 1, 1]), chunk, overlap)


def test_resunetk_in_chunks_is_resunetk_in_one_piece():
    sizes = dict(
        num_classes=5, num_channels=2, n_fft=128, hop_length=32, channels=(8, 8), condition_size=16, sample_rate=8000
    )
    separator = ResUNetK(ResUNetKConfig(**sizes)).eval()
    assert separator.time_grid == 64
    mixture, query = torch.randn(1, 2, 8000 * 5 + 77), query_of([0, 1, 2], 5)
    with torch.no_grad():
        whole = separator(mixture, query)
    found = separate_long(separator, mixture, query, chunk_seconds=1, overlap_seconds=0.25)
    error = (found - whole).abs()
    assert error.max() < 0.01 * whole.abs().max()  # only around the seams
    assert error.median() < 1e-6
