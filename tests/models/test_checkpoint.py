import json

import pytest
import torch
from safetensors.torch import save_file

from s5lib.errors import CheckpointError
from s5lib.models import load_checkpoint, load_model, load_weights, read_header, save_checkpoint
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.resunetk import ResUNetK

from . import reference

SIZES = dict(num_classes=2, num_sources=2, num_channels=2, n_fft=64, hop_length=16, channels=(4, 6), condition_size=8)
ORIGIN = dict(kind="separator", name="resunetk", distribution="s5lib", version="0.1.0")


@pytest.fixture
def separator():
    return ResUNetK(ResUNetKConfig(**SIZES)).eval()


@pytest.fixture
def saved(separator, tmp_path):
    path = tmp_path / "new folder" / "separator.safetensors"
    save_checkpoint(path, separator, **ORIGIN, labels=["Cough", "Speech"])
    return path


def output(separator):
    with torch.no_grad():
        return separator(torch.ones(1, 2, 500).cumsum(-1).sin(), reference.query([1, 1], 2))


def test_round_trip(separator, saved):
    model, header = load_model(saved)
    assert torch.equal(output(model), output(separator))
    assert not model.training
    assert header["labels"] == ["Cough", "Speech"]
    assert {key: header[key] for key in ORIGIN} == ORIGIN
    assert model.config == separator.config
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_header_is_json_and_weights_are_plain(separator, saved):
    header, state = load_checkpoint(saved)
    assert json.loads(json.dumps(header)) == header == read_header(saved)
    assert state.keys() == separator.state_dict().keys()


def test_channels_last_and_tied_weights_are_saved_by_value(separator, tmp_path):
    separator = separator.to(memory_format=torch.channels_last)
    separator.label_embedding[4].bias = separator.label_embedding[1].bias
    save_checkpoint(tmp_path / "a.safetensors", separator, **ORIGIN, labels=["a", "b"])
    assert torch.allclose(output(load_model(tmp_path / "a.safetensors")[0]), output(separator), atol=1e-5)


def test_an_interrupted_save_leaves_the_old_file(separator, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("s5lib.models.checkpoint.save_file", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(saved, separator, **ORIGIN, labels=["a", "b"])
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 1


def test_labels_must_be_as_many_as_classes(separator, tmp_path):
    with pytest.raises(CheckpointError, match="3 labels were given for a model of 2 classes"):
        save_checkpoint(tmp_path / "a.safetensors", separator, **ORIGIN, labels=["a", "b", "c"])


@pytest.mark.parametrize("labels", [["a", "a"], ["a", ""], ["a", "b\n"]])
def test_labels_that_could_not_be_read_are_not_written(separator, saved, labels):
    before = saved.read_bytes()
    with pytest.raises(CheckpointError, match="labels"):
        save_checkpoint(saved, separator, **ORIGIN, labels=labels)
    assert saved.read_bytes() == before


def test_all_differences_are_listed_and_the_model_is_left_alone(separator, saved):
    other = ResUNetK(ResUNetKConfig(**{**SIZES, "channels": (4, 6, 8), "num_classes": 3}))
    before = output_of_weights(other)
    with pytest.raises(CheckpointError) as caught:
        load_weights(other, saved)
    message = str(caught.value)
    assert "missing" in message and "base.encoder_block3" in message
    assert "unexpected" in message and "base.conv_block3a" in message
    assert "of another shape" in message and " instead of [" in message
    assert "s5lib describe" in message
    assert torch.equal(output_of_weights(other), before)


def output_of_weights(model):
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def test_another_label_set_is_distinguished_from_another_component(saved):
    with pytest.raises(CheckpointError, match="or another label set"):
        load_weights(ResUNetK(ResUNetKConfig(**{**SIZES, "num_classes": 3})), saved)


def test_missing_file_names_what_is_beside_it(saved):
    with pytest.raises(CheckpointError, match="no checkpoint .*; beside it: separator.safetensors"):
        load_model(saved.with_name("seperator.safetensors"))
    with pytest.raises(CheckpointError, match="there is no folder"):
        load_model(saved.parent / "nowhere" / "a.safetensors")


@pytest.mark.parametrize("content", [b"", b"text", b"\x08" + bytes(7) + b"notjson!"])
def test_not_a_safetensors_file(content, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="safetensors file, or is damaged"):
        load_model(path)


def test_truncated_file(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(saved)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "no s5lib header: 's5lib convert"),
        ({"s5lib": "{"}, "not JSON"),
        ({"s5lib": "[]"}, "expected names and values"),
        ({"s5lib": '{"format": 2}'}, "has format 2, this s5lib reads formats up to 1: update"),
        ({"s5lib": '{"format": 1, "kind": "tagger"}'}, "'name' is missing"),
    ],
)
def test_foreign_or_newer_header(metadata, message, tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=message):
        load_model(tmp_path / "a.safetensors")
