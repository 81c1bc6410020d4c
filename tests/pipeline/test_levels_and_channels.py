"""`s5lib infer` on recordings of any level, and with models for one to four channels."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import s5lib
from s5lib.bin.main import main
from s5lib.data import DataDirectory, Recording
from s5lib.errors import DataError
from s5lib.models.checkpoint import model_header, read_header
from s5lib.systems import training_data
from s5lib.systems.outputs import read_sources

from .recordings import RATE, listed, record, save_models

STATISTICS = {
    "level_dbfs": -40.0,
    "lowest_level_dbfs": -50.0,
    "highest_level_dbfs": -30.0,
    "lowest_bandwidth": 3000.0,
    "norm_mean": -8.0,
    "norm_std": 4.0,
    "level_norm_mean": 0.0,
    "level_norm_std": 4.0,
}
TRAINED_ON = {"duration": 3.0, "statistics": STATISTICS}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models that depend on the level, ones that do not, and ones for one to four channels."""
    level = {"normalize_level": True}
    options = {"plain": {}, "level": level, "channels": level | {"channel_dropout": 0.2}}
    return {name: save_models(tmp_path_factory.mktemp(name), 4, TRAINED_ON, **more) for name, more in options.items()}


def load(options):
    return s5lib.load_system(*(option.split("=")[1] for option in options))


def write(path, samples):
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return str(path)


@pytest.fixture
def scene():
    return 0.1 * np.random.default_rng(1).standard_normal((6000, 4)).astype(np.float32)


@pytest.mark.parametrize("name", ["plain", "level"])
@pytest.mark.parametrize("gain_db", [-40, 40])
def test_gain_of_a_file_scales_its_sources(models, tmp_path, capsys, scene, name, gain_db):
    gain, out = 10 ** (gain_db / 20), tmp_path / "out"
    for file, factor in (("a", 1.0), ("b", gain)):
        assert main(["infer", write(tmp_path / f"{file}.wav", scene * factor), *models[name], "--out", str(out)]) == 0
    (labels, sources), (other_labels, others) = (read_sources(out, file, 6000) for file in "ab")
    assert labels == other_labels and labels
    np.testing.assert_allclose(others / gain, sources, atol=1e-4 * np.abs(sources).max())
    one, other = listed(out, "a"), listed(out, "b")
    level = 10 * np.log10(np.mean(np.square(scene[:, 0])))
    assert one["level_dbfs"] == pytest.approx(level, abs=0.02)
    assert other["level_dbfs"] == pytest.approx(level + gain_db, abs=0.02)
    assert one["heard_with_gain_db"] == pytest.approx(-40 - level if name == "plain" else 0, abs=0.02)
    assert ("heard" in capsys.readouterr().out) is (name == "plain")
    for first, second in zip(one["sources"], other["sources"], strict=True):
        assert first["active"] == second["active"]
        assert second["level_dbfs"] - first["level_dbfs"] == pytest.approx(gain_db, abs=0.02)


def test_files_are_scaled_to_the_level_of_the_training_and_back(models, tmp_path, scene):
    path = write(tmp_path / "a.wav", scene)
    assert main(["infer", path, *models["plain"], "--out", str(tmp_path / "out")]) == 0
    system = load(models["plain"])
    gain = 10 ** (-40 / 20) / np.sqrt(np.mean(np.square(scene[:, 0], dtype=float)))
    expected = [source.waveform / gain for source in system(scene.T * np.float32(gain), RATE)]
    np.testing.assert_allclose(read_sources(tmp_path / "out", "a", 6000)[1], expected, rtol=1e-3, atol=1e-5)
    matched = [source.waveform for source in system(scene.T, RATE, match_level=True)]
    np.testing.assert_allclose(matched, expected, rtol=1e-3, atol=1e-5)


def test_data_directories_are_left_at_their_level(models, tmp_path, scene):
    path = write(tmp_path / "a.wav", scene)
    DataDirectory.write(tmp_path / "data", [Recording("a", path)])
    command = ["infer", "--data_dir", str(tmp_path / "data"), *models["plain"], "--out", str(tmp_path / "out")]
    assert main(command) == 0
    expected = [source.waveform for source in load(models["plain"])(scene.T, RATE)]
    np.testing.assert_array_equal(read_sources(tmp_path / "out/predicted", "a", 6000)[1], expected)
    assert listed(tmp_path / "out/predicted", "a")["heard_with_gain_db"] == 0


def test_silence_is_not_scaled(models, tmp_path):
    path = write(tmp_path / "a.wav", np.zeros((2000, 4)))
    assert main(["infer", path, *models["plain"], "--out", str(tmp_path / "out")]) == 0
    found = listed(tmp_path / "out", "a")
    assert found["sources"] == [] and found["level_dbfs"] is None and found["heard_with_gain_db"] == 0


def test_recordings_unlike_the_training_are_reported(models, tmp_path, capsys):
    time = np.arange(4 * RATE) / RATE
    tone = np.repeat(0.1 * np.sin(2 * np.pi * 200 * time)[:, None], 4, 1)
    path = write(tmp_path / "a.wav", tone)
    assert main(["infer", path, *models["plain"], "--out", str(tmp_path / "out")]) == 0
    (warning,) = listed(tmp_path / "out", "a")["warnings"]
    assert "next to nothing above" in warning and warning in capsys.readouterr().out
    DataDirectory.write(tmp_path / "data", [Recording("a", path)])
    command = ["infer", "--data_dir", str(tmp_path / "data"), *models["plain"], "--out", str(tmp_path / "scenes")]
    assert main(command) == 0
    assert "1 recordings are unlike" in capsys.readouterr().out
    assert len(listed(tmp_path / "scenes/predicted", "a")["warnings"]) == 2  # its level, too, which is left as it is


def first_channel_warnings(options, tmp_path, samples, *more):
    path = write(tmp_path / "a.wav", samples)
    assert main(["infer", path, *options, "--out", str(tmp_path / "out"), *more]) == 0
    return [
        warning for warning in listed(tmp_path / "out", "a")["warnings"] if "below" in warning or "silent" in warning
    ]


@pytest.mark.parametrize("name", ["plain", "channels", "mono"])
@pytest.mark.parametrize("rest", [0, 0.01])
def test_channels_that_cancel_are_reported(models, tmp_path, scene, name, rest):
    """No source was found in a stereo recording with one polarity inverted, and no warning said why."""
    options = save_models(tmp_path, 1, TRAINED_ON) if name == "mono" else models[name]
    left, other = scene[:, 0], scene[:, 1]
    (warning,) = first_channel_warnings(options, tmp_path, np.stack([left, rest * other - left], 1))
    assert "polarity" in warning and "--channels N" in warning and ("silent" in warning) is (rest == 0)
    for right in (left, other, 0 * left):
        assert first_channel_warnings(options, tmp_path, np.stack([left, right], 1)) == []
    assert first_channel_warnings(options, tmp_path, np.stack([left, -left], 1), "--channels", "0") == []


@pytest.mark.parametrize("name", ["plain", "channels"])
def test_a_first_channel_that_is_dead_or_another_is_reported(models, tmp_path, scene, name):
    for gain, words in ((0, "silent"), (1e-3, "60 dB below")):
        (warning,) = first_channel_warnings(models[name], tmp_path, scene * [gain, 1, 1, 1])
        assert words in warning and "--channel_order" in warning
    for gains in ([1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]):
        assert first_channel_warnings(models[name], tmp_path, scene * gains) == []


def test_window_is_that_of_the_training_scenes(models, tmp_path):
    path = record(tmp_path / "a.wav", 4)
    for more, seconds in (([], 3), (["--window", "2"], 2)):
        assert main(["infer", path, *models["plain"], "--out", str(tmp_path / "out"), *more]) == 0
        assert listed(tmp_path / "out", "a")["made_by"]["window_seconds"] == seconds
    DataDirectory.write(tmp_path / "data", [Recording("a", path)])
    assert main(["infer", "--data_dir", str(tmp_path / "data"), *models["plain"], "--out", str(tmp_path / "out")]) == 0
    assert listed(tmp_path / "out/predicted", "a")["made_by"]["window_seconds"] == 10
    assert load(models["plain"]).window_seconds == 3
    headers = [{"trained_on": {"duration": seconds}} for seconds in (3.0, 1.0)]
    assert training_data.suitable_window(headers) == 3
    assert training_data.suitable_window([{}]) == 10 and training_data.suitable_window(headers[1:]) == 1


def test_checkpoints_say_what_they_were_trained_on(models):
    for option in models["plain"]:
        header = read_header(option.split("=")[1])
        assert header["trained_on"] == TRAINED_ON == model_header(option.split("=")[1])["trained_on"]


@pytest.mark.parametrize("channels", [1, 2])
def test_models_of_one_to_four_channels_hear_what_there_is(models, tmp_path, capsys, scene, channels):
    path = write(tmp_path / "a.wav", scene[:, :channels])
    assert main(["infer", path, *models["channels"], "--out", str(tmp_path / "out")]) == 0
    left, right = scene[:, 0], scene[:, channels - 1]
    heard = scene[:, :1].T if channels == 1 else np.stack([(left + right) / 2, (left - right) / 2])
    system = load(models["channels"])
    expected = np.stack([source.waveform for source in system.find_sources(heard, None)])
    np.testing.assert_allclose(read_sources(tmp_path / "out", "a", 6000)[1], expected, atol=1e-6)
    np.testing.assert_allclose([source.waveform for source in system(scene[:, :channels].T, RATE)], expected, atol=1e-6)
    assert "heard as W" in capsys.readouterr().out


@pytest.mark.parametrize("channels", [3, 5, 6, 8])
def test_what_is_neither_mono_nor_stereo_nor_ambisonics_is_refused(models, tmp_path, capsys, channels):
    """From Python as from the command line: models that accept one to four channels took three as W, Y and Z."""
    samples = 0.1 * np.random.default_rng(1).standard_normal((6000, channels)).astype(np.float32)
    path, system = write(tmp_path / "a.wav", samples), load(models["channels"])
    with pytest.raises(DataError, match=f"has {channels} channels") as raised:
        system(samples.T, RATE)
    message, way_out = str(raised.value).split(" In Python: ")
    assert main(["infer", path, *models["channels"], "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().out and "--channels N" in message
    conversion = eval(way_out.removesuffix(".").replace("N", "2"), {"s5lib": s5lib, "waveform": samples.T})
    assert main(["infer", path, *models["channels"], "--out", str(tmp_path / "out"), "--channels", "2"]) == 0
    expected = [source.waveform for source in system(conversion, RATE)]
    np.testing.assert_allclose(read_sources(tmp_path / "out", "a", 6000)[1], expected, atol=1e-6)


def test_data_of_more_channels_than_the_models_have(tmp_path, scene):
    """Models that were trained on the first channel of a corpus hear that of its recordings."""
    mono = save_models(tmp_path, 1)
    DataDirectory.write(tmp_path / "data", [Recording("a", write(tmp_path / "a.wav", scene))])
    out = tmp_path / "out"
    assert main(["infer", "--data_dir", str(tmp_path / "data"), *mono, "--out", str(out)]) == 0
    expected = [source.waveform for source in load(mono)(scene[:, 0], RATE)]
    np.testing.assert_array_equal(read_sources(out / "predicted", "a", 6000)[1], expected)


def test_a_tagger_and_a_separator_need_not_both_do_with_one_channel(models, scene):
    tagger, separator = models["channels"][0], models["plain"][1]
    system = load([tagger, separator])
    with pytest.raises(DataError, match="has 1 channel, the system needs 4"):
        system(scene[:, 0], RATE)
    assert load([tagger]).fewest_channels == 1
