from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from plain_renderer import plain_render
from small_corpus import write_sofa, write_wav

from s5lib.errors import ConfigError, DataError
from s5lib.scenes import Corpus, DrawSettings, Event, Renderer, SceneDrawer, compose_metadata, render

SETTINGS = DrawSettings(duration=2.0, sample_rate=8000)


@pytest.fixture(scope="module")
def root(small_corpus):
    return small_corpus / "dev_set"


@pytest.fixture(scope="module")
def drawer(small_corpus):
    return SceneDrawer(Corpus(small_corpus, "train"), SETTINGS)


@pytest.fixture
def scene(drawer):
    return drawer(0, 0, targets=3, same_class=True)


def as_metadata(drawer, scene):
    return compose_metadata(scene, drawer.corpus, drawer.settings)


def relative_error(ours, reference):
    return np.abs(ours - reference).max() / np.abs(reference).max()


@pytest.mark.parametrize(("preset", "signed_peak"), [("dcase2026", False), ("dcase2025", True), ("paper", False)])
def test_agrees_with_the_plain_renderer(drawer, root, preset, signed_peak):
    targets = 0
    for index in range(12):
        scene = drawer(1, index)
        mixture, dry = plain_render(as_metadata(drawer, scene), root, signed_peak)
        ours = render(scene, root, preset)
        assert ours.labels == tuple(event.label for event in scene.targets)
        assert ours.mixture.dtype == ours.sources.dtype == np.float32
        assert relative_error(ours.mixture, mixture) < 1e-5
        for source, reference in zip(ours.sources, dry, strict=True):
            assert relative_error(source, reference) < 1e-5
        targets += len(dry)
    assert targets > 12


def test_peak_rules_differ_where_the_largest_value_is_not_the_largest_magnitude(scene, root):
    assert not np.array_equal(render(scene, root, "dcase2026").sources, render(scene, root, "dcase2025").sources)


def test_reference_level_of_the_preset_where_the_scene_has_none(scene, root):
    scene = replace(scene, ref_db=None)
    level = {preset: render(scene, root, preset).stems().noise.var() for preset in ("dcase2026", "dcase2025")}
    np.testing.assert_allclose(10 * np.log10([level["dcase2026"], level["dcase2025"]]), [-55, -50], atol=0.05)


def test_sounds_that_reach_beyond_the_end_are_cut_but_scaled_by_their_whole_energy(drawer, scene, root):
    first, second, third = scene.targets
    second = replace(second, onset=2.5)  # after the end
    scene = replace(scene, targets=(replace(first, onset=1.9), second, third))
    ours, (mixture, dry) = render(scene, root), plain_render(as_metadata(drawer, scene), root)
    assert relative_error(ours.mixture, mixture) < 1e-5
    assert relative_error(ours.sources[0], dry[0]) < 1e-5
    assert not ours.sources[1].any()


def test_caches_do_not_change_the_result(drawer, root, tmp_path):
    plain, starved, mapped = Renderer(root), Renderer(root, memory_limit=0), Renderer(root, cache_dir=tmp_path)
    for index in (3, 4, 3):
        scene = drawer(2, index)
        expected = plain(scene).mixture
        assert np.array_equal(starved(scene).mixture, expected)
        assert np.array_equal(mapped(scene).mixture, expected)


def test_without_sources_the_mixture_is_the_same(scene, root):
    bare = Renderer(root)(scene, sources=False)
    assert bare.sources.shape == (0, 16000)
    assert np.array_equal(bare.mixture, render(scene, root).mixture)


def test_stems_add_up_and_have_their_levels(drawer, root):
    for index in range(5):
        scene = render(drawer(3, index), root)
        stems = scene.stems()
        total = stems.wet.sum(0) + stems.interference.sum(0) + stems.noise
        np.testing.assert_allclose(total, scene.mixture, atol=1e-6 * np.abs(scene.mixture).max())
        assert stems.wet.shape == (len(scene.labels), 4, 16000)
        assert len(stems.interference) == len(scene.description.interferences)
        for event, wet in zip(scene.description.targets, stems.wet, strict=True):
            if event.onset + event.duration + 0.1 < 2.0:  # nothing cut
                samples = round(event.duration * 8000) + 800 - 1
                level = 10 * np.log10((wet.astype(float) ** 2).sum() / (4 * samples))
                assert level == pytest.approx(event.snr - 55, abs=1e-3)


def test_responses_and_directions(scene, root):
    rendered = render(scene, root)
    assert rendered.responses().shape == (3, 4, 800)
    positions = np.array([event.position for event in scene.targets])
    np.testing.assert_allclose(rendered.directions(), positions / np.linalg.norm(positions, axis=1, keepdims=True))


def test_scene_without_targets(drawer, root):
    scene = render(drawer(0, 0, targets=0), root)
    assert scene.sources.shape == (0, 16000) and scene.labels == ()
    assert scene.mixture.shape == (4, 16000) and scene.mixture.any()
    assert scene.stems().wet.shape == (0, 4, 16000)
    assert scene.responses().shape == (0, 0, 0) and scene.directions().shape == (0, 3)


def test_in_a_room_without_reflections_dry_is_the_scaled_clip(own_corpus, scene):
    root = own_corpus / "dev_set"
    response = np.zeros((1, 4, 100))
    response[:, :, 30] = [1.0, 0.5, -0.5, 0.7]
    write_sofa(root / "room_ir/train/a.sofa", response, np.array([[1.0, 0, 0]]))
    clip = np.sin(np.arange(4000) / 5)
    write_wav(root / "sound_event/train/Dog/new.wav", 0.5 * clip)
    event = Event("Dog", root / "sound_event/train/Dog/new.wav", 0.0, 0.5, 0.5, 10.0, (1.0, 0.0, 0.0))
    scene = replace(scene, targets=(event,), interferences=(), room_path=root / "room_ir/train/a.sofa")
    source = render(scene, root).sources[0]
    start = 4000 + 30
    mean_power = np.sum((clip / np.abs(clip).max()) ** 2) * (1 + 0.25 + 0.25 + 0.49) / 4 / (4000 + 99)
    expected = clip / np.abs(clip).max() * 10 ** (-45 / 20) / np.sqrt(mean_power)
    np.testing.assert_allclose(source[start : start + 4000], expected, atol=1e-6 * expected.max())
    assert not source[:start].any() or np.abs(source[:start]).max() < 1e-6 * expected.max()


def test_bad_recordings(own_corpus):
    root, drawer = own_corpus / "dev_set", SceneDrawer(Corpus(own_corpus), SETTINGS)
    scene = drawer(0, 0, targets=3)
    clip, noise = scene.targets[0].path, scene.noises[0].path
    good = clip.read_bytes()
    write_wav(clip, np.zeros(16000))
    with pytest.raises(DataError, match="silent for .* remove the clip"):
        Renderer(root)(scene)
    write_wav(clip, np.ones((16000, 2)))
    with pytest.raises(DataError, match="2 channels, expected a recording of one channel"):
        Renderer(root)(scene)
    write_wav(clip, np.array([0.1, np.nan] * 8000))
    with pytest.raises(DataError, match="sample 1 is not a finite number"):
        Renderer(root)(scene)
    clip.write_bytes(good)
    write_wav(noise, np.ones((40000, 2)))
    with pytest.raises(DataError, match="2 channels, but .*sofa has 4"):
        Renderer(root)(scene)
    write_wav(noise, np.zeros((40000, 4)))
    with pytest.raises(DataError, match="it has no level to scale"):
        Renderer(root)(scene)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": (9.0, 9.0, 9.0)}, "no source position at \\[9.0, 9.0, 9.0\\]"),
        ({"duration": 9.0}, "needs 9.000 s"),
        ({"source_time": 60.0}, "ends after"),
    ],
)
def test_events_that_do_not_fit_their_recording_or_room(scene, root, changes, message):
    with pytest.raises(DataError, match=message):
        Renderer(root)(replace(scene, targets=(replace(scene.targets[0], **changes),)))


def test_unknown_preset(scene, root):
    with pytest.raises(ConfigError, match="Did you mean 'dcase2026'"):
        render(scene, root, "dcase-2026")


def test_threads_may_share_a_renderer(drawer, root):
    scenes = [drawer(6, index) for index in range(12)]
    expected = [Renderer(root)(scene).mixture for scene in scenes]
    shared = Renderer(root, memory_limit=300_000)
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(lambda scene: shared(scene).mixture, scenes), strict=True):
            np.testing.assert_array_equal(one, other)


def test_memory_limit_is_kept(drawer, root):
    renderer = Renderer(root, memory_limit=400_000)
    for index in range(20):
        renderer(drawer(5, index))
        audio, rooms = renderer.stores(8000)
        assert audio.cache.nbytes + rooms.nbytes <= 400_000
