"""Recordings, and models that find Dog and Rain in them."""

from __future__ import annotations

import json

import numpy as np
import soundfile
import torch

import s5lib
from s5lib.models import save_checkpoint
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK

RATE, LABELS = 8000, ["Bell", "Dog", "Rain"]


def save_models(folder, channels, trained_on=None, **options):
    torch.manual_seed(channels)
    sizes = {
        "num_classes": 3,
        "num_sources": 2,
        "num_channels": channels,
        "sample_rate": RATE,
        "n_fft": 256,
        "hop_length": 128,
        **options,
    }
    tagger = {
        "n_mels": 32,
        "embed_dim": 16,
        "depth": 1,
        "num_heads": 2,
        "head_dim": 8,
        "track_dim": 4,
        "input_channels": channels,
    }
    models = {
        "tagger": ("m2d", M2DTagger(M2DConfig(**sizes, **tagger))),
        "separator": ("resunetk", ResUNetK(ResUNetKConfig(**sizes, channels=(4, 6), condition_size=8))),
    }
    with torch.no_grad():  # so that Dog and Rain are what an untrained tagger finds
        for track, label in zip(models["tagger"][1].head.tracks, (1, 2), strict=True):
            track[-1].bias.copy_(20 * torch.nn.functional.one_hot(torch.tensor(label), 4))
    for kind, (name, model) in models.items():
        version, file = s5lib.__version__, folder / f"{kind}.safetensors"
        save_checkpoint(file, model, kind, name, "s5lib", version, LABELS, trained_on)
    return [f"--{kind}={folder / kind}.safetensors" for kind in models]


def record(path, seconds, rate=RATE, channels=4, **options):
    samples = 0.1 * np.random.default_rng(0).standard_normal((max(1, round(seconds * rate)), channels))
    soundfile.write(path, samples, rate, **options)
    return str(path)


def listed(folder, name):
    return json.loads((folder / f"{name}.json").read_text())
