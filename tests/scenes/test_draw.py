import itertools
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from small_corpus import write_sofa, write_wav

from s5lib.errors import ConfigError, DataError
from s5lib.scenes import Corpus, DrawSettings, SceneDrawer, draw
from s5lib.scenes.active_starts import active_starts

SETTINGS = DrawSettings(duration=2.0, sample_rate=8000)


@pytest.fixture(scope="module")
def corpus(small_corpus):
    return Corpus(small_corpus, "train")


@pytest.fixture(scope="module")
def drawer(corpus):
    return SceneDrawer(corpus, SETTINGS)


class Rules:
    """Every rule of section 4.1 of the paper, looked at from outside."""

    def __init__(self, corpus, settings):
        self.corpus, self.settings = corpus, settings
        groups = (*corpus.events.values(), *corpus.interferences.values(), corpus.noises)
        self.clips = {clip.path: clip for group in groups for clip in group}
        self.positions = {Path(room.path): {tuple(row) for row in room.positions.tolist()} for room in corpus.rooms}

    def check(self, scene):
        corpus, settings, clips = self.corpus, self.settings, self.clips
        assert scene.sample_rate == settings.sample_rate and scene.duration == settings.duration
        targets, others, (noise,) = scene.targets, scene.interferences, scene.noises
        assert len(targets) in range(settings.min_targets, settings.max_targets + 1) or not targets
        assert settings.interferences[0] <= len(others) <= settings.interferences[1]
        limit = min(settings.duration, settings.max_event_duration or settings.duration)
        for event, folder, (low, high) in [
            *((event, "sound_event", settings.target_snr) for event in targets),
            *((event, "interference", settings.interference_snr) for event in others),
        ]:
            assert event.label == event.path.relative_to(corpus.root / folder / corpus.split).parts[0]
            assert low <= event.snr <= high
            assert 0 < event.duration <= limit
            assert 0 <= event.onset <= settings.duration - event.duration + 1e-9
            assert 0 <= event.source_time <= clips[event.path].info.duration - event.duration + 1e-9
            assert event.position in self.positions[scene.room_path]
        assert {event.label for event in targets} <= set(corpus.labels)
        assert [event.onset for event in targets] == sorted(event.onset for event in targets)
        for one, other in itertools.combinations(targets, 2):
            if one.label == other.label:
                a, b = np.array(one.position), np.array(other.position)
                cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
                assert np.degrees(np.arccos(np.clip(cosine, -1, 1))) >= settings.min_angle - 1e-6
                assert clips[one.path].source != clips[other.path].source
        assert noise.path.parent.parent.name == "noise"
        assert 0 <= noise.source_time <= clips[noise.path].info.duration - settings.duration


def kind(scene):
    """Number of targets, and of distinct classes."""
    return len(scene.targets), len({event.label for event in scene.targets})


def test_rules_and_proportions(corpus, drawer):
    kinds, rules = Counter(), Rules(corpus, SETTINGS)
    for index in range(500):
        scene = drawer(0, index)
        rules.check(scene)
        kinds[kind(scene)] += 1
    shares = {(1, 1): 0.2, (2, 2): 0.2, (2, 1): 0.2, (3, 3): 0.2, (3, 2): 0.1, (3, 1): 0.1}
    assert set(kinds) == set(shares)
    for key, share in shares.items():
        assert abs(kinds[key] / 500 - share) < 4 * (share * (1 - share) / 500) ** 0.5


@pytest.mark.parametrize(("preset", "scenes"), [("paper", 5000), ("dcase2026", 1000), ("dcase2025", 1000)])
def test_thousands_of_scenes_keep_every_rule(corpus, preset, scenes):
    settings = DrawSettings.preset(preset, duration=1.2, sample_rate=8000, max_event_duration=1.0)
    drawer, rules = SceneDrawer(corpus, settings), Rules(corpus, settings)
    for index in range(scenes):
        rules.check(drawer(3, index))


def test_presets(corpus):
    settings = DrawSettings.preset("dcase2026", duration=2.0)
    kinds = Counter(kind(draw(corpus, settings, 0, index)) for index in range(200))
    assert {number for number, _ in kinds} == {0, 1, 2, 3}
    settings = DrawSettings.preset("dcase2025", duration=2.0)
    kinds = Counter(kind(draw(corpus, settings, 0, index)) for index in range(100))
    assert all(number == distinct for number, distinct in kinds)


def test_same_scene_in_another_process(small_corpus, corpus, drawer):
    script = (
        "import pickle, sys; from s5lib.scenes import *; settings = DrawSettings(duration=2.0, sample_rate=8000); "
        "scenes = [draw(Corpus(sys.argv[1]), settings, 5, index) for index in (7, 3)]; "
        "sys.stdout.buffer.write(pickle.dumps(scenes))"
    )
    output = subprocess.run([sys.executable, "-c", script, str(small_corpus)], check=True, capture_output=True).stdout
    assert pickle.loads(output) == [drawer(5, 7), drawer(5, 3)]
    assert drawer(5, 7) != drawer(6, 7) != drawer(5, 8)


def test_descriptions_are_values(drawer):
    scene = drawer(0, 0)
    assert {scene: 1}[drawer(0, 0)] == 1
    with pytest.raises(FrozenInstanceError):
        scene.targets[0].snr = 0.0


def test_other_splits_give_other_scenes(small_corpus, drawer):
    other = SceneDrawer(Corpus(small_corpus, "valid"), SETTINGS)
    assert [kind(other(0, index)) for index in range(20)] != [kind(drawer(0, index)) for index in range(20)]


def test_long_recordings_are_heard_in_part_and_never_silent(own_corpus):
    path = own_corpus / "dev_set/sound_event/train/Dog/source0/0_0.wav"
    sound = np.zeros(8000 * 8)
    sound[8000 * 3 : 8000 * 4] = np.random.default_rng(0).standard_normal(8000)
    sound[8000 * 6 : 8000 * 7] = 0.001
    write_wav(path, sound)
    starts = active_starts(path, 2.0)
    assert starts.min() == pytest.approx(1.1, abs=0.11) and starts.max() == pytest.approx(3.9, abs=0.11)
    drawer = SceneDrawer(Corpus(own_corpus), SETTINGS)
    found = 0
    for index in range(300):
        for event in drawer(0, index).targets:
            if event.path == path:
                found += 1
                assert event.source_time in starts and event.duration == 2.0
    assert found > 3
    write_wav(path, 0 * sound)
    with pytest.raises(DataError, match="silent; remove the clip"):
        active_starts(path, 2.0)


def test_impossible_requests_are_found_at_once(own_corpus, corpus):
    with pytest.raises(DataError, match="no noise recording lasts 10 s; the longest, .* has 4.00 s"):
        SceneDrawer(corpus, DrawSettings(sample_rate=8000))
    with pytest.raises(DataError, match="4 labels have recordings, but a scene may have 5 distinct"):
        SceneDrawer(corpus, DrawSettings(duration=2, max_targets=5))
    with pytest.raises(DataError, match="4 labels, but scenes of 5 are to be drawn"):
        SceneDrawer(corpus, DrawSettings(duration=2, max_targets=7, same_class_probability=1.0))
    with pytest.raises(DataError, match="no room has 3 source positions that are 130 degrees apart"):
        SceneDrawer(corpus, DrawSettings(duration=2, min_angle=130))
    root = own_corpus / "dev_set"
    narrow = np.array([[1.0, 0, 0], [1, 0.2, 0], [1, -0.2, 0]])
    for name in ("a", "b"):
        write_sofa(root / f"room_ir/train/{name}.sofa", np.ones((3, 4, 10)), narrow)
    with pytest.raises(DataError, match="no room has 2 source positions that are 60 degrees apart"):
        SceneDrawer(Corpus(own_corpus), SETTINGS)
    SceneDrawer(Corpus(own_corpus), DrawSettings(duration=2, same_class_probability=0))
    for path in [*root.glob("sound_event/train/*/source[12]/*"), *root.glob("sound_event/train/Rain/*_1.wav")]:
        path.unlink()
    (root / "sound_event/train/Rain/1_0.wav").unlink()
    (root / "sound_event/train/Rain/2_0.wav").unlink()
    with pytest.raises(DataError, match="no label has 2 SOURCE folders .* Bell has the most, 1"):
        SceneDrawer(Corpus(own_corpus), DrawSettings(duration=2))
    (root / "interference").rename(root / "other")
    with pytest.raises(DataError, match="at least 1 \\(interferences=\\(1, 2\\)\\)"):
        SceneDrawer(Corpus(own_corpus), DrawSettings(duration=2, same_class_probability=0, interferences=(1, 2)))


def test_rooms_that_cannot_hold_a_scene_are_left_out_of_it(own_corpus):
    write_sofa(Path(own_corpus, "dev_set/room_ir/train/a.sofa"), np.ones((1, 4, 10)), np.array([[1.0, 0, 0]]))
    drawer = SceneDrawer(Corpus(own_corpus), SETTINGS)
    rooms = {True: set(), False: set()}
    for index in range(100):
        scene = drawer(0, index)
        number, distinct = kind(scene)
        rooms[number > distinct].add(scene.room_path.name)
    assert rooms == {True: {"b.sofa"}, False: {"a.sofa", "b.sofa"}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration": -1}, "duration is -1, expected seconds"),
        ({"min_targets": 4}, "min_targets is 4, expected 1 to max_targets=3"),
        ({"target_weights": (1, 2)}, "expected 3 weights, for 1 to 3 targets"),
        ({"zero_probability": 1.5}, "zero_probability is 1.5, expected 0 to 1"),
        ({"target_snr": (20, 5)}, "the lowest and the highest"),
        ({"max_event_duration": 11}, "expected 0 to duration"),
        ({"max_repeats": 0}, "max_repeats is 0"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ConfigError, match=message):
        DrawSettings(**changes)


def test_settings_by_name():
    assert DrawSettings.preset("paper") == DrawSettings()
    assert DrawSettings(target_snr=[1, 2]).target_snr == (1, 2)
    with pytest.raises(ConfigError, match="Did you mean 'paper'"):
        DrawSettings.preset("papers")
    with pytest.raises(ConfigError, match="no setting 'min_target'.*Did you mean 'min_targets'"):
        DrawSettings.preset("paper", min_target=1)


def test_negative_seed_or_index(drawer):
    with pytest.raises(ConfigError, match="neither can be negative"):
        drawer(-1, 0)
