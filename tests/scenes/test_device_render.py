"""Batches rendered by torch against the renderer of single scenes."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from small_corpus import RATE, write_sofa

from s5lib.scenes import Corpus, DrawSettings, Renderer, SceneDrawer
from s5lib.scenes.device_render import pack, render_batch
from s5lib.scenes.parts import gather

DURATION = 2.0


@pytest.fixture(scope="module")
def corpus(small_corpus):
    return Corpus(small_corpus, "train")


@pytest.fixture(scope="module")
def scenes(corpus):
    """Descriptions of 24 scenes, some without a target, some without any sound."""
    drawer = SceneDrawer(corpus, DrawSettings(duration=DURATION, sample_rate=RATE, zero_probability=0.3))
    return [drawer(1, index) for index in range(24)]


@pytest.fixture(scope="module")
def renderer(corpus):
    return Renderer(corpus.root)


def assert_equal(renderer, scenes, num_sources=3):
    """Compare a batch with its scenes, to 1e-5 of the peak that they have where nothing is cut at their end."""
    mixtures, sources = render_batch(pack([gather(renderer, scene) for scene in scenes], num_sources))
    assert mixtures.dtype == sources.dtype == torch.float32 and sources.shape[1] == num_sources
    for scene, mixture, dry in zip(scenes, mixtures.numpy(), sources.numpy(), strict=True):
        expected, uncut = renderer(scene), renderer(replace(scene, duration=3 * DURATION))
        assert mixture.shape == expected.mixture.shape
        assert np.abs(mixture - expected.mixture).max() <= 1e-5 * np.abs(uncut.mixture).max()
        for found, source, whole in zip(dry, expected.sources, uncut.sources, strict=False):
            assert np.abs(found - source).max() <= 1e-5 * np.abs(whole).max()
        assert not dry[len(expected.sources) :].any()


@settings(max_examples=20, deadline=None)
@given(data=strategies.data())
def test_equals_the_renderer(data, scenes, renderer):
    drawn = data.draw(strategies.lists(strategies.sampled_from(scenes), min_size=1, max_size=5))
    changed = []
    for scene in drawn:
        # onsets from the start to beyond the end, any level, and a room in which single positions repeat
        onset = strategies.floats(0.0, 1.2 * DURATION)
        level = strategies.floats(-60.0, 60.0)
        groups = {
            name: tuple(replace(event, onset=data.draw(onset), snr=data.draw(level)) for event in getattr(scene, name))
            for name in ("targets", "interferences", "noises")
        }
        changed.append(replace(scene, **groups))
    assert_equal(renderer, changed)


def test_scenes_without_any_sound(scenes, renderer):
    empty = [replace(scene, targets=(), interferences=()) for scene in scenes[:3]]
    assert_equal(renderer, empty)
    assert_equal(renderer, [*empty, *scenes[:3]])


def test_responses_of_different_lengths_in_one_batch(own_corpus):
    generator = np.random.default_rng(0)
    root = own_corpus / "dev_set"
    positions = np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [0, -1.0, 0]])
    for name, samples in (("a", 37), ("b", 3000), ("c", 20000)):  # of the last: longer than the scene
        responses = generator.standard_normal((4, 4, samples)) * np.exp(-np.arange(samples) / samples)
        write_sofa(root / f"room_ir/train/{name}.sofa", responses, positions)
    corpus = Corpus(own_corpus, "train")
    drawer = SceneDrawer(corpus, DrawSettings(duration=DURATION, sample_rate=RATE))
    scenes = [drawer(0, index) for index in range(12)]
    assert len({scene.room_path for scene in scenes}) == 3
    assert_equal(Renderer(corpus.root), scenes)


def test_without_dry_targets(scenes, renderer):
    parts = [gather(renderer, scene) for scene in scenes[:4]]
    mixture, sources = render_batch(pack(parts, 0))
    assert torch.equal(mixture, render_batch(pack(parts, 3))[0]) and sources.shape[:2] == (4, 0)


def test_same_bits_every_time_and_parts_are_not_changed(scenes, renderer):
    parts = pack([gather(renderer, scene) for scene in scenes], 3)
    before = copy.deepcopy(parts)
    one, other = render_batch(parts), render_batch(parts)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(parts[name], value) for name, value in before.items() if isinstance(value, torch.Tensor))
