"""`s5lib infer` on people's own recordings: any rate, format and length; again with other options."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile

import s5lib
from s5lib.audio import open_audio
from s5lib.bin.main import main
from s5lib.errors import CheckpointError
from s5lib.models.m2d import M2DTagger
from s5lib.systems.outputs import read_sources

from .recordings import RATE, listed, record


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
        if other in more:
            os.replace(other, path)
            more[0] = path
        assert main([*command, *more]) == 0
        assert message in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.json", "a_0_Bell.wav", "a_1_Bell.wav"]
    (tmp_path / "out/a_1_Bell.wav").unlink()
    assert main([*command, *steps[-1][0]]) == 0
    assert (tmp_path / "out/a_1_Bell.wav").exists()


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
