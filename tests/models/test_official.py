import os
import pickle
from argparse import Namespace

import pytest
import torch

from s5lib.errors import CheckpointError
from s5lib.models import load_backbone, load_model, load_official, load_weights
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.official import LABELS
from s5lib.models.resunetk import ResUNetK

from . import reference

SEPARATOR = ResUNetKConfig(
    num_classes=18, num_sources=2, num_channels=3, n_fft=512, channels=(4, 6), condition_size=8, slot_order="given"
)
TAGGER = dict(
    num_classes=4, num_sources=2, embed_dim=64, depth=2, num_heads=1, head_dim=16, track_dim=8, chunk_frames=64
)


def write(path, model, prefix, *extra):
    """Write ``model`` in the form of the public baseline: with its trainer's state and what it never uses."""
    state = {
        ("model." if name.startswith("head.") else prefix) + name: tensor for name, tensor in model.state_dict().items()
    }
    state |= {prefix + name: torch.zeros(3) for name in extra}
    optimiser = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": [optimiser], "loops": {}}, path)
    return path


def separator_file(tmp_path):
    model = ResUNetK(SEPARATOR).eval()
    unused = (
        "base.stft.conv_real.weight",
        "base.istft.ola_window",
        "base.decoder_block1.bn2.weight",
        "base.decoder_block2.bn2.num_batches_tracked",
        "film.decoder_block2->beta2.bias",
    )
    return write(tmp_path / "resunetk.ckpt", model, "model.", *unused), model


@pytest.mark.parametrize("channels", [1, 4])
def test_tagger(channels, tmp_path):
    model = M2DTagger(M2DConfig(**TAGGER, input_channels=channels)).eval()
    prefix = "model.m2d." if channels == 4 else "model."
    path = write(
        tmp_path / "m2dat.ckpt", model, prefix, "head_norm.running_mean", "to_spec.stft.wsin", "to_spec.mel_basis"
    )
    loaded = load_official(path)
    assert loaded.config == M2DConfig(**TAGGER, input_channels=channels)
    assert not loaded.training
    mixture = torch.randn(1, 4, 40000)
    with torch.no_grad():
        assert torch.equal(loaded(mixture), model(mixture))


def test_separator(tmp_path):
    path, model = separator_file(tmp_path)
    loaded, header = load_model(path)  # recognised without a flag
    assert header["labels"] == list(LABELS)
    assert (header["kind"], header["name"]) == ("separator", "resunetk")
    mixture, query = torch.randn(1, 3, 900), reference.query([17, 3], 18)
    assert loaded.config == SEPARATOR
    with torch.no_grad():
        assert torch.equal(loaded(mixture, query), model(mixture, query))


def test_weights_go_into_a_given_model(tmp_path):
    path, model = separator_file(tmp_path)
    other = ResUNetK(SEPARATOR)
    load_weights(other, path)
    assert all(
        torch.equal(one, two) for one, two in zip(other.state_dict().values(), model.state_dict().values(), strict=True)
    )


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("load", [load_official, load_model, lambda path: load_weights(ResUNetK(SEPARATOR), path)])
def test_a_pickle_that_would_run_code_is_refused(load, legacy, tmp_path):
    path, target = tmp_path / "resunetk.ckpt", tmp_path / "proof"
    torch.save({"state_dict": Malicious(target)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="would run code"):
        load(path)
    path.write_bytes(pickle.dumps(Malicious(target)))
    with pytest.raises(CheckpointError, match="resunetk.ckpt"):
        load(path)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 broken"])
def test_damaged_file(content, tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="a.ckpt"):
        load_official(path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"epoch": 3}])
def test_no_weights(content, tmp_path):
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="expected weights|holds no weights"):
        load_official(tmp_path / "a.ckpt")


def test_another_network(tmp_path):
    torch.save({"state_dict": {"model.conv.weight": torch.zeros(1)}}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="neither the official .* first parameters: conv.weight"):
        load_official(tmp_path / "a.ckpt")


def test_incomplete_checkpoint_lists_what_lacks(tmp_path):
    path, _ = separator_file(tmp_path)
    content = torch.load(path, weights_only=True)
    del content["state_dict"]["model.base.pre_conv.bias"]
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"missing \(1\): base.pre_conv.bias"):
        load_official(path)


def published(tmp_path, chunk_frames=64, prefix=""):
    """Write a backbone as M2D publishes it: under ``model``, with parts of pre-training beside it."""
    backbone = M2DTagger(M2DConfig(**{**TAGGER, "chunk_frames": chunk_frames})).backbone
    state = {name: tensor for name, tensor in backbone.state_dict().items() if name != "norm_stats"}
    state |= {"decoder_embed.weight": torch.zeros(2), "mask_token": torch.zeros(1)}
    content = {"model": {prefix + name: tensor for name, tensor in state.items()}, "args": Namespace(lr=1e-3)}
    torch.save(content, tmp_path / "m2d.pth")
    return tmp_path / "m2d.pth", backbone


@pytest.mark.parametrize("prefix", ["", "module.ar.runtime.backbone."])
@pytest.mark.parametrize("load", [load_backbone, load_weights])
def test_published_backbone(load, prefix, tmp_path):
    path, backbone = published(tmp_path, prefix=prefix)
    tagger = M2DTagger(M2DConfig(**TAGGER, norm_mean=-5.0))
    head = tagger.head.linear[0].weight.clone()
    load(tagger, path)
    assert torch.equal(tagger.backbone.blocks[1].mlp.fc1.weight, backbone.blocks[1].mlp.fc1.weight)
    assert torch.equal(tagger.head.linear[0].weight, head)
    assert tagger.backbone.norm_stats[0] == -5.0


def test_backbone_of_other_chunks_names_the_option(tmp_path):
    path, _ = published(tmp_path, chunk_frames=608)
    with pytest.raises(CheckpointError, match="Set its option chunk_frames=608"):
        load_backbone(M2DTagger(M2DConfig(**TAGGER)), path)


def test_backbone_into_a_separator(tmp_path):
    path, _ = published(tmp_path)
    with pytest.raises(CheckpointError, match="backbone of M2D, which ResUNetK does not have"):
        load_weights(ResUNetK(SEPARATOR), path)
