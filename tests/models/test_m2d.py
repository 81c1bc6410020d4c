import pytest
import torch

from s5lib.errors import ConfigError, DataError
from s5lib.models.configs import M2DConfig
from s5lib.models.m2d import M2DTagger

from . import reference

SMALL = dict(
    num_classes=5,
    num_sources=2,
    num_channels=3,
    n_mels=32,
    embed_dim=24,
    depth=3,
    num_heads=2,
    head_dim=16,
    track_dim=8,
    chunk_frames=48,
)


def small(**options) -> M2DTagger:
    return M2DTagger(M2DConfig(**{**SMALL, **options}))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 4])
def test_agrees_with_reference(channels):
    tagger = M2DTagger(M2DConfig(input_channels=channels))
    reference.fill(tagger, prefix="m2d." if channels == 4 else "")
    for case in reference.VALUES[f"m2dat_{channels}c"]:
        with torch.no_grad():
            logits = tagger(reference.mixture(case, 0.05))
        assert reference.relative_error(logits, case["logits"]) < 1e-5


@pytest.mark.parametrize("samples", [1, 321, 4799, 16000, 48000])
def test_any_length(samples):
    logits = small()(torch.randn(2, 3, samples))
    assert logits.shape == (2, 2, 6)
    assert logits.isfinite().all()


def test_items_of_a_batch_do_not_see_each_other():
    tagger = small().eval()
    mixture = torch.randn(3, 3, 16000)
    alone = torch.cat([tagger(item[None]) for item in mixture])
    assert torch.allclose(tagger(mixture), alone, atol=1e-5)


def test_input_channels_one_hears_the_reference_channel_alone():
    tagger = small(input_channels=1).eval()
    mixture = torch.randn(1, 3, 8000)
    louder = mixture.clone()
    louder[:, 1:] *= 9
    assert torch.equal(tagger(mixture), tagger(louder))
    assert torch.equal(tagger(mixture), tagger(mixture[:, :1]))


def test_long_input_averages_over_chunks():
    tagger = small(num_channels=1).eval()
    mixture = torch.randn(1, 1, 320 * 79 + 5)  # 80 frames: a chunk of three patches in time, and one of two
    log_mel = (tagger.log_mel(mixture[:, 0]) + 7.1) / 4.2
    parts = [tagger.backbone(log_mel[..., :48]), tagger.backbone(log_mel[..., 48:])]
    assert torch.allclose(tagger.features(mixture), torch.cat(parts, 1).mean(1), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "trained_blocks", "norm"),
    [
        ("head", [], False),
        ("last1", [2], True),
        ("last2", [1, 2], True),
        ("last3", [0, 1, 2], True),
        ("all", [0, 1, 2], True),
    ],
)
def test_frozen_layers_stay_in_eval_mode_and_get_no_gradient(layers, trained_blocks, norm):
    tagger = small()
    tagger.set_trainable(layers)
    tagger.train()
    tagger(torch.randn(2, 3, 8000)).square().sum().backward()
    backbone = tagger.backbone
    for index, block in enumerate(backbone.blocks):
        trained = index in trained_blocks
        assert block.training == trained
        assert all((parameter.grad is not None) == trained for parameter in block.parameters())
    assert backbone.norm.training == norm
    assert (backbone.cls_token.grad is not None) == (layers == "all")
    assert (backbone.patch_embed.proj.weight.grad is not None) == (layers == "all")
    assert tagger.head.training
    assert all(parameter.grad.isfinite().all() for parameter in tagger.head.parameters())


def test_frozen_layers_record_no_graph():
    tagger = small()
    tagger.set_trainable("head")
    assert not tagger.features(torch.randn(1, 3, 8000)).requires_grad


def test_set_trainable_can_be_undone():
    tagger = small()
    tagger.set_trainable("head")
    tagger.set_trainable("all")
    tagger.train()
    assert all(parameter.requires_grad for parameter in tagger.parameters())
    assert all(module.training for module in tagger.modules())


@pytest.mark.parametrize("layers", ["last4", "last0", "lastx", "tail"])
def test_unknown_layers(layers):
    with pytest.raises(ConfigError, match=f"{layers}.*'last1' to 'last3'"):
        small().set_trainable(layers)


def test_one_example_in_training():
    assert small().train()(torch.randn(1, 3, 8000)).isfinite().all()


def test_dropout_acts_in_training_only():
    tagger = small(dropout=0.5)
    mixture = torch.randn(2, 3, 8000)
    tagger.eval()
    assert torch.equal(tagger(mixture), tagger(mixture))
    tagger.train()
    assert not torch.equal(tagger(mixture), tagger(mixture))


def test_wrong_channels():
    with pytest.raises(DataError, match="2 channels, the model was made for 3"):
        small()(torch.randn(1, 2, 8000))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(n_mels=40), "n_mels is 40; expected a multiple of patch_size"),
        (dict(num_heads=5), "num_heads is 5"),
        (dict(f_max=20000.0), "f_max is 20000.0; expected at most half the sample rate"),
        (dict(input_channels=4), "input_channels is 4; expected 1 to num_channels"),
        (dict(dropout=1.0), "dropout is 1.0"),
        (dict(depth=0), "depth is 0; expected a positive whole number"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ConfigError, match=message):
        M2DConfig(**{**SMALL, **options})


@pytest.mark.parametrize("samples", [317439, 317440, 319999, 320000])  # 992 frames fill all 62 patches, 1001 are seen
def test_lengths_just_below_ten_seconds(samples):
    tagger = M2DTagger(M2DConfig(embed_dim=8, depth=1, num_heads=1, head_dim=4, track_dim=4)).eval()
    with torch.no_grad():
        assert tagger(0.1 * torch.randn(1, 4, samples)).isfinite().all()
