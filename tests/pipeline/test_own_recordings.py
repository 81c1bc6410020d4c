"""`s5lib infer` on people's own recordings: any rate, format, length and number of channels; killed and run again."""

from __future__ import annotations

import itertools
import json
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

import s5lib
from s5lib.audio import ChannelLayout, open_audio
from s5lib.bin.main import main
from s5lib.errors import CheckpointError, DataError
from s5lib.models import save_checkpoint
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK
from s5lib.systems.outputs import read_sources

RATE, LABELS = 8000, ["Bell", "Dog", "Rain"]


def save_models(folder, channels, trained_on=None, **options):
    torch.manual_seed(channels)
    sizes = {
        "num_classes": 3,
        "num_sources": 2,
        "num_channels": channels,
        "sample_rate": RATE,
        "n_fft": 256,
        "hop_length": 128,
        **options,
    }
    tagger = {
        "n_mels": 32,
        "embed_dim": 16,
        "depth": 1,
        "num_heads": 2,
        "head_dim": 8,
        "track_dim": 4,
        "input_channels": channels,
    }
    models = {
        "tagger": ("m2d", M2DTagger(M2DConfig(**sizes, **tagger))),
        "separator": ("resunetk", ResUNetK(ResUNetKConfig(**sizes, channels=(4, 6), condition_size=8))),
    }
    with torch.no_grad():  # so that Dog and Rain are what an untrained tagger finds
        for track, label in zip(models["tagger"][1].head.tracks, (1, 2), strict=True):
            track[-1].bias.copy_(20 * torch.nn.functional.one_hot(torch.tensor(label), 4))
    for kind, (name, model) in models.items():
        version, file = s5lib.__version__, folder / f"{kind}.safetensors"
        save_checkpoint(file, model, kind, name, "s5lib", version, LABELS, trained_on)
    return [f"--{kind}={folder / kind}.safetensors" for kind in models]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {channels: save_models(tmp_path_factory.mktemp(f"models of {channels}"), channels) for channels in (1, 4)}


def record(path, seconds, rate=RATE, channels=4, **options):
    samples = 0.1 * np.random.default_rng(0).standard_normal((max(1, round(seconds * rate)), channels))
    soundfile.write(path, samples, rate, **options)
    return str(path)


def listed(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("file", "seconds", "rate", "channels"),
    [
        ("a.wav", 0.4, 8000, 4),
        ("a.flac", 1, 48000, 4),
        ("a.ogg", 1, 44100, 4),
        ("a.mp3", 1, 44100, 1),
        ("a.aiff", 1, 22050, 1),
        ("a.wav", 0.0001, 8000, 1),
        ("a.w64", 0.003, 16000, 4),
        ("a.wav", 25, 16000, 4),
    ],
)
def test_any_format_rate_length_and_both_numbers_of_channels(models, tmp_path, capsys, file, seconds, rate, channels):
    path = record(tmp_path / file, seconds, rate, channels)
    assert main(["infer", path, *models[channels], "--out", str(tmp_path / "out")]) == 0
    found = listed(tmp_path / "out", "a")
    frames = soundfile.info(path).frames
    labels, waveforms = read_sources(tmp_path / "out", "a", frames)
    assert labels == ["Dog", "Rain"] and np.isfinite(waveforms).all()
    assert found["recording"] == path and found["duration"] == pytest.approx(frames / rate, abs=1e-4)
    assert found["sample_rate"] == rate and f"{file}, " in capsys.readouterr().out


@pytest.mark.parametrize(("rate", "channels"), [(8000, 4), (44100, 1), (48000, 2), (22050, 4)])
def test_sources_and_remainder_are_the_recording(models, tmp_path, rate, channels):
    path = record(tmp_path / "a.wav", 0.7, rate, channels, subtype="FLOAT")
    reference = np.atleast_2d(soundfile.read(path, dtype="float32")[0].T).T
    reference = reference[:, 0] if channels != 2 else reference.mean(1)
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), "--remainder"]) == 0
    labels, sources = read_sources(tmp_path / "out", "a", len(reference))
    remainder, written_rate = soundfile.read(tmp_path / "out/a_remainder.wav", dtype="float32")
    assert labels == ["Dog", "Rain"] and written_rate == rate
    np.testing.assert_allclose(sources.sum(0) + remainder, reference, atol=1e-6)
    assert main(["infer", str(tmp_path / "out"), *models[4], "--out", str(tmp_path / "again")]) == 1  # all are its own


def test_sample_rate_of_the_models(models, tmp_path):
    path = record(tmp_path / "a.wav", 0.5, 48000)
    more = ["--sample_rate", "model", "--remainder"]
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), *more]) == 0
    _, sources = read_sources(tmp_path / "out", "a", 4000)
    remainder, rate = soundfile.read(tmp_path / "out/a_remainder.wav", dtype="float32")
    with open_audio(path, RATE) as audio:
        np.testing.assert_allclose(sources.sum(0) + remainder, audio.read()[0], atol=1e-6)
    assert rate == RATE == listed(tmp_path / "out", "a")["sample_rate"]


def test_without_out_the_folder_is_called_separated(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record("a.wav", 0.2)
    assert main(["infer", "a.wav", *models[4]]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "separated"]
    assert main(["infer", ".", *models[4], "--out", "other"]) == 0  # what is in it is no input
    assert sorted(path.name for path in (tmp_path / "other").glob("*.json")) == ["a.json"]


def test_a_file_alone_is_enough(models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record("a.wav", 0.2)
    for option in models[4]:
        kind, _, file = option[2:].partition("=")
        (tmp_path / "exp/mine" / kind).mkdir(parents=True)
        (tmp_path / "exp/mine" / kind / "model.safetensors").symlink_to(file)
    assert main(["infer", "a.wav"]) == 0
    assert "using the newest" in capsys.readouterr().out and len(listed(tmp_path / "separated", "a")["sources"]) == 2
    assert main(["infer", "a.wav", "--models", "exp/mine"]) == 0
    assert "finished already" in capsys.readouterr().out
    system = s5lib.load_system("exp/mine")
    assert [source.label for source in system(soundfile.read("a.wav")[0].T, RATE)] == ["Dog", "Rain"]
    with pytest.raises(CheckpointError, match="dcase26-baseline"):
        s5lib.load_system("dcase26-basline")


def test_threshold(models, tmp_path, monkeypatch, capsys):
    forward = M2DTagger.forward
    monkeypatch.setattr(M2DTagger, "forward", lambda model, mixture: forward(model, mixture) / 10)  # less sure
    path, out = record(tmp_path / "a.wav", 0.3), tmp_path / "out"
    command = ["infer", path, *models[4], "--out", str(out)]
    assert main([*command, "--threshold", "0.95"]) == 0
    assert listed(out, "a")["sources"] == [] and listed(out, "a")["made_by"]["calibration"]["threshold"] == 0.95
    assert main([*command, "--threshold", "0.1"]) == 0
    assert "the calibration changed" in capsys.readouterr().out and len(listed(out, "a")["sources"]) == 2
    assert main([*command, "--threshold", "0.1"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert main([*command, "--threshold", "0.1", "--labels", "Dog"]) == 1
    assert "--threshold" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--threshold", "40"])


def test_mp3_is_to_listen_to(models, tmp_path, capsys):
    path = record(tmp_path / "a.wav", 0.5, 44100)
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), "--format", "mp3"]) == 0
    assert soundfile.info(tmp_path / "out/a_0_Dog.mp3").samplerate == 44100
    path = record(tmp_path / "b.wav", 0.5, 96000)
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), "--format", "mp3"]) == 1
    assert "--sample_rate model" in capsys.readouterr().out


def test_long_recordings_from_python_are_those_from_files(models, tmp_path):
    path = record(tmp_path / "long.wav", 25, subtype="FLOAT")
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), "--window", "4"]) == 0
    system = s5lib.load_system(*(option.split("=")[1] for option in models[4]))
    system.window_seconds = 4
    waveform, rate = soundfile.read(path, dtype="float32")
    sources = system(waveform.T, rate)
    labels, written = read_sources(tmp_path / "out", "long", 25 * RATE)
    assert labels == [source.label for source in sources]
    np.testing.assert_array_equal(written, [source.waveform for source in sources])


def test_what_the_json_says_of_models_and_settings(models, tmp_path):
    path = record(tmp_path / "a.wav", 0.5)
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), "--format", "flac"]) == 0
    found = listed(tmp_path / "out", "a")
    made_by = found["made_by"]
    assert made_by["s5lib"] == s5lib.__version__ and made_by["system"] == "tag_separate"
    assert made_by["precision"] == "float32" and made_by["window_seconds"] == 10 and made_by["format"] == "flac"
    for option in models[4]:
        kind, file = option[2:].split("=")
        assert made_by["models"][kind]["file"] == file and len(made_by["models"][kind]["sha256"]) == 64
    for entry in found["sources"]:
        assert {"label", "probability", "file", "active", "level_dbfs", "peak_dbfs", "level_to_mixture_db"} == set(
            entry
        )
        assert soundfile.info(tmp_path / "out" / entry["file"]).format == "FLAC"


def test_another_format_label_or_recording_is_done_again(models, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    path, other = record(tmp_path / "a.wav", 0.5), record(tmp_path / "other/a.wav", 0.6)
    command = ["infer", *models[4], "--out", str(tmp_path / "out")]
    steps = [
        ([path], ""),
        ([path], "1 of 1 recordings are finished already"),
        ([path, "--format", "pcm24"], "the format changed"),
        ([path, "--format", "pcm24", "--labels", "Bell"], "the labels changed"),
        ([path, "--format", "pcm24", "--labels", "Bell,Bell"], "the labels changed"),
        ([other, "--format", "pcm24", "--labels", "Bell,Bell"], "the recording changed"),
    ]
    for more, message in steps:
        assert main([*command, *more]) == 0
        assert message in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.json", "a_0_Bell.wav", "a_1_Bell.wav"]
    (tmp_path / "out/a_1_Bell.wav").unlink()
    assert main([*command, *steps[-1][0]]) == 0
    assert (tmp_path / "out/a_1_Bell.wav").exists()


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


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--window", "0.1"], "--window is 0.1 s; expected 0.5 to 600"),
        (["--dask", "nowhere:1"], "--dask"),
        (["--tagger", "nowhere.safetensors"], "--tagger nowhere.safetensors: No such file"),
    ],
)
def test_wrong_options(models, tmp_path, capsys, more, message):
    path = record(tmp_path / "a.wav", 0.1)
    assert main(["infer", path, *models[4], "--out", str(tmp_path / "out"), *more]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("channels", "wanted", "message"),
    [
        (1, 4, "heard as W, without directions"),
        (2, 4, "mean of 2 channels is heard as W"),
        (2, 1, "mean of 2"),
        (4, 1, "W"),
    ],
)
def test_other_numbers_of_channels(models, tmp_path, capsys, channels, wanted, message):
    path = record(tmp_path / "a.wav", 0.2, channels=channels, subtype="FLOAT")
    assert main(["infer", path, *models[wanted], "--out", str(tmp_path / "out")]) == 0
    assert message in capsys.readouterr().out and message in listed(tmp_path / "out", "a")["warnings"][0]
    system = s5lib.load_system(*(option.split("=")[1] for option in models[wanted]))
    waveform = np.atleast_2d(soundfile.read(path, dtype="float32")[0].T)
    with pytest.raises(DataError, match="ChannelLayout"):
        system(waveform, RATE)
    expected = system(ChannelLayout(wanted).apply(waveform), RATE)
    _, written = read_sources(tmp_path / "out", "a", waveform.shape[1])
    np.testing.assert_array_equal(written, [source.waveform for source in expected])


def test_an_array_needs_to_be_said_how(models, tmp_path, capsys):
    path, out = record(tmp_path / "a.wav", 0.2, channels=8), tmp_path / "out"
    assert main(["infer", path, *models[4], "--out", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "has 8 channels, the system needs 4" in printed and "--channels 0,1,2,3" in printed and not out.exists()
    results = []
    for channels in ("0,1,2,3", "4,5,6,7", "mean", "0"):
        assert main(["infer", path, *models[4], "--out", str(out), "--channels", channels]) == 0
        assert listed(out, "a")["made_by"]["channels"] == channels
        assert not results or "the channels changed" in capsys.readouterr().out
        capsys.readouterr()
        results.append(read_sources(out, "a", round(0.2 * RATE))[1])
    assert all(not np.array_equal(one, other) for one, other in itertools.pairwise(results))


def test_conventions_of_one_scene_give_the_same(models, tmp_path):
    scene = 0.1 * np.random.default_rng(0).standard_normal((2000, 4)).astype(np.float32)  # W, Y, Z, X in SN3D
    files = {
        "sn3d": (scene, []),
        "n3d": (scene * [1, 3**0.5, 3**0.5, 3**0.5], ["--channel_order", "ACN", "--normalisation", "N3D"]),
        "fuma": (
            (scene * [0.5**0.5, 1, 1, 1])[:, [0, 3, 1, 2]],
            ["--channel_order", "FuMa", "--normalisation", "fuma"],
        ),
    }
    results = {}
    for name, (samples, more) in files.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="DOUBLE")
        assert main(["infer", str(tmp_path / f"{name}.wav"), *models[4], "--out", str(tmp_path / "out"), *more]) == 0
        results[name] = read_sources(tmp_path / "out", name, 2000)
    for name in ("n3d", "fuma"):
        assert results[name][0] == results["sn3d"][0]
        np.testing.assert_allclose(results[name][1], results["sn3d"][1], atol=1e-5)


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
