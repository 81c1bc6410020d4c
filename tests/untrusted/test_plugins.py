"""Models of plugins that give no numbers or end the program: an error with status 1, and nothing written."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch

from s5lib.bin.main import main
from s5lib.errors import DataError, PluginError
from s5lib.interfaces import JointModel, ModelConfig, Separator, Tagger
from s5lib.models import save_checkpoint
from s5lib.plugins import create
from s5lib.systems.iterative import Iterative
from s5lib.systems.joint import Joint
from s5lib.systems.tag_separate import TagThenSeparate

SIZES = ModelConfig(num_classes=3, num_sources=2, num_channels=4, sample_rate=8000)
LABELS = ["AlarmClock", "Dog", "Rain"]
NOISE = np.random.default_rng(0).standard_normal((4, 800)).astype(np.float32)


def logits(value=0.0):
    scores = torch.zeros(1, 2, 4)
    scores[..., 0] = 5.0
    scores[0, 1, 1] += value
    return scores


def waveforms(value=0.0):
    samples = torch.zeros(1, 2, 800)
    samples[0, 1, 7] = value
    return samples


class ATagger(Tagger):
    def forward(self, mixture):
        return self.answer().expand(len(mixture), -1, -1)


class ASeparator(Separator):
    def forward(self, mixture, query):
        return self.answer()


class AJointModel(JointModel):
    def forward(self, mixture):
        return self.answer()


def model(kind, answer):
    made = kind(SIZES)
    made.answer = answer
    return made


def end():
    raise SystemExit(0)


NO_NUMBERS = (float("nan"), float("inf"))


def systems(value):
    good_tagger, good_separator = model(ATagger, logits), model(ASeparator, waveforms)
    bad_tagger, bad_separator = model(ATagger, lambda: logits(value)), model(ASeparator, lambda: waveforms(value))
    for kind in (TagThenSeparate, Iterative):
        yield kind(bad_tagger, good_separator, LABELS)
        yield kind(good_tagger, bad_separator, LABELS)
    yield Joint(model(AJointModel, lambda: (logits(value), waveforms())), LABELS)
    yield Joint(model(AJointModel, lambda: (logits(), waveforms(value))), LABELS)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_no_decision_on_what_is_no_number(value):
    for system in systems(value):
        with pytest.raises(DataError, match="not finite"):
            system(NOISE, 8000)
    for system in systems(1.0):
        assert isinstance(system(NOISE, 8000), list)


def test_ending_the_program_is_an_error():
    for system in (
        TagThenSeparate(model(ATagger, end), model(ASeparator, waveforms), LABELS),
        TagThenSeparate(model(ATagger, logits), model(ASeparator, end), LABELS),
        Joint(model(AJointModel, end), LABELS),
    ):
        with pytest.raises(PluginError, match="ended the program"):
            system(NOISE, 8000)


@pytest.fixture
def files(tmp_path):
    """A tagger whose buffer is NaN, a sound separator and a recording."""
    sizes = {"num_classes": 3, "num_sources": 2, "sample_rate": 8000}
    tagger = create("tagger", "m2d", **sizes, embed_dim=16, depth=1, num_heads=2, head_dim=8, track_dim=4, n_mels=32)
    separator = create("separator", "resunetk", **sizes, n_fft=256, hop_length=128, channels=(2, 3), condition_size=4)
    save_checkpoint(tmp_path / "separator.safetensors", separator, "separator", "resunetk", "s5lib", "0.1.0", LABELS)
    save_checkpoint(tmp_path / "good.safetensors", tagger, "tagger", "m2d", "s5lib", "0.1.0", LABELS)
    tagger.head.m2d_out_norm.running_mean[3] = torch.nan
    save_checkpoint(tmp_path / "bad.safetensors", tagger, "tagger", "m2d", "s5lib", "0.1.0", LABELS)
    soundfile.write(tmp_path / "take.wav", NOISE.T, 8000)
    return tmp_path


@pytest.mark.parametrize("tagger", ["bad", "good"])
def test_a_buffer_that_is_no_number(files, capsys, tagger):
    """It became "AlarmClock (nan %)" three times, with status 0 and NaN in the JSON."""
    command = ["infer", str(files / "take.wav"), "--tagger", str(files / f"{tagger}.safetensors")]
    command += ["--separator", str(files / "separator.safetensors"), "--out", str(files / "out")]
    status, shown = main(command), capsys.readouterr()
    if tagger == "good":
        assert status == 0 and json.loads((files / "out/take.json").read_text())
    else:
        assert status == 1 and "running_mean" in shown.err and "nan %" not in shown.out
        assert not list((files / "out").glob("*"))
