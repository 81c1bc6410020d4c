"""The plain form that the benchmark compares with has the same values, whatever the length."""

import importlib.util
from pathlib import Path

import pytest
import torch

from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK

from . import reference

SIZES = dict(num_classes=5, num_sources=2, num_channels=2)


@pytest.fixture(scope="module")
def plain():
    spec = importlib.util.spec_from_file_location("plain", Path(__file__).parents[2] / "benchmarks/plain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "samples", [1000, 16000, 20000]
)  # 4, 51 and 63 frames: two that fill no patch, all that the tagger sees at once
def test_tagger(plain, samples):
    config = M2DConfig(
        **SIZES, n_mels=32, embed_dim=32, depth=2, num_heads=2, head_dim=16, track_dim=16, chunk_frames=63
    )
    model, mixture = reference.fill(M2DTagger(config)), 0.1 * torch.randn(1, 2, samples)
    with torch.no_grad():
        assert reference.relative_error(model(mixture), plain.plain_tagger(model, mixture)) < 1e-4


@pytest.mark.parametrize("samples", [1000, 4000])
def test_separator(plain, samples):
    config = ResUNetKConfig(**SIZES, n_fft=128, hop_length=32, channels=(8, 12), condition_size=16)
    model, mixture = reference.fill(ResUNetK(config)), 0.1 * torch.randn(1, 2, samples)
    query = reference.query([3, None], 5)
    with torch.no_grad():
        assert reference.relative_error(model(mixture, query), plain.plain_resunetk(model, mixture, query)) < 1e-4
