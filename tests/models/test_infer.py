"""Official checkpoints, and long recordings, through the command line."""

import json

import numpy as np
import pytest
import soundfile
import torch

from s5lib.bin.main import main
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK
from s5lib.systems import load_system

SEPARATOR = ResUNetKConfig(num_sources=2, n_fft=512, channels=(4, 6), condition_size=8)
TAGGER = M2DConfig(
    num_sources=2, input_channels=4, embed_dim=64, depth=1, num_heads=1, head_dim=16, track_dim=8, chunk_frames=64
)


@pytest.fixture
def folder(tmp_path):
    for name, model in (("resunetk", ResUNetK(SEPARATOR)), ("m2dat_4c", M2DTagger(TAGGER))):
        state = {f"model.{key}": tensor for key, tensor in model.state_dict().items()}
        torch.save({"state_dict": state}, tmp_path / f"{name}.ckpt")
    noise = np.random.default_rng(0).standard_normal((32000, 4)) * 0.1
    soundfile.write(tmp_path / "a.wav", noise, 32000, subtype="FLOAT")
    return tmp_path


def infer(folder, *more):
    return main(
        [
            "infer",
            str(folder / "a.wav"),
            "--separator",
            str(folder / "resunetk.ckpt"),
            "--out",
            str(folder / "out"),
            *more,
        ]
    )


def test_official_checkpoints_by_the_command_line(folder):
    assert infer(folder, "--tagger", str(folder / "m2dat_4c.ckpt")) == 0
    assert (folder / "out" / "a.json").exists()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_given_labels_and_precision(folder, precision):
    assert infer(folder, "--labels", "Speech,Speech", "--precision", precision) == 0
    text = json.dumps(json.loads((folder / "out" / "a.json").read_text()))
    assert text.count("Speech") >= 2


def test_long_recordings_are_separated_in_chunks(folder):
    system = load_system(separator=folder / "resunetk.ckpt")
    lengths = []
    system.separator.base.fourier.register_forward_pre_hook(lambda module, given: lengths.append(given[0].shape[-1]))
    mixture = np.random.default_rng(0).standard_normal((4, 32000 * 25)).astype(np.float32)
    sources = system(mixture, 32000, ["Speech", "Cough"])
    assert [source.waveform.shape for source in sources] == [(32000 * 25,)] * 2
    assert len(lengths) == 3 and max(lengths) < 10.1 * 32000
