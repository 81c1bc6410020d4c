"""Checkpoints from strangers: a header or a pickle can claim anything, and costs no more than the file itself."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import resource
import subprocess
import sys
import time
import zipfile

import pytest
import torch
from torch import nn

from s5lib.errors import CheckpointError, PluginError, S5Error
from s5lib.interfaces import ModelConfig, Tagger
from s5lib.models import load_model, save_checkpoint
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK
from s5lib.models.torchfile import read_tensors
from s5lib.models.weights import built_for, load_state

SMALL_M2D = M2DConfig(num_classes=3, embed_dim=16, depth=1, num_heads=2, head_dim=8, track_dim=4, n_mels=32)
SMALL_UNET = ResUNetKConfig(num_classes=3, n_fft=256, hop_length=128, channels=(2, 3), condition_size=4)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for kind, name, model in (("tagger", "m2d", M2DTagger(SMALL_M2D)), ("separator", "resunetk", ResUNetK(SMALL_UNET))):
        save_checkpoint(folder / f"{kind}.safetensors", model, kind, name, "s5lib", "0.1.0", ["Bell", "Dog", "Rain"])
    return folder


def with_config(path, target, **config):
    """Copy a checkpoint whose header claims other options."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    outer = json.loads(content[8 : 8 + length])
    header = json.loads(outer["__metadata__"]["s5lib"])
    header["config"].update(config)
    outer["__metadata__"]["s5lib"] = json.dumps(header)
    text = json.dumps(outer).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return target


HUGE = (10**5, 10**6, 10**9, 2**62)
CLAIMS = [
    *[("tagger", {option: value}) for option in ("depth", "embed_dim", "head_dim", "num_sources") for value in HUGE],
    *[("tagger", {option: value}) for option in ("chunk_frames", "n_fft", "n_mels") for value in HUGE],
    *[("separator", {option: value}) for option in ("condition_size", "num_sources", "num_classes") for value in HUGE],
    ("tagger", {"mlp_ratio": 1e300}),
    ("tagger", {"hop_length": 1}),
    ("tagger", {"sample_rate": 10**9}),
    ("separator", {"channels": [2] * 10**5}),
    ("separator", {"channels": [10**6] * 4}),
    ("separator", {"query": "text", "labels": ["a", "b", "c"], "text_size": 10**9}),
]


@pytest.mark.parametrize(("kind", "claim"), CLAIMS, ids=str)
def test_a_header_that_claims_too_much(files, tmp_path, kind, claim):
    start, most = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(S5Error):
        load_model(with_config(files / f"{kind}.safetensors", tmp_path / "a.safetensors", **claim))
    rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most  # of the peak, in kB: what was freed counts, too
    assert time.process_time() - start < 10 and rise < 1 << 20


@pytest.mark.parametrize("tokenizer", ["{}/words.model", "../words.model", "words.model", "~/x", 5, ["x"]])
def test_a_header_opens_no_file(files, tmp_path, tokenizer):
    (tmp_path / "words.model").write_bytes(b"secret")
    value = tokenizer.format(tmp_path) if isinstance(tokenizer, str) else tokenizer
    path = with_config(
        files / "separator.safetensors",
        tmp_path / "a.safetensors",
        query="text",
        labels=["a", "b", "c"],
        tokenizer=value,
    )
    with pytest.raises(CheckpointError, match=r"tokenizer.*base64"):
        load_model(path)


class Hungry(Tagger):
    """A plugin's model that cannot be built without values, and takes what it is asked for."""

    def __init__(self, config, width):
        super().__init__(config)
        float(torch.ones(1))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(10**5))


@pytest.mark.parametrize("width", [1, 40_000])
def test_models_that_need_values_are_bounded_too(width):
    def build():
        try:
            return Hungry(ModelConfig(), width)
        except CheckpointError:
            raise
        except Exception as error:
            raise PluginError(str(error)) from error

    start = time.process_time()
    with pytest.raises(CheckpointError, match="larger than"):
        built_for({"weight": torch.zeros(3)}, "a.safetensors", build)
    assert time.process_time() - start < 10
    nn.Linear(1, 1)  # nothing is counted afterwards


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(2, 3, dtype=torch.int64), "floating point"),
        (torch.zeros(2, 3, dtype=torch.bool), "floating point"),
        (torch.zeros(2, 3, dtype=torch.complex64), "floating point"),
        (torch.zeros(2, 3).to_sparse(), "plain array"),
        (torch.zeros(2, 3, device="meta"), "no values"),
        (torch.zeros(1).expand(2, 3), "claims"),
        (torch.full((2, 3), torch.nan), "finite"),
        (torch.full((2, 3), -torch.inf), "finite"),
    ],
)
@pytest.mark.parametrize("name", ["weight", "buffer"])
def test_weights_that_are_none(tensor, words, name):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2, 3))
            self.register_buffer("buffer", torch.zeros(2, 3))

    model = Model()
    with pytest.raises(CheckpointError, match=words):
        load_state(model, {**model.state_dict(), name: tensor}, "a.ckpt")
    assert not model.weight.any()


def test_a_mask_may_be_infinite():
    model = nn.Module()
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    load_state(model, {"mask": torch.tensor([1.0, -torch.inf])}, "a.ckpt")
    assert model.mask[0] == 1


def test_numbers_of_blocks_cost_nothing(tmp_path):
    for name, block in (
        ("resunetk", "base.encoder_block{}.conv_block1.conv2.weight"),
        ("m2dat", "backbone.blocks.{}.x"),
    ):
        small = ResUNetK(ResUNetKConfig(num_sources=2, n_fft=512, channels=(2, 3), condition_size=4))
        tagger = M2DTagger(M2DConfig(embed_dim=64, depth=1, num_heads=1, head_dim=8, track_dim=4, chunk_frames=32))
        state = dict((small if name == "resunetk" else tagger).state_dict())
        for number in ("999999999", "9" * 5000):
            torch.save({"state_dict": {**state, block.format(number): torch.zeros(1)}}, tmp_path / "a.ckpt")
            start = time.process_time()
            with pytest.raises(CheckpointError):
                load_model(tmp_path / "a.ckpt")
            assert time.process_time() - start < 10


def zipped(path, change):
    """Write the members of a file of torch.save anew."""
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(1000)}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            change(target, info, source.read(info))


def test_a_packed_zip_is_not_unpacked(tmp_path):
    def pack(target, info, content):
        content = bytes(64 << 20) if info.filename.endswith("data/0") else content
        target.writestr(info.filename, content, zipfile.ZIP_DEFLATED)

    zipped(tmp_path / "a.ckpt", pack)
    with pytest.raises(CheckpointError, match="packed"):
        read_tensors(tmp_path / "a.ckpt")


def test_many_names_for_the_same_bytes(tmp_path):
    shared = torch.zeros(1000)
    torch.save({f"weight{index}": shared for index in range(100)}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="several times as large"):
        read_tensors(tmp_path / "a.ckpt")


class Evil:
    def __reduce__(self):
        return os.system, ("echo caught",)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "content", [{"weight": torch.zeros(1), "x": Evil()}, Evil(), [Evil()]], ids=["dict", "", "list"]
)
def test_code_is_named_and_no_advice_of_torch_is_passed_on(tmp_path, content, legacy, capfd):
    torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match=r"posix.system.*weights alone") as caught:
        read_tensors(tmp_path / "a.ckpt")
    assert "weights_only" not in str(caught.value) and "caught" not in capfd.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02]", pickle.dumps(Evil(), 0), bytes(1000)])
def test_what_torch_says_of_damage_is_not_passed_on(tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_tensors(tmp_path / "a.ckpt")
    assert "weights_only" not in str(caught.value) and "False" not in str(caught.value)


def test_what_a_constructor_imports_has_values(tmp_path, monkeypatch):
    """On the meta device, tensors of a module that is imported there would have none."""
    (tmp_path / "lazily_imported.py").write_text("import torch\nCONSTANT = torch.ones(2)\n")
    monkeypatch.syspath_prepend(tmp_path)

    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            import lazily_imported

            with contextlib.suppress(ImportError):
                import a_module_that_is_not_here  # noqa: F401
            self.constant = lazily_imported.CONSTANT
            self.register_buffer("scale", torch.full((1,), 3.0), persistent=False)
            self.weight = nn.Parameter(torch.empty(2).normal_())

    model = built_for({"weight": torch.ones(2)}, "a.safetensors", Lazy)
    assert model.constant.tolist() == [1, 1] and model.scale.item() == 3
    assert not [finder for finder in sys.meta_path if "Imports" in type(finder).__name__]


def test_loading_first_thing_in_a_process(files, tmp_path):
    """Models are imported when their checkpoint is; nothing of them may be left without values."""
    for kind in ("tagger", "separator"):
        program = (
            "import sys, torch; from s5lib.models import load_model; model, header = load_model(sys.argv[1]);"
            "query = [torch.zeros(1, 3, 3)] if header['kind'] == 'separator' else [];"
            "output = model(torch.randn(1, 4, 4000), *query); assert output.isfinite().all();"
            "import s5lib.models.winograd as w;"
            "assert not any(v.is_meta for v in vars(w).values() if isinstance(v, torch.Tensor))"
        )
        done = subprocess.run([sys.executable, "-c", program, str(files / f"{kind}.safetensors")], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
