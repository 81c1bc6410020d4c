"""Channels of recordings as models have them: every convention of one scene is the same to the models."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from s5lib.audio import CHANNEL_ORDERS, NORMALISATIONS, ChannelLayout, open_audio
from s5lib.errors import ConfigError, DataError

SCENE = np.random.default_rng(0).standard_normal((4, 500)).astype(np.float32)  # W, Y, Z, X in SN3D


def plane_wave(azimuth, elevation, normalisation, order):
    """Encode a plane wave of amplitude 1 by each convention's own formulas."""
    gains = {
        "W": {"sn3d": 1, "n3d": 1, "fuma": 1 / np.sqrt(2)}[normalisation],
        "Y": np.sin(azimuth) * np.cos(elevation),
        "Z": np.sin(elevation),
        "X": np.cos(azimuth) * np.cos(elevation),
    }
    if normalisation == "n3d":
        gains |= {name: np.sqrt(3) * gains[name] for name in "YZX"}
    return np.array([[gains[name]] for name in order])


@given(
    st.floats(-np.pi, np.pi),
    st.floats(-np.pi / 2, np.pi / 2),
    st.sampled_from(sorted(NORMALISATIONS)),
    st.sampled_from(CHANNEL_ORDERS),
)
def test_every_convention_of_a_plane_wave_is_the_same(azimuth, elevation, normalisation, order):
    expected = plane_wave(azimuth, elevation, "sn3d", "WYZX")
    layout = ChannelLayout(4, order=order, normalisation=normalisation)
    found = layout.apply(plane_wave(azimuth, elevation, normalisation, order))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_models_own_convention_is_left_as_it_is():
    assert ChannelLayout(4).matrix(4) == (None, "")
    assert ChannelLayout(4).apply(SCENE) is SCENE
    assert ChannelLayout().matrix(7) == (None, "")


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1), min_size=1))))
def test_selected_channels_are_those(case):
    count, numbers = case
    samples = np.random.default_rng(count).standard_normal((count, 9)).astype(np.float32)
    np.testing.assert_array_equal(ChannelLayout(channels=tuple(numbers)).apply(samples), samples[numbers])


def test_selected_ambisonics_is_converted():
    samples = np.concatenate([np.ones((2, 500), np.float32), SCENE[[0, 3, 1, 2]]])
    found = ChannelLayout(4, channels=(2, 3, 4, 5), order="WXYZ").apply(samples)
    np.testing.assert_array_equal(found, SCENE)


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_are_an_omnidirectional_signal(channels):
    matrix, note = ChannelLayout(4).matrix(channels)
    np.testing.assert_array_equal(matrix @ SCENE[:channels], [SCENE[:channels].mean(0), *np.zeros((3, 500))])
    assert "without directions" in note


@pytest.mark.parametrize("wanted", [1, 2, 4, 6])
def test_mono_is_left_as_it_is_for_models_that_accept_one_channel(wanted):
    assert ChannelLayout(wanted, fewest=1).matrix(1)[0] is None


def test_models_for_one_channel_hear_w_or_the_mean():
    np.testing.assert_array_equal(ChannelLayout(1).apply(SCENE), SCENE[:1])
    np.testing.assert_allclose(ChannelLayout(1).apply(SCENE[:2]), SCENE[:2].mean(0, keepdims=True), rtol=1e-6)
    found = ChannelLayout(1, normalisation="fuma").apply(SCENE)
    np.testing.assert_allclose(found, np.sqrt(2) * SCENE[:1], rtol=1e-6)
    found = ChannelLayout(1, channels="mean").apply(SCENE)
    np.testing.assert_allclose(found, SCENE.mean(0, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(("wanted", "given"), [(1, 3), (1, 8), (4, 3), (4, 8), (4, 16), (2, 1), (2, 4)])
def test_what_is_not_guessed_names_the_options(wanted, given):
    with pytest.raises(DataError, match=f"has {given} channels?, the system needs {wanted}.*--channel_order") as raised:
        ChannelLayout(wanted).matrix(given)
    offered = {option.split()[0] for option in str(raised.value).split("--channels ")[1:]}
    expected = {"N", "mean"} if given > 1 and wanted in (1, 4) else set()
    assert offered == expected | ({",".join(map(str, range(wanted)))} if given > wanted > 1 else set())
    chosen = {"N": (given - 1,), "mean": "mean"}
    for option in offered:
        channels = chosen.get(option) or tuple(map(int, option.split(",")))
        assert len(ChannelLayout(wanted, channels).apply(np.ones((given, 5)))) == wanted


def test_a_channel_that_is_not_there():
    with pytest.raises(DataError, match="channel 4, but the recording has 4"):
        ChannelLayout(4, channels=(1, 2, 3, 4)).matrix(4)


@pytest.mark.parametrize(
    "option",
    [{"order": "XYZW"}, {"normalisation": "maxn"}, {"channels": "some"}, {"channels": (-1,)}, {"channels": ()}],
)
def test_options_that_there_are_not(option):
    with pytest.raises(ConfigError):
        ChannelLayout(4, **option)


def test_a_file_is_read_through_its_layout(tmp_path):
    soundfile.write(tmp_path / "a.wav", SCENE[[0, 3, 1, 2]].T, 8000, subtype="FLOAT")
    with open_audio(tmp_path / "a.wav", layout=ChannelLayout(4, order="WXYZ")) as audio:
        np.testing.assert_array_equal(audio.read(100, 300), SCENE[:, 100:300])
    with open_audio(tmp_path / "a.wav", layout=ChannelLayout(1)) as audio:
        assert audio.num_channels == 1 and audio.info.channels == 4 and "W" in audio.note
    with pytest.raises(DataError, match="a.wav: the recording has 4"):
        open_audio(tmp_path / "a.wav", layout=ChannelLayout(2))


@given(st.data(), st.integers(1, 6), st.sampled_from([np.nan, np.inf]))
def test_only_channels_that_are_used_must_be_finite(data, count, value):
    numbers = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=4))
    bad, sample = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 99))
    samples = np.random.default_rng(count).uniform(-1, 1, (count, 100)).astype(np.float32)
    samples[bad, sample] = value
    content, layout = io.BytesIO(), ChannelLayout(channels=tuple(numbers))
    soundfile.write(content, samples.T, 8000, format="WAV", subtype="FLOAT")
    with open_audio(content, layout=layout) as audio:
        if bad in numbers:
            with pytest.raises(DataError, match=f"channel {bad}, sample {sample} is not"):
                audio.read()
        else:
            np.testing.assert_array_equal(audio.read(), samples[numbers])
            np.testing.assert_array_equal(layout.apply(samples), samples[numbers])


def test_w_is_heard_whatever_a_broken_side_holds():
    samples = SCENE.copy()
    samples[2] = np.nan
    np.testing.assert_array_equal(ChannelLayout(1).apply(samples), SCENE[:1])
