import time

import pytest
import torch

from s5lib.errors import ConfigError, DataError, S5Error
from s5lib.models import load_model, save_checkpoint
from s5lib.models.configs import LocoformerConfig
from s5lib.models.locoformer import Locoformer
from s5lib.models.tf_blocks import Attention
from s5lib.systems import separate_long

from . import reference
from .test_untrusted import with_config

SMALL = dict(
    num_classes=5,
    num_channels=3,
    n_fft=128,
    hop_length=32,
    band_widths=(2, 4, 8, 16, 32),
    width=8,
    common_blocks=1,
    single_blocks=1,
    attention_size=8,
    num_heads=2,
    hidden_size=8,
    single_hidden=8,
)


def small(**options) -> Locoformer:
    return Locoformer(LocoformerConfig(**{**SMALL, **options})).eval()


def run(separator, mixture, labels):
    query = reference.query(labels, separator.config.num_classes).expand(len(mixture), -1, -1)
    with torch.no_grad():
        return separator(mixture, query)


@pytest.fixture
def mixture():
    return 0.1 * torch.randn(2, 3, 4000)


@pytest.mark.parametrize("samples", [1, 31, 64, 65, 997, 3200])
def test_any_length(samples):
    waveforms = run(small(), torch.randn(2, 3, samples), [1, 1, 4])
    assert waveforms.shape == (2, 3, samples)
    assert waveforms.isfinite().all()


@pytest.mark.parametrize(
    "sizes",
    [
        dict(num_channels=1, num_sources=1, num_classes=1),
        dict(num_channels=2, num_sources=6),
        dict(sample_rate=8000),
        dict(sample_rate=96000, n_fft=512, hop_length=256),
        dict(sample_rate=100),
    ],
)
def test_any_size(sizes):
    separator = small(**sizes)
    slots = [0] * separator.config.num_sources
    assert run(separator, torch.randn(1, separator.config.num_channels, 900), slots).isfinite().all()


@pytest.mark.parametrize(
    ("labels", "order"), [([4, 0, 2], [1, 2, 0]), ([1, None, 3], [2, 1, 0]), ([1, 3, 1], [1, 0, 2])]
)
def test_slots_follow_the_query(mixture, labels, order):
    separator = small()
    wanted = run(separator, mixture, labels)
    found = run(separator, mixture, [labels[slot] for slot in order])
    assert torch.equal(found, wanted[:, order])


def test_equal_labels_differ_and_an_item_does_not_see_others(mixture):
    separator = small()
    waveforms = run(separator, mixture, [2, 2, 2])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(waveforms[:, one], waveforms[:, other], rtol=0.01)
    query = torch.cat([reference.query([2, 2, 2], 5), reference.query([None, 1, None], 5)])
    with torch.no_grad():
        mixed = separator(mixture, query)
    assert torch.allclose(mixed[0], waveforms[0], atol=1e-6)
    assert (mixed[1, [0, 2]] == 0).all() and mixed[1, 1].any()


def test_silent_queries_are_exactly_zero_and_train(mixture):
    assert (run(small(), mixture, [None, None, None]) == 0).all()
    separator = small().train()
    separator(mixture, torch.zeros(2, 3, 5)).sum().backward()
    assert all(parameter.grad is not None for parameter in separator.parameters())


@pytest.mark.parametrize("gain", [1e-8, 0.3, 2.0, 1e4])
def test_a_gain_of_the_mixture_is_one_of_the_sources(mixture, gain):
    wanted = gain * run(small_seeded(), mixture, [0, 1, 1])
    found = run(small_seeded(), gain * mixture, [0, 1, 1])
    assert (found - wanted).abs().max() < 1e-3 * wanted.abs().max()
    if gain == 2:  # which rounds nothing
        assert torch.equal(found, wanted)


def small_seeded(**options):
    torch.manual_seed(3)
    return small(**options)


def test_the_side_a_source_comes_from_counts(mixture):
    """Magnitudes alone would give the same result for a scene and its mirror image."""
    separator = small(num_channels=4)
    mixture = torch.cat([mixture[:, :1], 0.7 * mixture[:, :1], mixture[:, 1:]], 1)
    mirrored = mixture * torch.tensor([1.0, -1.0, 1.0, 1.0])[:, None]
    assert not torch.allclose(run(separator, mixture, [0, 1, 2]), run(separator, mirrored, [0, 1, 2]), rtol=1e-3)


def test_the_phase_that_all_channels_share_does_not_count(mixture):
    separator = small_seeded()
    assert torch.allclose(run(separator, -mixture, [0, 1, 2]), -run(separator, mixture, [0, 1, 2]), atol=1e-6)


@pytest.mark.parametrize("silent", [slice(0, 1), slice(1, 3), slice(1, 2)])
def test_channels_may_be_silent(mixture, silent):
    mixture[:, silent] = 0
    assert run(small(), mixture, [0, 1, 2]).isfinite().all()


def test_at_first_each_source_is_about_half_of_the_reference_channel(mixture):
    separator = small(n_fft=512, hop_length=128, width=32)
    error = run(separator, mixture, [0, 1, 2]) - 0.5 * mixture[:, :1]
    assert error.square().mean() < 0.1 * (0.5 * mixture[:, :1]).square().mean()


def test_every_parameter_learns(mixture):
    separator = small().train()
    query = reference.query([0, 3, 3], 5).expand(2, -1, -1)
    separator(mixture, query).square().mean().backward()
    for name, parameter in separator.named_parameters():
        gradient = parameter.grad
        assert gradient is not None and gradient.isfinite().all() and gradient.any(), name


def test_a_few_steps_fit_a_scene():
    sources = torch.stack([torch.sin(0.05 * torch.arange(2000.0)), torch.sin(0.9 * torch.arange(2000.0))])[None]
    mixture = torch.einsum("bkt,km->bmt", sources, torch.tensor([[1.0, 0.8, 0.1], [1.0, -0.5, 0.3]]))
    separator, query = small(num_sources=2).train(), reference.query([1, 4], 5)
    optimiser = torch.optim.Adam(separator.parameters(), 3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        error = (separator(mixture, query) - sources).square().mean() / sources.square().mean()
        error.backward()
        optimiser.step()
    assert error < 0.1


def test_windows_of_a_long_recording_agree_with_the_whole():
    """Without attention, whose reach is a window; of equal level, which is measured per window."""
    separator = small()
    for layer in separator.modules():
        if isinstance(layer, Attention):
            torch.nn.init.zeros_(layer.output.weight)
    assert separator.time_grid == 32
    mixture = torch.randn(1, 3, 1600).repeat(1, 1, 8)
    query = reference.query([0, 1, 1], 5)
    with torch.no_grad():
        whole = separator(mixture, query)
    found = separate_long(separator, mixture, query, chunk_seconds=4800 / 32000, overlap_seconds=1600 / 32000)
    error = (found - whole).abs()[..., 800:-800]
    assert error.median() < 1e-5 * whole.abs().max()
    assert error.max() < 0.1 * whole.abs().max()  # around the seams


def test_a_checkpoint_is_the_model(tmp_path, mixture):
    separator = small(kernel_size=3)
    save_checkpoint(tmp_path / "a.safetensors", separator, "separator", "locoformer", "s5lib", "0.2.0", list("abcde"))
    loaded, header = load_model(tmp_path / "a.safetensors")
    assert loaded.config == separator.config and header["name"] == "locoformer"
    assert torch.equal(run(loaded, mixture, [0, 0, 3]), run(separator, mixture, [0, 0, 3]))


@pytest.mark.parametrize(
    "option", ["width", "common_blocks", "hidden_size", "attention_size", "kernel_size", "num_sources", "num_classes"]
)
@pytest.mark.parametrize("size", [8 * 10**4, 8 * 10**8])
def test_a_header_that_claims_too_much(tmp_path, option, size):
    save_checkpoint(tmp_path / "a.safetensors", small(), "separator", "locoformer", "s5lib", "0.2.0", list("abcde"))
    start = time.process_time()
    with pytest.raises(S5Error):
        load_model(with_config(tmp_path / "a.safetensors", tmp_path / "b.safetensors", **{option: size}))
    assert time.process_time() - start < 10


def test_labels_as_text(mixture):
    pytest.importorskip("sentencepiece")
    separator = small(num_classes=3, query="text", labels=("Door", "Cough", "Siren"), text_size=6)
    before = run(separator, mixture, [0, 1, 1])
    separator.set_labels(["Dog", "Cough", "Door", "Siren"])
    assert torch.equal(run(separator, mixture, [2, 1, 1]), before)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("hop_length", 65),
        ("band_widths", (2, 4)),
        ("band_widths", (2, 4, 8, 16, 0)),
        ("band_widths", 3),
        ("width", 10),
        ("attention_size", 10),
        ("common_blocks", 0),
        ("kernel_size", 0),
    ],
)
def test_impossible_options(option, value):
    with pytest.raises(ConfigError, match=option):
        LocoformerConfig(**{**SMALL, option: value})


def test_wrong_inputs_are_named(mixture):
    with pytest.raises(DataError, match="4 channels"):
        run(small(), torch.zeros(1, 4, 100), [0, 1, 2])
    with pytest.raises(DataError, match="slot 1"):
        small()(mixture, torch.tensor([[[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]]).expand(2, -1, -1))
