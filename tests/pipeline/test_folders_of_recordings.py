"""`s5lib infer` on folders of recordings: some fail, other machines help, killed and run again."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from s5lib.bin.main import main
from s5lib.models.resunetk import ResUNetK
from s5lib.systems.outputs import SourceWriter, read_sources

from .recordings import RATE, listed, record


def test_an_unknown_label_stops_before_the_folder_is_gone_through(models, tmp_path, capsys):
    for name in "abc":
        record(tmp_path / f"{name}.wav", 0.1)
    assert main(["infer", str(tmp_path), *models[4], "--out", str(tmp_path / "out"), "--labels", "Dgo"]) == 1
    assert capsys.readouterr().err.count("Did you mean 'Dog'?") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_failed_is_not_left_as_a_result(models, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.wav").write_bytes(b"RIFF no recording")
    assert main(["infer", str(tmp_path / "in"), *models[4], "--out", str(tmp_path / "new/out")]) == 1
    printed = capsys.readouterr()
    assert not (tmp_path / "new").exists() and "0 recordings" not in printed.out + printed.err
    (tmp_path / "kept").mkdir()
    assert main(["infer", str(tmp_path / "in"), *models[4], "--out", str(tmp_path / "kept/out")]) == 1
    assert (tmp_path / "kept").is_dir() and not list((tmp_path / "kept").iterdir())


def test_workers_of_dask(models, tmp_path, monkeypatch, capsys):
    """A scheduler that does at once what it is asked, with what it would have sent to a worker."""

    class Client:
        def __init__(self, address, timeout):
            if address != "here:1":
                raise OSError("nobody there")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def map(self, function, *arguments, pure):
            copies = pickle.loads(pickle.dumps((function, *arguments)))
            return [Finished(copies[0](*each)) for each in zip(*copies[1:], strict=True)]

    class Finished:
        def __init__(self, value):
            self.result = lambda: value

    module = types.ModuleType("distributed")
    module.Client, module.as_completed = Client, iter
    monkeypatch.setitem(sys.modules, "distributed", module)
    for name in "ab":
        record(tmp_path / f"{name}.wav", 0.2)
    command = ["infer", str(tmp_path), *models[4], "--out", str(tmp_path / "out"), "--dask"]
    assert main([*command, "there:1"]) == 1
    assert "no scheduler answers there (nobody there)" in capsys.readouterr().err
    assert main([*command, "here:1"]) == 0
    assert listed(tmp_path / "out", "a")["sources"] and listed(tmp_path / "out", "b")["sources"]


def test_models_that_fail_on_one_recording_stop_no_other(models, tmp_path, monkeypatch, capsys):
    for name in "ab":
        record(tmp_path / f"{name}.wav", 0.2 + 0.1 * (name == "b"))
    forward = ResUNetK.forward

    def fails(model, mixture, query):
        if mixture.shape[-1] < 0.25 * RATE:
            raise torch.OutOfMemoryError("no memory left\nfor this")
        return forward(model, mixture, query)

    monkeypatch.setattr(ResUNetK, "forward", fails)
    assert main(["infer", str(tmp_path), *models[4], "--out", str(tmp_path / "out")]) == 1
    assert "a.wav: the models failed (OutOfMemoryError: no memory left)" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").glob("*.json")] == ["b.json"]


def test_killed_in_the_middle_of_a_folder(models, tmp_path):
    """What was written stays, whole; the next run does the rest, and the files are those of an uninterrupted run."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(60):
        record(folder / f"r{number}.wav", 4)
    command = [sys.executable, "-m", "s5lib.bin.main", "infer", str(folder), *models[4], "--labels", "Dog,Rain"]
    process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.json"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}
    assert 5 <= len(before) < 60
    for name in before:
        assert read_sources(out, name.removesuffix(".json"), 4 * RATE)[0] == ["Dog", "Rain"]
    assert main([*command[3:], "--out", str(out)]) == 0
    assert len(list(out.glob("*.json"))) == 60 and len(list(out.glob("*.wav"))) == 120
    assert not list(out.glob(".*"))
    assert all((out / name).stat().st_mtime_ns == time for name, time in before.items())


@pytest.mark.parametrize(("first", "second"), [("day1", "."), (".", "day1")])
def test_runs_into_nested_folders_leave_each_other_alone(models, tmp_path, monkeypatch, first, second):
    """The second run begins and ends while the first has a recording half written in the folder that they share."""
    out, finish = tmp_path / "out", SourceWriter.finish
    for run, place in (("one", first), ("two", second)):
        folder = tmp_path / run / ("day1" if place == "." else ".")
        folder.mkdir(parents=True)
        record(folder / f"{run}.wav", 0.2)
    commands = [
        ["infer", str(tmp_path / run), *models[4], "--labels", "Dog", "--nj", "1", "--out", str(out / place)]
        for run, place in (("one", first), ("two", second))
    ]
    deadline = time.monotonic() + 60
    child = os.fork()
    if not child:
        status = 70
        try:

            def late(*arguments, **details):
                while not (out / "day1/two.json").exists() and time.monotonic() < deadline:
                    time.sleep(0.01)
                return finish(*arguments, **details)

            monkeypatch.setattr(SourceWriter, "finish", late)
            status = main(commands[0])
        finally:
            os._exit(status)
    while not list(out.glob("day1/.one.*.part/*.raw")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert main(commands[1]) == 0
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = sorted(path.name for path in out.rglob("*") if path.is_file())
    assert found == ["one.json", "one_0_Dog.wav", "two.json", "two_0_Dog.wav"]


def test_files_as_they_are(models, tmp_path, capsys):
    """A place in an archive and a header of unknown length are read; a pipe and a cut file are reported, none hangs."""
    kaldiio = pytest.importorskip("kaldiio")
    sound = np.random.default_rng(0).integers(-3000, 3000, (RATE, 4), np.int16)
    kaldiio.save_ark(str(tmp_path / "wav.ark"), {"a": (RATE, sound)}, scp=str(tmp_path / "wav.scp"))
    entry = (tmp_path / "wav.scp").read_text().split(maxsplit=1)[1].strip()
    streamed = bytearray(Path(record(tmp_path / "streamed.wav", 1)).read_bytes())
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "streamed.wav").write_bytes(streamed)
    cut = Path(record(tmp_path / "cut.flac", 1))
    cut.write_bytes(cut.read_bytes()[:-100])
    os.mkfifo(tmp_path / "pipe.wav")
    files = [entry, *(str(tmp_path / name) for name in ("streamed.wav", "cut.flac", "pipe.wav"))]
    assert main(["infer", *files, *models[4], "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert "cut.flac" in printed.out and "pipe.wav" in printed.out and "2 of 4 recordings" in printed.err
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.json")) == ["streamed", "wav"]
    assert listed(tmp_path / "out", "wav")["duration"] == listed(tmp_path / "out", "streamed")["duration"] == 1


def test_a_line_break_in_a_name_makes_no_line_of_the_log(trained, tmp_path, capsys):
    name = "take\n2026-01-01 00:00:00 all is well.wav"
    soundfile.write(tmp_path / name, np.zeros((800, 4)), 8000)
    models = [f"--{kind}={trained / kind / 'model.safetensors'}" for kind in ("tagger", "separator")]
    assert main(["infer", str(tmp_path / name), *models, "--out", str(tmp_path / "out"), "--nj", "1"]) == 0
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("2026-01-01")]
