"""`s5lib infer` on recordings of other numbers, orders and conventions of channels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile

import s5lib
from s5lib.audio import ChannelLayout
from s5lib.bin.main import main
from s5lib.errors import ConfigError, DataError
from s5lib.systems.outputs import read_sources

from .recordings import RATE, listed, record


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


def test_a_spatial_filter_needs_models_of_two_channels(models, tmp_path, capsys):
    path, out = record(tmp_path / "a.wav", 0.2), tmp_path / "out"
    assert main(["infer", path, *models[1], "--out", str(out), "--spatial_filter"]) == 1
    assert "two channels or more" in capsys.readouterr().err and not out.exists()
    files = [option.split("=")[1] for option in models[1]]
    with pytest.raises(ConfigError, match="separator.safetensors hears one"):
        s5lib.load_system(*files, spatial_filter=True)
    assert s5lib.load_system(*files, system="iterative", spatial_filter=True).num_channels == 1
    assert main(["infer", path, *models[1], "--out", str(out), "--system", "iterative"]) == 0


@pytest.mark.parametrize("channels", [1, 4])
def test_a_spatial_filter_without_directions_is_reported(models, tmp_path, channels):
    samples = 0.1 * np.random.default_rng(0).standard_normal((1600, channels)) * (np.arange(channels) == 0)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    for more in ([], ["--spatial_filter"], ["--system", "iterative"]):
        out = tmp_path / "-".join(["out", *more])
        assert main(["infer", str(tmp_path / "a.wav"), *models[4], "--out", str(out), *more]) == 0
        assert sum("no directions to use" in warning for warning in listed(out, "a")["warnings"]) == bool(more)


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
