import json
import re

import pytest
import torch

from s5lib.bin.main import main
from s5lib.models import load_model, read_header, save_checkpoint
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.description import measure_cost
from s5lib.models.official import LABELS
from s5lib.models.resunetk import ResUNetK

SIZES = ResUNetKConfig(num_classes=18, num_sources=2, num_channels=3, n_fft=512, channels=(4, 6), condition_size=8)


@pytest.fixture
def official(tmp_path):
    model = ResUNetK(SIZES).eval()
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "official.ckpt")
    return tmp_path / "official.ckpt"


def test_convert_then_load(official, tmp_path, capsys):
    target = tmp_path / "converted.safetensors"
    assert main(["convert", str(official), str(target)]) == 0
    assert "separator resunetk, 18 labels" in capsys.readouterr().out
    assert read_header(target)["labels"] == list(LABELS)
    one, two = load_model(target)[0].state_dict(), load_model(official)[0].state_dict()
    assert all(torch.equal(one[name], two[name]) for name in two)


@pytest.mark.parametrize(
    ("target", "labels", "message"),
    [
        ("a.json", [], "ends in .safetensors"),
        ("official.ckpt.safetensors", [], "already"),
        ("b.safetensors", ["a", "b"], "2 labels were given for a model of 18 classes"),
    ],
)
def test_convert_refuses(official, tmp_path, capsys, target, labels, message):
    (tmp_path / "official.ckpt.safetensors").touch()
    arguments = ["convert", str(official), str(tmp_path / target), *(["--labels", *labels] if labels else [])]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_describe_a_checkpoint(tmp_path, capsys):
    model = ResUNetK(SIZES)
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, model, "separator", "resunetk", "s5lib", "0.1.0", LABELS)
    assert main(["describe", str(path), "--seconds", "0.1"]) == 0
    out = capsys.readouterr().out
    assert "separator resunetk, of s5lib 0.1.0" in out
    assert "AlarmClock" in out and "real-time factor" in out and "channels=[4, 6]" in out


def test_describe_a_component_with_frozen_layers(capsys):
    conf = ["depth=2", "embed_dim=32", "num_heads=2", "head_dim=8", "track_dim=8", "n_mels=16"]
    assert main(["describe", "m2d", "--layers", "head", "--seconds", "0.2", "--json", "--conf", *conf]) == 0
    found = json.loads(capsys.readouterr().out)
    head = 32 * 4 * 24 + 24 + 2 * 24 + 3 * (8 * 8 + 8 + 2 * 8 + 19 * 8 + 19)
    assert found["trainable"] == head
    assert found["config"]["depth"] == 2
    block = 32 * 96 + 96 + 32 * 32 + 32 + 2 * 32 * 128 + 128 + 32 + 4 * 32
    assert found["frozen"] == 2 * block + 2 * 32 + 16 * 16 * 32 + 32 + 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resunet_k"], "neither a file nor a model. Known: .*Did you mean 'resunetk'"),
        (["missing.safetensors"], "no checkpoint missing.safetensors"),
        (["m2d", "--conf", "depth"], "expected KEY=VALUE"),
        (["m2d", "--conf", "deep=2"], "no option 'deep'"),
        (["m2d", "--device", "tpu"], "no such device"),
    ],
)
def test_describe_refuses(arguments, message, capsys):
    assert main(["describe", *arguments]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_operations_are_counted_as_the_layers_have_them():
    model = ResUNetK(
        ResUNetKConfig(
            num_classes=2, num_sources=1, num_channels=1, n_fft=64, hop_length=16, channels=(3,), condition_size=4
        )
    )
    cost = measure_cost(model, "separator", seconds=0.01)  # 320 samples: 21 frames of 32 bins
    full, half = 21 * 32, 21 * 16
    dense = 2 * 4 + 4 * 4 + 4 * sum(layer.out_features for layer in model.film.values())
    unet = full * (3 + 2 * 81) + half * 2 * 81 + half * 2 * 9 + full * (6 * 27 + 81 + 18) + full * 9
    assert cost.macs == dense + unet
    assert cost.frozen == 0 and cost.trainable == sum(p.numel() for p in model.parameters())
