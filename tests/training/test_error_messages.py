"""What goes wrong around a run ends it with a message of our own, and leaves what was good."""

from __future__ import annotations

import errno
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.io import wavfile
from tiny_runs import assert_same, command

from s5lib.bin.main import main
from s5lib.data import CorpusDescription, RecordedScenes
from s5lib.errors import DataError, PluginError, S5Error
from s5lib.plugins import Component, ComponentSpec
from s5lib.provenance import files
from s5lib.scenes import render
from s5lib.training import replay
from s5lib.training.error_messages import in_plain_words
from s5lib.training.history import History
from s5lib.training.resume import resume_step
from s5lib.training.settings import TrainSettings


@pytest.fixture
def own_data(tiny_data, own_corpus, tmp_path):
    """The tiny data directory, its training sounds from a corpus that a test may spoil."""
    folder = tmp_path / "data"
    shutil.copytree(tiny_data, folder)
    corpus = CorpusDescription.read(folder)
    CorpusDescription(
        str(own_corpus.absolute()),
        corpus.labels,
        corpus.sample_rate,
        corpus.num_channels,
        corpus.max_sources,
        corpus.draw_options,
    ).write(folder)
    return folder


def spoil_at_step(monkeypatch, step, spoil):
    """Do something to the corpus once, after a step of the run."""
    usual = History.on_train_batch_end

    def spoiling(self, trainer, *others):
        usual(self, trainer, *others)
        if trainer.global_step == step:
            spoil()

    monkeypatch.setattr(History, "on_train_batch_end", spoiling)


def sounds(corpus):
    return sorted((corpus / "dev_set/sound_event/train").rglob("*.wav"))


def put_nan_in(path):
    rate, samples = wavfile.read(path)
    samples = samples.copy()
    samples[len(samples) // 2] = np.nan
    wavfile.write(path, rate, samples)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (put_nan_in, "is not a finite number; repair or remove the recording"),
        (os.unlink, "no such recording"),
        (lambda path: os.truncate(path, 1000), "truncated"),
    ],
)
def test_spoilt_sounds(own_data, own_corpus, tmp_path, monkeypatch, capsys, workers, spoil, message):
    """All sounds, so that whichever comes next is one; what was done until then is kept, and goes on once mended."""
    originals = {path: path.read_bytes() for path in sounds(own_corpus)}
    options = {"num_workers": workers, "max_steps": 60, "save_interval": 60, "valid_interval": 60}
    arguments = command("tagger", own_data, tmp_path / "exp", **options)
    # sounds that were decoded already are kept in memory: the run meets a spoilt one some steps later
    spoil_at_step(monkeypatch, 2, lambda: [spoil(path) for path in originals])
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error and str(own_corpus) in error and "Traceback" not in error
    assert resume_step(tmp_path / "exp/train/resume.ckpt") >= 2 and error.rstrip().endswith(".")
    if workers == 0 and spoil is os.unlink:
        monkeypatch.undo()
        for path, content in originals.items():
            path.write_bytes(content)
        assert main(arguments) == 0
        assert main(command("tagger", own_data, tmp_path / "whole", **options)) == 0
        assert_same(tmp_path / "whole", tmp_path / "exp")


def test_mixing_process_that_is_killed(tiny_data, tmp_path, monkeypatch, capsys):
    def kill():
        child = multiprocessing.active_children()[0]
        os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.2)

    spoil_at_step(monkeypatch, 3, kill)
    options = {"num_workers": 1, "max_steps": 40, "save_interval": 2, "valid_interval": 40}
    assert main(command("tagger", tiny_data, tmp_path, **options)) == 1
    error = capsys.readouterr().err
    assert "a process that mixes scenes" in error and "was killed" in error
    assert "lower --num_workers" in error and "resume.ckpt is intact" in error
    assert "Traceback" not in error and not multiprocessing.active_children()


def test_loss_that_is_not_finite(tiny_data, tmp_path, capsys):
    assert main(command("tagger", tiny_data, tmp_path / "exp", lr=9e5, max_steps=20, clip=0, valid_interval=20)) == 1
    error = capsys.readouterr().err
    assert "error: step " in error and " is nan" in error and "It was on the scenes train-0-" in error
    path = tmp_path / "exp/train/bad_batch.json"
    assert f"python -m s5lib.training.replay {path}" in error and "lower --lr" in error
    batch = json.loads(path.read_text())
    assert [scene["index"] for scene in batch["scenes"]] == [2 * batch["step"], 2 * batch["step"] + 1]
    assert 0 < len(batch["recent_losses"]) == batch["step"] <= 20
    capsys.readouterr()
    assert replay.main([str(path), "--out", str(tmp_path / "bad")]) == 0
    shown = capsys.readouterr().out
    for scene in batch["scenes"]:  # the very scenes: peaks are equal to the bit, and the metadata renders them again
        _, samples = wavfile.read(tmp_path / f"bad/soundscape/{scene['id']}.wav")
        assert np.abs(samples).max() == np.float32(scene["peak"]) and scene["id"] in shown
        again = render(tmp_path / f"bad/metadata/{scene['id']}.json", batch["corpus"])
        assert np.array_equal(again.mixture.T, samples)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), ("{}", "'drawing' is missing"), ("x", "not JSON")]
)
def test_replay_of_something_else(tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    assert replay.main([str(tmp_path / "a.json"), "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["resume.ckpt", "history.jsonl", "step_0000004.safetensors", "model.safetensors"])
def test_full_disk(tiny_data, tmp_path, monkeypatch, capsys, name):
    """The disk is full when a file is flushed, the second time for those that are written again and again."""
    usual, calls, need = files._flush, [0], 2 if name in ("resume.ckpt", "history.jsonl") else 1

    def full(path):
        if path.name.startswith(f".{name}.") and path.suffix == ".part":
            calls[0] += 1
            if calls[0] == need:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        usual(path)

    options = {"max_steps": 4, "save_interval": 1, "valid_interval": 2}
    with monkeypatch.context() as patched:
        patched.setattr(files, "_flush", full)
        assert main(command("tagger", tiny_data, tmp_path / "exp", **options)) == 1
    error = capsys.readouterr().err
    assert f"{name}" in error and "No space left on device" in error and "Traceback" not in error
    assert not list(tmp_path.rglob(".*.part"))
    # where the state could not be saved, it is tried once more when the run ends
    step = {"resume.ckpt": 2, "history.jsonl": 3, "step_0000004.safetensors": 3, "model.safetensors": 4}[name]
    assert resume_step(tmp_path / "exp/train/resume.ckpt") == step
    for path in tmp_path.rglob("*.safetensors"):
        load_file(path)
    assert main(command("tagger", tiny_data, tmp_path / "exp", **options)) == 0


WORDS = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), ["--accumulate 2", "GPU", "bfloat16"]),
    (MemoryError("Unable to allocate 3.1 GiB"), ["--batch_size than 4", "duration=5", "3.1 GiB"]),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), ["--accumulate"]),
    (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is"), ["/dev/shm", "--num_workers 0"]),
    (RuntimeError("DataLoader worker (pid(s) 12, 13) exited unexpectedly"), ["(12, 13)", "killed"]),
    (OSError(errno.EDQUOT, "Disk quota exceeded", "a/b"), ["a/b: Disk quota exceeded"]),
    (OSError("Caught OSError in DataLoader worker process 0.\nOSError: [Errno 5] Input/output error"), ["[Errno 5]"]),
    (MemoryError("Caught MemoryError in DataLoader worker process 1.\nOriginal"), ["Lower --num_workers"]),
]


@pytest.mark.parametrize(("error", "words"), WORDS)
def test_words(tmp_path, error, words):
    with pytest.raises(S5Error) as raised, in_plain_words(TrainSettings(), tmp_path / "resume.ckpt", on_gpu=True):
        raise error
    assert all(word in str(raised.value) for word in words), raised.value
    assert "Traceback" not in str(raised.value) and "\n" not in str(raised.value)


def test_other_errors_pass(tmp_path):
    for error in (RuntimeError("a bug of a plugin"), KeyError("x"), DataError("reported already"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as raised, in_plain_words(TrainSettings(), tmp_path / "x", on_gpu=False):
            raise error
        assert raised.value is error


def test_whatever_a_plugin_raises(tmp_path, monkeypatch):
    """Its file and line are enough to find the mistake; errors from elsewhere pass, as they may be ours."""
    path = tmp_path / "failing_plugin.py"
    path.write_text("def forward(x):\n    return x.shape[7]\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("failing_plugin")
    monkeypatch.setitem(sys.modules, "failing_plugin", module)
    component = Component("separator", ComponentSpec("it", "failing_plugin:It"), "acme", "acme", "1")
    with pytest.raises(PluginError) as raised, in_plain_words(TrainSettings(), tmp_path / "x", False, component):
        module.forward(torch.zeros(2))
    assert all(word in str(raised.value) for word in ("acme/it", f"{path}, line 2", "IndexError"))
    assert str(raised.value).count("line 2") == 1
    with pytest.raises(ZeroDivisionError), in_plain_words(TrainSettings(), tmp_path / "x", False, component):
        1 / 0  # noqa: B018 - it raises


def test_validation_recording_that_has_gone(tiny_data, tmp_path, monkeypatch, capsys):
    def broken(self, index):
        raise DataError(f"{index}.wav: no such recording.")

    monkeypatch.setattr(RecordedScenes, "__getitem__", broken)
    assert main(command("tagger", tiny_data, tmp_path, max_steps=3, save_interval=100, valid_interval=2)) == 1
    assert "0.wav: no such recording." in capsys.readouterr().err
    assert resume_step(tmp_path / "train/resume.ckpt") == 2
    monkeypatch.undo()
    assert main(command("tagger", tiny_data, tmp_path, max_steps=3, save_interval=100, valid_interval=2)) == 0
    assert [json.loads(line)["step"] for line in (tmp_path / "train/history.jsonl").read_text().splitlines()] == [2, 3]
