"""Whatever happens between runs of `s5lib infer`, and wherever it is disturbed, a run ends as one into a fresh folder.

The system is a stand-in that takes no time, a full disk is an error; recordings, records, locks and kills are real.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from s5lib.audio import write_audio
from s5lib.audio.layout import ChannelLayout
from s5lib.errors import DataError
from s5lib.interfaces import ModelConfig
from s5lib.systems import Source, System, inference, workers

RATE = 8000
NAMES = ("a", "b", "day1/a", "day1/c")
OPTIONS = {
    "format": ("float", "flac"),
    "layout": (ChannelLayout(), ChannelLayout(order="WXYZ"), ChannelLayout(normalisation="n3d")),
    "remainder": (False, True),
    "labels": (None, ("Dog",), ("Rain", "Dog")),
}


class StandIn(System):
    """As many sources as the first sample says; each is a channel, scaled by the number in the model's file."""

    def __init__(self, model: str):
        super().__init__([ModelConfig(num_classes=2, num_sources=2, sample_rate=RATE)], ["Dog", "Rain"])
        self.scale = float(Path(model).read_text())

    def find_sources(self, mixture, labels):
        found = labels if labels is not None else ["Dog", "Rain"][: 1 + int(abs(mixture[0, 0]) > 0.5)]
        return [Source(label, 0.5, self.scale * mixture[row + 1]) for row, label in enumerate(found)]


def stand_in(keywords, plugins, made_by):
    return StandIn(dict(keywords)["separator"])


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Sequences(RuleBasedStateMachine):
    """Recordings, their results, and everything that people and machines do to them."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="s5lib-sequences-"))
        self.out, self.model = self.folder / "out", self.folder / "model"
        self.options = {name: values[0] for name, values in OPTIONS.items()}
        self.model.write_text("0.5")
        self.lost: set[str] = set()  # recordings whose record somebody has damaged: their sources are nobody's
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(workers, "_load", stand_in)
        header = {"labels": ["Dog", "Rain"], "trained_on": {}}
        self.patch.setattr(inference, "model_header", lambda path: header)

    def teardown(self):
        self.patch.undo()
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self):
        self.write("a", 3, 1)

    @rule(name=st.sampled_from(NAMES), seed=st.integers(0, 3), blocks=st.integers(1, 2))
    def write(self, name, seed, blocks):
        samples = np.random.default_rng(seed).uniform(-0.9, 0.9, (4, 500 * blocks)).astype(np.float32)
        write_audio(self.folder / "in" / f"{name}.wav", samples, RATE)

    def recording(self, data):
        return data.draw(st.sampled_from(sorted((self.folder / "in").rglob("*.wav"))))

    @rule(data=st.data(), seed=st.integers(0, 3))
    def replace_in_place_with_the_same_size_and_time(self, data, seed):
        path = self.recording(data)
        state, whole = os.stat(path), bytearray(path.read_bytes())
        whole[-400:] = np.random.default_rng(seed).uniform(-0.9, 0.9, 100).astype("<f4").tobytes()
        with open(path, "r+b") as stream:
            stream.write(whole)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    @rule(data=st.data())
    def touch(self, data):
        os.utime(self.recording(data), (0, data.draw(st.integers(0, 2))))

    @rule(data=st.data())
    def spoil_recording(self, data):
        self.recording(data).write_bytes(b"no sound")

    @precondition(lambda self: self.out.exists() and any(self.out.rglob("*.*")))
    @rule(data=st.data(), size=st.sampled_from([None, 0, 50]), flip=st.booleans())
    def damage_output(self, data, size, flip):
        path = data.draw(st.sampled_from(sorted(p for p in self.out.rglob("*") if p.is_file())))
        if path.suffix == ".json":
            self.lost.add(str(path.relative_to(self.out).with_suffix("")))
        if size is None:
            path.unlink()
        elif flip and path.suffix != ".json":
            path.write_bytes(path.read_bytes()[:-4] + b"\1\2\3\4")
        else:
            os.truncate(path, min(size, path.stat().st_size))

    @rule(scale=st.sampled_from(["0.5", "0.25"]))
    def change_model(self, scale):
        self.model.write_text(scale)

    @rule(data=st.data(), name=st.sampled_from(sorted(OPTIONS)))
    def change_option(self, data, name):
        self.options[name] = data.draw(st.sampled_from(OPTIONS[name]))

    def infer(self, out):
        how = {key: value for key, value in self.options.items() if key != "labels"}
        system = {"separator": str(self.model), "tagger": str(self.model)}
        with contextlib.suppress(DataError):  # recordings that were spoilt
            inference.infer_files([str(self.folder / "in")], out, self.options["labels"], system, **how)

    @rule(at=st.integers(1, 120), how=st.sampled_from(["killed", "disk fails once", "disk fails for good"]))
    def run_and_disturb(self, at, how):
        child = os.fork()
        if not child:
            logging.disable()
            count, place = 0, os.fspath(self.folder)

            def hook(event, arguments):
                nonlocal count
                if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and place in str(arguments[0]):
                    count += 1
                    if count == at and how == "killed":
                        os.kill(os.getpid(), signal.SIGKILL)
                    if count == at or (count > at and how == "disk fails for good"):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            sys.addaudithook(hook)
            try:
                self.infer(self.out)
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    @rule()
    def run(self):
        self.infer(self.out)
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        self.infer(fresh)
        intact = [path for path in (self.folder / "in").rglob("*.wav") if path.read_bytes().startswith(b"RIFF")]
        assert len(list(fresh.rglob("*.json"))) == len(intact)
        found, expected = content(self.out), content(fresh)
        differing = {name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)}
        for name in self.lost:  # either made again as they were, or left as they are for their owner to remove
            own = {file for file in found.keys() | expected.keys() if file.rpartition(".")[0].partition("_")[0] == name}
            if own & differing:
                differing -= own
                for file in own & found.keys():
                    (self.out / file).unlink()
        self.lost.clear()
        assert not differing


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
