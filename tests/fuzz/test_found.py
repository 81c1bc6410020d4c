"""What fuzzing has found, each once, so that it stays mended."""

from __future__ import annotations

import json

import pytest

from s5lib.audio import probe
from s5lib.errors import CheckpointError, DataError
from s5lib.models import load_model


def with_header(path, target, **changes):
    """Copy a checkpoint with another s5lib header."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    outer = json.loads(content[8 : 8 + length])
    header = {**json.loads(outer["__metadata__"]["s5lib"]), **changes}
    outer["__metadata__"]["s5lib"] = json.dumps(header)
    text = json.dumps(outer).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": ["tagger"]}, "'kind' is"),
        ({"name": {}}, "'name' is"),
        ({"version": 1.5}, "'version' is"),
        ({"labels": ["Bell", "Dog", None]}, "'labels' is"),
        ({"labels": ["Bell", "Dog", "\ud800"]}, "labels.2. is"),
        ({"labels": ["Bell", "Dog"]}, "2 labels.* 3 classes"),
        ({"labels": ["Bell", "Dog", "Dog"]}, "distinct"),
    ],
)
def test_headers_of_checkpoints(seeds, tmp_path, changes, message):
    with pytest.raises(CheckpointError, match=message):
        load_model(with_header(seeds / "tagger.safetensors", tmp_path / "a.safetensors", **changes))


def test_weights_that_are_no_numbers(seeds, tmp_path):
    content = bytearray((seeds / "separator.safetensors").read_bytes())
    content[-4:] = b"\xff\xff\xff\x7f"  # NaN
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="not all finite"):
        load_model(tmp_path / "a.safetensors")


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 9, 200, 3000])
def test_pickles_that_end_anywhere(seeds, tmp_path, cut):
    """They ended in struct.error, AssertionError or TypeError of torch's unpickler."""
    content = (seeds / "resunetk.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(content[:-cut])
    with pytest.raises(CheckpointError, match="or is damaged"):
        load_model(tmp_path / "a.pth")


def test_headerless_audio_by_its_name(tmp_path):
    """It ended in a TypeError of soundfile."""
    (tmp_path / "a.raw").write_bytes(bytes(64))
    with pytest.raises(DataError, match="not a recording"):
        probe(tmp_path / "a.raw")
