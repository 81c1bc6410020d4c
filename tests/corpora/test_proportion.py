"""Scenes in proportion to a corpus, and what is rendered again after a corpus has changed."""

import json
import shutil

import numpy as np
import pytest
from small_corpus import make_corpus, write_wav

from s5lib.corpora import proportion
from s5lib.corpora.own import NewCorpus, build
from s5lib.corpora.prepare import Preparation, prepare
from s5lib.data import DataDirectory
from s5lib.errors import DataError
from s5lib.scenes import Corpus, DrawSettings, SceneDrawer

RATE = 16000
pytestmark = pytest.mark.usefixtures("small_surroundings")


@pytest.fixture
def root(tmp_path):
    return make_corpus(tmp_path / "corpus")


def keep(root, split, labels, sources):
    """Leave of a small corpus so many labels and sources of each."""
    for folder in sorted((root / f"dev_set/sound_event/{split}").iterdir()):
        if folder.name not in labels:
            shutil.rmtree(folder)
        else:
            for path in sorted(folder.iterdir())[sources:]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Corpus(root, split)


WISHED = DrawSettings(duration=1.0, sample_rate=8000)


@pytest.mark.parametrize(
    ("labels", "sources", "expected"),
    [
        ("Bell Dog Speech", 3, {}),
        ("Bell Dog Speech", 2, {"max_repeats": 1}),
        ("Bell Dog Speech", 1, {"same_class_probability": 0.0}),
        ("Bell Dog", 1, {"max_targets": 2, "same_class_probability": 0.0}),
        ("Bell", 1, {"max_targets": 1}),
    ],
)
def test_feasible_scenes(root, labels, sources, expected):
    corpus = keep(root, "valid", labels.split(), sources)
    found = proportion.feasible(corpus, WISHED, ())
    assert {name: getattr(found, name) for name in expected} == expected
    drawer = SceneDrawer(corpus, found)
    assert all(drawer(0, index).targets for index in range(30))


def test_settings_that_must_stay(root):
    corpus = keep(root, "valid", ["Bell", "Dog", "Speech"], 1)
    with pytest.raises(DataError, match="no label has 2"):
        proportion.feasible(corpus, WISHED, ("same_class_probability",))


def test_numbers_follow_the_sources(root):
    corpus = Corpus(root, "train")
    assert proportion.test_scenes(corpus) == 60 and proportion.valid_scenes(corpus) == 30
    assert proportion.scene_seconds(corpus) == 3.0
    for number in range(40):
        write_wav(root / f"dev_set/sound_event/train/Rain/long{number}.wav", np.ones(80000))
    corpus = Corpus(root, "train")
    sources = 3 * 3 + 6 + 40  # of Rain each clip is one
    assert proportion.test_scenes(corpus) == 4 * sources and proportion.valid_scenes(corpus) == 2 * sources
    assert proportion.scene_seconds(corpus) == 4.0  # as long as the noise


def test_only_scenes_of_a_replaced_clip_are_rendered_again(tmp_path):
    clips = tmp_path / "clips"
    for label in ("Bell", "Dog", "Tap"):
        for take in range(8):
            samples = np.random.default_rng([*label.encode(), take]).standard_normal(RATE // 2)
            write_wav(clips / label / f"{take}.wav", 0.2 * samples, rate=RATE)
    request = NewCorpus(clips, tmp_path / "own", num_rooms=1, noise_seconds=3.0)
    root = build(request)
    preparation = Preparation(
        "own", tmp_path / "own", tmp_path / "data", tmp_path / "dump", 1.0, test_scenes=20, zero_target=2
    )
    prepare(preparation)

    def times():
        return {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "dump/test/metadata").iterdir()}

    before = times()
    changed = next((root / "sound_event/test/Dog").iterdir()).name
    write_wav(clips / "Dog" / changed, np.random.default_rng(99).uniform(-0.5, 0.5, RATE // 2), rate=RATE)
    build(request)
    prepare(preparation)
    after = times()
    with_clip = {
        name
        for name in after
        for event in json.loads((tmp_path / f"dump/test/metadata/{name}.json").read_text())["fg_events"]
        if event["source_file"] == f"Dog/{changed}"
    }
    assert with_clip and {name for name in before if before[name] != after[name]} == with_clip
    # fewer and more scenes, as a class more or less leads to, replace the others
    for label in ("Whistle", "Knock"):
        shutil.copytree(clips / "Bell", clips / label)
        for path in (clips / label).iterdir():
            write_wav(
                path, np.random.default_rng([*label.encode(), int(path.stem)]).uniform(-0.5, 0.5, RATE), rate=RATE
            )
    build(request)
    assert prepare(preparation).labels == ("Bell", "Dog", "Knock", "Tap", "Whistle")
    assert len(DataDirectory.read(tmp_path / "data/test")) == 22


def test_numbers_that_follow_from_the_corpus_may_change(root, tmp_path, monkeypatch):
    for kind in ("sound_event", "interference", "noise", "room_ir"):
        shutil.copytree(root / f"dev_set/{kind}/valid", root / f"dev_set/{kind}/test")
    request = Preparation("small", root, tmp_path / "data", tmp_path / "dump", 1.0)
    monkeypatch.setattr(proportion, "test_scenes", lambda corpus: 8)
    monkeypatch.setattr(proportion, "valid_scenes", lambda corpus: 4)
    prepare(request)
    monkeypatch.setattr(proportion, "test_scenes", lambda corpus: 5)
    (next((root / "dev_set/sound_event/test/Dog").rglob("*.wav"))).unlink()
    prepare(request)
    assert (
        len(DataDirectory.read(tmp_path / "data/test")) == 6 == len(list((tmp_path / "dump/test/soundscape").iterdir()))
    )
    other = Preparation("small", root, tmp_path / "other", tmp_path / "dump", 2.0)
    with pytest.raises(DataError, match="duration"):
        prepare(other)
