"""The challenge's JSON: read, written, and refused where it is not valid."""

import json

import numpy as np
import pytest

from s5lib.errors import DataError
from s5lib.scenes import (
    Corpus,
    DrawSettings,
    Renderer,
    SceneDrawer,
    compose_metadata,
    parse_metadata,
    render,
    write_metadata,
)

SETTINGS = DrawSettings(duration=2.0, sample_rate=8000)


@pytest.fixture(scope="module")
def corpus(small_corpus):
    return Corpus(small_corpus, "train")


@pytest.fixture(scope="module")
def drawer(corpus):
    return SceneDrawer(corpus, SETTINGS)


@pytest.fixture
def metadata(drawer, corpus):
    return compose_metadata(drawer(0, 0, targets=3, same_class=True), corpus, SETTINGS)


def test_metadata_of_a_drawn_scene(drawer, corpus, metadata):
    scene = drawer(0, 0, targets=3, same_class=True)
    assert metadata["config"] | {"room_config": None} == {
        "duration": 2.0,
        "sr": 8000,
        "max_event_overlap": 3,
        "max_event_dur": 2.0,
        "ref_db": -55.0,
        "foreground_dir": "dev_set/sound_event/train",
        "background_dir": "dev_set/noise/train",
        "interference_dir": "dev_set/interference/train",
        "verbose": False,
        "room_config": None,
    }
    path = f"dev_set/room_ir/train/{scene.room_path.name}"
    rir_len = {"a.sofa": 800, "b.sofa": 800}[scene.room_path.name]  # b has twice the sample rate
    room = {"sofa_path": path, "sr": 8000, "nchan": 4, "nrir": 12, "rir_len": rir_len, "direct_range_ms": [6.0, 50.0]}
    assert metadata["room"]["args"]["metadata"] == room
    for event, written in zip(scene.targets, metadata["fg_events"], strict=True):
        assert written == {
            "label": event.label,
            "source_file": str(event.path.relative_to(corpus.root / "sound_event/train")),
            "source_time": event.source_time,
            "event_time": event.onset,
            "event_duration": event.duration,
            "event_position": [list(event.position)],
            "snr": event.snr,
            "role": "foreground",
        }
    assert {event["role"] for event in metadata["int_events"]} <= {"interference"}
    (noise,) = metadata["bg_events"]
    assert noise["role"] == "background" and noise["label"] is noise["event_position"] is None


@pytest.mark.parametrize("preset", ["paper", "dcase2026", "dcase2025"])
def test_what_is_written_is_read_back(corpus, tmp_path, preset):
    settings = DrawSettings.preset(preset, duration=2, sample_rate=8000, direct_range_ms=[6, 50])
    drawer, renderer = SceneDrawer(corpus, settings), Renderer(corpus.root)
    for index in range(20):
        scene, path = drawer(4, index), tmp_path / f"scenes/{index}.json"
        metadata = compose_metadata(scene, corpus, settings)
        write_metadata(metadata, path)
        assert json.loads(path.read_text()) == metadata
        assert parse_metadata(path, corpus.root) == parse_metadata(metadata, corpus.root) == scene
    first, second = render(path, corpus.root), renderer(scene)
    assert np.array_equal(first.mixture, second.mixture) and np.array_equal(first.sources, second.sources)


def spoil(metadata, group, **changes):
    metadata[group][0].update(changes)
    return metadata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: spoil(m, "fg_events", source_file="Dog/gone.wav"), "Dog/gone.wav: no such recording"),
        (lambda m: spoil(m, "fg_events", source_file="../../train/x.wav"), "leads out of"),
        (lambda m: spoil(m, "fg_events", source_file="/etc/passwd"), "leads out of"),
        (lambda m: spoil(m, "fg_events", event_position=None), "'event_position' is None"),
        (lambda m: spoil(m, "fg_events", snr="loud"), "fg_events\\[0\\]: 'snr' is 'loud', expected a number"),
        (lambda m: spoil(m, "fg_events", snr=float("nan")), "'snr' is nan, expected a number"),
        (lambda m: spoil(m, "fg_events", event_time=-1), "'event_time' is -1, expected a number from 0"),
        (lambda m: spoil(m, "fg_events", source_time=1e308), "'source_time' is 1e\\+308, expected a number from 0"),
        (lambda m: spoil(m, "fg_events", label=None), "'label' is None"),
        (lambda m: {key: value for key, value in m.items() if key != "room"}, "'room' is missing"),
        (lambda m: {**m, "config": 3}, "'config' is 3, expected names"),
        (lambda m: {**m, "config": {**m["config"], "sr": 8000.5}}, "'sr' is 8000.5"),
        (lambda m: {**m, "config": {**m["config"], "duration": 0}}, "'duration' is 0, expected a number above 0"),
        (lambda m: {**m, "fg_events": {}, "int_events": 5}, "'int_events' is 5, expected a list"),
        (lambda m: {"config": m["config"]}, "number of channels"),
    ],
)
def test_bad_metadata(metadata, corpus, change, message):
    with pytest.raises(DataError, match=message):
        render(change(metadata), corpus.root)
