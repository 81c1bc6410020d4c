"""Varied scenes: the same in every renderer, exact rotations, and unvaried ones as they were."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import RATE, write_sofa, write_wav

from s5lib.errors import ConfigError, DataError
from s5lib.scenes import Corpus, DrawSettings, Event, Renderer, SceneDrawer, compose_metadata, parse_metadata
from s5lib.scenes.augment import FILTER_HZ, changed_sound, rotation_matrix
from s5lib.scenes.device_render import pack, render_batch
from s5lib.scenes.parts import gather

PLAIN = DrawSettings(duration=2.0, sample_rate=RATE, zero_probability=0.2)
VARIED = replace(PLAIN, rotate=True, speed=(0.8, 1.25), filter_db=9.0, repeat_probability=0.7)
EVENT = Event("Dog", None, 0.0, 0.0, 1.0, 0.0, None)


@pytest.fixture(scope="module")
def corpus(small_corpus):
    return Corpus(small_corpus, "train")


@pytest.fixture(scope="module")
def scenes(corpus):
    drawer = SceneDrawer(corpus, VARIED)
    return [drawer(0, index) for index in range(40)]


@pytest.fixture(scope="module")
def renderer(corpus):
    return Renderer(corpus.root)


def test_everything_is_varied_and_fits(scenes):
    events = [event for scene in scenes for event in scene.events]
    assert {event.speed for event in events} >= {0.82, 1.0, 1.22} and all(0.8 <= e.speed <= 1.25 for e in events)
    assert all(len(event.filter_db) == 4 and max(map(abs, event.filter_db)) <= 9 for event in events)
    assert {event.repeats for event in events} >= {1, 2}
    assert all(event.onset >= 0 and event.onset + event.length <= 2.0 + 1e-9 for event in events)
    assert len({scene.rotation for scene in scenes}) == len(scenes)


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_fields_that_can_be_turned_are(corpus, channels, monkeypatch):
    monkeypatch.setattr(Corpus, "num_channels", channels)
    scene = SceneDrawer(corpus, replace(PLAIN, rotate="auto"))(0, 0)
    assert (scene.rotation is not None) == (channels == 4)
    if channels != 4:
        with pytest.raises(DataError, match=f"{channels} channels; rotate=true needs the 4"):
            SceneDrawer(corpus, replace(PLAIN, rotate=True))


def test_the_scene_beneath_is_the_same(corpus, scenes):
    plain = SceneDrawer(corpus, PLAIN)
    for index, scene in enumerate(scenes):
        before = plain(0, index)
        assert before.rotation is None and scene.room_path == before.room_path and scene.noises == before.noises
        names = [
            sorted((event.label, event.path, event.position, event.snr) for event in found.events)
            for found in (scene, before)
        ]
        assert names[0] == names[1]


def test_levels_are_those_asked_for(scenes, renderer):
    for scene in scenes[:10]:
        whole = replace(scene, duration=8.0, noises=())  # so that nothing is cut
        for event, wet in zip(whole.targets, renderer.stems(whole).wet, strict=True):
            sounding = round(event.length * RATE) + renderer.stores(RATE)[1].responses(str(scene.room_path)).shape[2]
            power = np.square(wet, dtype=np.float64).sum() / sounding / len(wet)
            assert 10 * np.log10(power) == pytest.approx(event.snr - 55, abs=0.1)


def test_batches_equal_the_renderer(scenes, renderer):
    mixtures, sources = render_batch(pack([gather(renderer, scene) for scene in scenes], 3))
    for scene, mixture, dry in zip(scenes, mixtures.numpy(), sources.numpy(), strict=True):
        expected = renderer(scene)
        assert np.abs(mixture - expected.mixture).max() <= 1e-5 * np.abs(expected.mixture).max()
        for found, source in zip(dry, expected.sources, strict=False):
            assert np.abs(found - source).max() <= 1e-5 * max(1e-3, np.abs(source).max())


def test_metadata_gives_the_scene_back(scenes, corpus):
    for scene in scenes:
        assert parse_metadata(compose_metadata(scene, corpus, VARIED), corpus.root) == scene


def test_parts_add_up_and_directions_turn_along(scenes, renderer):
    for scene in scenes[:10]:
        rendered, still = renderer(scene), renderer(replace(scene, rotation=None))
        stems = rendered.stems()
        total = stems.wet.sum(0) + stems.interference.sum(0) + stems.noise
        assert np.abs(total - rendered.mixture).max() <= 1e-5 * np.abs(rendered.mixture).max()
        np.testing.assert_array_equal(rendered.sources, still.sources)
        np.testing.assert_array_equal(rendered.mixture[0], still.mixture[0])
        np.testing.assert_allclose(np.linalg.norm(rendered.directions(), axis=1), 1, rtol=1e-5)


@given(st.floats(-180, 180), st.booleans(), st.booleans(), st.floats(-180, 180), st.floats(-90, 90))
def test_a_rotated_plane_wave_comes_from_the_rotated_direction(degrees, left_right, up_down, azimuth, elevation):
    def encoded(azimuth, elevation):
        a, e = np.radians(azimuth), np.radians(elevation)
        return np.array([1, np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])

    turned = (azimuth + degrees) * (-1 if left_right else 1)
    expected = encoded(turned, -elevation if up_down else elevation)
    matrix = rotation_matrix((degrees, left_right, up_down))
    np.testing.assert_allclose(matrix @ encoded(azimuth, elevation), expected, atol=1e-5)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(4), atol=1e-6)


def test_speed_moves_pitch_and_length():
    tone = np.sin(2 * np.pi * 400 * np.arange(8000) / 8000).astype(np.float32)
    for speed in (0.78, 0.95, 1.28):
        heard = changed_sound(tone, replace(EVENT, speed=speed), 8000)
        assert len(heard) == pytest.approx(8000 / speed, abs=1)
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 80000))
        assert np.argmax(spectrum) / 10 == pytest.approx(400 * speed, abs=1)


def test_filter_has_its_gains():
    impulse = np.zeros(16000, np.float32)
    impulse[8000] = 1
    gains = (6.0, -9.0, 3.0, 0.0)
    heard = changed_sound(impulse, replace(EVENT, filter_db=gains), 32000)
    magnitude = 20 * np.log10(np.abs(np.fft.rfft(heard)))
    np.testing.assert_allclose([magnitude[int(f / 2)] for f in FILTER_HZ], gains, atol=0.3)
    assert np.argmax(np.abs(heard)) == 8000


def test_repetitions_are_the_same_sound():
    sound = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    heard = changed_sound(sound, replace(EVENT, duration=0.125, repeats=3, pause=0.05), 8000)
    assert len(heard) == 3800 == round(8000 * replace(EVENT, duration=0.125, repeats=3, pause=0.05).length)
    for start in (0, 1400, 2800):
        np.testing.assert_array_equal(heard[start : start + 1000], sound)
    assert not heard[1000:1400].any()


@pytest.mark.parametrize(
    "changes",
    [{"speed": (1.1, 1.2)}, {"speed": (0.1, 1)}, {"speed": (1,)}, {"filter_db": -1}, {"repeat_probability": 2}],
)
def test_settings_out_of_range(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        replace(PLAIN, **changes)


def test_only_ambisonics_turn(own_corpus):
    generator = np.random.default_rng(0)
    root = own_corpus / "dev_set"
    for path in root.rglob("*.sofa"):
        write_sofa(path, generator.standard_normal((3, 2, 50)), np.eye(3))
    for path in (root / "noise").rglob("*.wav"):
        write_wav(path, generator.standard_normal((4 * RATE, 2)))
    corpus = Corpus(own_corpus, "train")
    SceneDrawer(corpus, PLAIN)
    with pytest.raises(DataError, match="Ambisonics"):
        SceneDrawer(corpus, VARIED)
