"""Spoilt files of every kind end in an error of ours or in a sane result: never a traceback, a hang or a wrong number.

``tools/test.sh tests/fuzz`` tries a few hundred files; ``tools/test.sh --slow tests/fuzz`` 12,000.  A failure names
kind and seed: ``FUZZ_SEEDS=17 tools/test.sh tests/fuzz -k wav`` tries that one alone.  An attempt has 10 s of work and
3 GB.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from s5lib.errors import S5Error
from s5lib.evaluation.scoring import score_recordings
from s5lib.models import load_model, read_header
from s5lib.systems.outputs import read_sources
from s5lib.systems.workers import Job, Task, separate
from s5lib.untrusted import printable

from .conftest import limits
from .mutate import ESCAPE, mutate_bytes, mutate_json
from .readers import READERS

FEW, MANY = 12, 600
FOUND = Path(__file__).with_name("found.json")
"""By kind, the seeds that have once shown a fault; they are tried each time."""


def pick(seeds, kind, generator):
    names = {"wav": "a.wav b.wav c.flac d.ogg e.aiff", "safetensors": "tagger separator", "pickle": "resunetk m2dat"}
    return seeds / generator.choice(names[kind].split())


def a_recording(seeds, folder, generator):
    """Through inference, with labels predicted and given."""
    source = pick(seeds, "wav", generator)
    path = folder / f"one{source.suffix}"
    path.write_bytes(mutate_bytes(source.read_bytes(), generator))
    models = {kind: str(seeds / f"{kind}.safetensors") for kind in ("tagger", "separator")}
    job = Job(tuple(models.items()), 0.5, str(generator.choice(["float", "flac"])), "{}")
    labels = ("Dog", "Dog") if generator.random() < 0.5 else None
    outcome = separate(job, Task("one", str(path), folder / "out", labels))
    if outcome.error is not None:
        assert outcome.error and not list((folder / "out").glob("*"))
        return
    record = json.loads((folder / "out/one.json").read_text())
    found = [soundfile.info(folder / "out" / entry["file"]).frames for entry in record["sources"]]
    assert len(set(found)) <= 1
    if found:
        read_sources(folder / "out", "one", found[0])


def a_result(seeds, folder, generator):
    """Through the reader of results, and the scores."""
    shutil.copytree(seeds / "infer", folder / "infer")
    name = generator.choice(["one.json", "one_0_Dog.wav"])
    path = folder / "infer/predicted" / name
    path.write_bytes((mutate_json if path.suffix == ".json" else mutate_bytes)(path.read_bytes(), generator))
    for scores in score_recordings(seeds / "data/test", folder / "infer"):
        value = scores.predicted.value
        assert value is None or np.isfinite(value)


def check_model(path):
    model, header = load_model(path)
    sizes = model.config
    assert len(header["labels"]) == sizes.num_classes
    mixture = torch.full((1, sizes.num_channels, 256), 0.1)
    query = [torch.zeros(1, sizes.num_sources, sizes.num_classes)] if header["kind"] == "separator" else []
    with torch.no_grad():
        output = model(mixture, *query)
    assert output.shape[:2] == (1, sizes.num_sources)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def a_checkpoint(seeds, folder, generator):
    """Our own: bytes, or the header alone."""
    source = pick(seeds, "safetensors", generator).with_suffix(".safetensors")
    content = source.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if generator.random() < 0.5:
        spoilt = mutate_bytes(content, generator, head=8 + length)
    else:
        outer = json.loads(content[8 : 8 + length])
        outer["__metadata__"]["s5lib"] = mutate_json(outer["__metadata__"]["s5lib"].encode(), generator).decode(
            "utf-8", "replace"
        )
        header = json.dumps(outer).encode()
        spoilt = len(header).to_bytes(8, "little") + header + content[8 + length :]
    path = folder / source.name
    path.write_bytes(spoilt)
    with contextlib.suppress(S5Error):
        read_header(path)
    check_model(path)


def an_official_checkpoint(seeds, folder, generator):
    """Files of torch.save, of the present and of the old form."""
    source = pick(seeds, "pickle", generator).with_suffix(str(generator.choice([".ckpt", ".pth"])))
    path = folder / source.name
    path.write_bytes(mutate_bytes(source.read_bytes(), generator, head=2048))
    check_model(path)


KINDS = {
    "wav": a_recording,
    "result": a_result,
    "safetensors": a_checkpoint,
    "pickle": an_official_checkpoint,
    **READERS,
}


@contextlib.contextmanager
def in_folder(folder):
    """Work in ``folder``, so that relative paths that lead out of it are noticed."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def attempt(kind, seed, seeds, folder):
    generator = np.random.default_rng([seed, *kind.encode()])
    folder = folder / f"{kind}{seed}" / "inside"
    folder.mkdir(parents=True)
    message = ""
    try:
        with limits(), in_folder(folder):
            KINDS[kind](seeds, folder, generator)
    except S5Error as error:
        message = str(error)
        assert message.strip() and len(message) < 4000
    printable(message).encode()
    assert [path.name for path in folder.parent.iterdir()] == ["inside"]  # nothing has left the folder
    assert not os.path.lexists(ESCAPE)
    shutil.rmtree(folder.parent)


def chosen(first, count):
    return [int(os.environ["FUZZ_SEEDS"])] if "FUZZ_SEEDS" in os.environ else range(first, first + count)


@pytest.mark.parametrize("kind", KINDS)
def test_some(kind, seeds, tmp_path):
    attempt_all(kind, [*json.loads(FOUND.read_text()).get(kind, []), *chosen(0, FEW)], seeds, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many(kind, seeds, tmp_path):
    attempt_all(kind, chosen(FEW, MANY), seeds, tmp_path)


def attempt_all(kind, numbers, seeds, tmp_path):
    failed = {}
    for seed in numbers:
        try:
            attempt(kind, seed, seeds, tmp_path)
        except Exception as error:
            failed[seed] = f"{type(error).__name__}: {error}"[:300]
    assert not failed, f"{len(failed)} of {len(numbers)} spoilt files of the kind {kind}, by seed: " + json.dumps(
        failed, indent=1
    )
