"""Levels and channels of mixtures, for all models alike."""

import copy

import pytest
import torch

from s5lib.errors import ConfigError, DataError
from s5lib.interfaces import Separator, Tagger
from s5lib.models.configs import InputConfig, M2DConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.mixture import draw_channels, level
from s5lib.plugins import create

from . import reference

UNET = dict(n_fft=128, hop_length=32, channels=(4, 6))
M2D = dict(n_mels=32, embed_dim=24, depth=1, num_heads=2, head_dim=16, track_dim=8)
LOCOFORMER = dict(
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
MODELS = {
    "locoformer": ("separator", LOCOFORMER),
    "m2d": ("tagger", M2D),
    "resnet": ("tagger", dict(n_mels=16, widths=(4, 8), head_dim=16, track_dim=8, dropout=0.0)),
    "spatial_unet": ("separator", UNET | {"condition_size": 16, "patch_bins": 4}),
    "resunet": ("separator", UNET | {"condition_size": 16}),
    "resunet_joint": ("joint_model", UNET | {"n_mels": 16, "label_channels": (4, 8)}),
    "resunetk": ("separator", UNET | {"condition_size": 16}),
}
GAINS_DB = [-700, -40, -6.1, 40, 180]


def make(name, **options):
    kind, own = MODELS[name]
    torch.manual_seed(0)
    model = create(kind, name, num_classes=5, num_channels=3, **own, **options).eval()
    for parameter in model.parameters():  # biases are zero at first
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


def outputs(model, mixture):
    """Logits and waveforms, either None where the model does not give it."""
    with torch.no_grad():
        if isinstance(model, Tagger):
            return model(mixture), None
        if isinstance(model, Separator):
            query = reference.query([1, 1, 4], 5).expand(len(mixture), -1, -1)
            return None, model(mixture, query)
        return model(mixture)


@pytest.fixture(scope="module")
def mixture():
    return 0.1 * torch.randn(2, 3, 4000, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("gain_db", GAINS_DB)
def test_gain_scales_sources_and_changes_no_label(name, gain_db, mixture):
    model, gain = make(name, normalize_level=True), 10 ** (gain_db / 20)
    logits, waveforms = outputs(model, mixture)
    other_logits, other_waveforms = outputs(model, mixture * gain)
    if logits is not None:
        assert torch.allclose(other_logits, logits, atol=1e-4)
    if waveforms is not None and gain_db > -700:
        assert torch.allclose(other_waveforms / gain, waveforms, atol=1e-4 * waveforms.abs().max().item())


@pytest.mark.parametrize("name", MODELS)
def test_levels_count_without_the_option(name, mixture):
    model = make(name, normalize_level=False)
    first, second = outputs(model, mixture), outputs(model, 30 * mixture)
    assert not any(torch.allclose(b, a) for a, b in zip(first, second, strict=True) if a is not None)


def test_level_is_that_of_the_first_channel_of_each_item(mixture):
    rms = [item[0].double().square().mean().sqrt().item() for item in mixture]
    assert level(mixture).flatten().tolist() == pytest.approx(rms, rel=1e-6)
    assert level(torch.full((1, 1, 9), 1e-38)).item() == pytest.approx(1e-38, rel=1e-6)  # its square is no float32
    assert level(torch.zeros(1, 2, 5)).item() == 1


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("channels", [1, 2])
def test_missing_channels_count_as_silent(name, channels, mixture):
    model = make(name, channel_dropout=0.3, normalize_level=True)
    silent = mixture.clone()
    silent[:, channels:] *= 1e-5  # what is left of the sides of a mono recording in stereo
    for one, other in zip(outputs(model, mixture[:, :channels]), outputs(model, silent), strict=True):
        assert one is other is None or torch.allclose(one, other, atol=1e-5)
    if name == "m2d":
        features = model.features(mixture)
        kept = (torch.arange(3) < channels).repeat_interleave(features.shape[1] // 3)
        with torch.no_grad():
            assert torch.allclose(model.head(features, kept.expand(2, -1)), outputs(model, silent)[0], atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_numbers_of_channels(name, mixture):
    with pytest.raises(DataError, match="1 channels, the model was made for 3 "):
        outputs(make(name), mixture[:, :1])
    with pytest.raises(DataError, match="4 channels, the model was made for 1 to 3 "):
        outputs(make(name, channel_dropout=0.3), torch.ones(1, 4, 4000))


@pytest.mark.parametrize("name", MODELS)
def test_all_channels_are_heard_where_none_is_dropped(name, mixture):
    for one, other in zip(outputs(make(name, channel_dropout=0.3), mixture), outputs(make(name), mixture), strict=True):
        assert one is other is None or torch.equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_training_mixtures_lose_channels(name):
    """Of two channels, all items lose the second, which then does not count in training."""
    kind, own = MODELS[name]
    model = create(kind, name, num_classes=5, num_channels=2, channel_dropout=1.0, **own)
    mixture = 0.1 * torch.randn(2, 2, 4000)
    louder = mixture * torch.tensor([[1.0], [7.0]])
    for one, other in zip(outputs(model.train(), mixture), outputs(model.train(), louder), strict=True):
        assert one is other is None or torch.equal(one, other)
    first, second = outputs(model.eval(), mixture), outputs(model.eval(), louder)
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True) if a is not None)


def test_share_of_training_mixtures_that_lose_channels():
    torch.manual_seed(0)
    kept = draw_channels(20000, InputConfig(num_channels=4, channel_dropout=0.25), torch.device("cpu")).sum(1)
    shares = torch.bincount(kept, minlength=5) / len(kept)
    assert shares[4].item() == pytest.approx(0.75, abs=0.01)
    assert shares[1] > shares[2] > shares[3] > 0 == shares[0]


def test_cached_features_are_those_of_all_channels(mixture):
    tagger = M2DTagger(M2DConfig(num_channels=3, channel_dropout=1.0, **M2D)).train()
    assert torch.equal(tagger.features(mixture), tagger.eval().features(mixture))


@pytest.mark.parametrize("name", ["m2d", "resnet"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_features_stay_the_same_while_the_model_trains_whatever_channels_are_missing(name, channels, mixture):
    """Features that were stored before training are those of the model that is being trained."""
    model = make(name, channel_dropout=0.5)
    fewer, silent = mixture[:, :channels], mixture.clone()
    silent[:, channels:] = 0
    with torch.no_grad():
        stored = model.features(silent)
        assert torch.allclose(stored, model.features(fewer), atol=1e-5)
        for _ in range(3):
            model.train()(mixture * torch.rand(3, 1))  # moves the running statistics
        for mode in (True, False):
            twin = copy.deepcopy(model.train(mode))  # a call in training moves the running statistics
            torch.manual_seed(1)
            expected = twin(silent)
            torch.manual_seed(1)
            assert torch.equal(model.classify(stored), expected)


@pytest.mark.parametrize("options", [{"channel_dropout": 1.5}, {"channel_dropout": -0.1}, {"normalize_level": 2}])
def test_impossible_options(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        InputConfig(**options)
