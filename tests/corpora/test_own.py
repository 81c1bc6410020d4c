"""Corpora from folders of clips: what is used, the sets, rooms and noise."""

import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from own_clips import RATE, make_clips, small, sound, sources_of
from small_corpus import write_wav

from s5lib.corpora.own import build
from s5lib.corpora.own.judge import judge
from s5lib.corpora.own.noise import diffuse, lasting
from s5lib.corpora.own.split import SPLITS, assign, quotas
from s5lib.provenance import file_digest
from s5lib.scenes import Corpus, DrawSettings, Renderer, SceneDrawer
from s5lib.scenes.sofa import open_room, read_responses

pytestmark = pytest.mark.usefixtures("small_surroundings")


@pytest.fixture(scope="module")
def made(small_surroundings, tmp_path_factory):
    """A corpus of 3 classes, one of them interference, and its clips."""
    place = tmp_path_factory.mktemp("own")
    make_clips(place / "clips", ("Bell", "Dog", "Tap", "Radio"))
    root = build(small(place / "clips", place / "out", interference="Radio"))
    return place / "clips", root


def test_scenes_can_be_drawn_and_rendered(made):
    _, root = made
    for split in SPLITS:
        corpus = Corpus(root, split)
        assert corpus.labels == ("Bell", "Dog", "Tap") and set(corpus.interferences) == {"Radio"}
        assert all(clip.info.sample_rate == 32000 for clip in corpus.noises)
        settings = DrawSettings(duration=1.0, same_class_probability=0.0)
        scene = Renderer(root)(SceneDrawer(corpus, settings)(seed=0, index=3))
        assert scene.mixture.shape == (4, 32000) and np.isfinite(scene.mixture).all() and scene.sources.any()


def test_sets_share_no_sound_and_no_room(made):
    _, root = made
    seen = defaultdict(set)
    for kind in ("sound_event", "interference", "noise", "room_ir"):
        for split in SPLITS:
            files = [path for path in (root / kind / split).rglob("*") if path.is_file()]
            assert files
            seen[kind] |= (digests := {file_digest(path) for path in files})
            assert len(digests) == len(files)
        assert len(seen[kind]) == sum(path.is_file() for path in (root / kind).rglob("*"))


def test_clips_are_the_same_sounds_at_32_khz(made):
    clips, root = made
    for name, split in sources_of(root).items():
        before, _ = soundfile.read(clips / name)
        after, rate = soundfile.read(root / "sound_event" / split / name)
        assert rate == 32000 and abs(len(after) - 2 * len(before)) <= 4
        spectra = [np.abs(np.fft.rfft(samples, 2**17))[: 2**14] for samples in (after[::2], before)]
        assert np.corrcoef(*spectra)[0, 1] > 0.9


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=26, unique=True), st.data())
def test_sources_stay_in_their_sets(names, data):
    known = {}
    while names:
        count = data.draw(st.integers(1, len(names)))
        now = [*known, *names[:count]]
        found = assign(now, known)
        assert found.keys() == set(now) and found == assign(reversed(now), known)
        counts = Counter(found.values())
        if len(now) >= 3:
            assert min(counts[split] for split in SPLITS) >= 1
        moved = [name for name in known if found[name] != known[name]]
        assert len(moved) <= 1 if len(known) < 3 else not moved
        known, names = found, names[count:]


@pytest.mark.parametrize("count", range(40))
def test_quotas_add_up(count):
    shares = quotas(count)
    assert sum(shares.values()) == count and shares["valid"] <= shares["train"] >= shares["test"] - (count == 2)
    assert assign(map(str, range(count)), {}) == assign(map(str, reversed(range(count))), {})
    assert Counter(assign(map(str, range(count)), {}).values()) == +Counter(shares)


def test_a_source_is_in_one_set(tmp_path):
    clips = make_clips(tmp_path / "clips", ("Bell", "Dog"))
    for speaker in "abcd":
        for take in range(3):
            write_wav(clips / f"Speech/{speaker}/day/{take}.wav", sound(ord(speaker) * 10 + take), rate=RATE)
    root = build(small(clips, tmp_path / "out"))
    speakers = defaultdict(set)
    for name, split in sources_of(root).items():
        if name.startswith("Speech"):
            speakers[name.split("/")[1]].add(split)
    assert sorted(speakers) == list("abcd") and all(len(found) == 1 for found in speakers.values())


@pytest.mark.parametrize("given", [".", "../others"])
def test_loose_interference_is_a_class_of_the_folders_name(clips, tmp_path, monkeypatch, given):
    make_clips(tmp_path, ("others",))
    monkeypatch.chdir(tmp_path / "others")
    root = build(small(clips, tmp_path / "out", interference=given))
    assert sorted(sources_of(root, "interference")) == [f"others/{take}.wav" for take in range(5)]


def test_a_class_is_no_folder_where_the_clips_are(clips, tmp_path, monkeypatch):
    monkeypatch.chdir(clips)
    root = build(small(Path(), tmp_path / "out", interference="Tap"))
    assert {name.split("/")[0] for name in sources_of(root, "interference")} == {"Tap"}


def test_interference_in_decomposed_unicode(tmp_path):
    clips = make_clips(tmp_path / "clips", ("Bell", "Dog", "T\u00fcr"))
    root = build(small(clips, tmp_path / "out", interference="Tu\u0308r"))
    assert len(sources_of(root, "interference")) == 5


def test_measured_rooms_and_noise(clips, tmp_path):
    generator = np.random.default_rng(0)
    measured = tmp_path / "rooms"
    responses = generator.standard_normal((12, 4, 800)) * np.exp(-np.arange(800) / 100)
    for room in "abc":
        lines = ["file,azimuth,elevation,distance"]
        for number, response in enumerate(responses):
            write_wav(measured / room / f"{number}.wav", 0.1 * response.T, rate=32000)
            lines.append(f"{number}.wav,{30 * number},{10},{1.5}")
        (measured / room / "directions.csv").write_text("\n".join(lines) + "\n")
    write_wav(tmp_path / "noise/street.wav", sound(5, 2.0, 0.1), rate=RATE)
    root = build(small(clips, tmp_path / "out", rooms=measured, noise=tmp_path / "noise"))
    found = {path.stem: path for path in (root / "room_ir").rglob("*.sofa")}
    assert sorted(found) == ["a", "b", "c"] and len({path.parent for path in found.values()}) == 3
    room, read = open_room(found["b"]), read_responses(found["b"], 32000)
    np.testing.assert_allclose(read, responses / np.abs(responses).max(), atol=1e-5)
    np.testing.assert_allclose(
        room.positions[3], 1.5 * np.array([0, np.cos(np.radians(10)), np.sin(np.radians(10))]), atol=1e-9
    )
    for split in SPLITS:
        (noise,) = (root / "noise" / split).iterdir()
        samples, rate = soundfile.read(noise)
        assert samples.shape[1] == 4 and len(samples) >= rate
        powers = np.var(samples, axis=0)
        np.testing.assert_allclose(powers / powers[0], [1, 1 / 3, 1 / 3, 1 / 3], atol=0.12)


def test_sofa_rooms_serve_all_sets_where_they_are_few(made, clips, tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "rooms").mkdir()
    (sofa,) = (made[1] / "room_ir/train").iterdir()
    shutil.copy(sofa, tmp_path / "rooms/hall.sofa")
    root = build(small(clips, tmp_path / "out", rooms=tmp_path / "rooms"))
    assert {file_digest(path) for path in (root / "room_ir").rglob("*.sofa")} == {file_digest(sofa)}
    assert "all sets have the same rooms" in caplog.text


def test_diffuse_noise_keeps_spectrum_and_course():
    generator = np.random.default_rng(0)
    mono = generator.standard_normal(64000)
    mono[32000:] *= 0.1
    noise = diffuse(mono, generator)
    assert noise.shape == (4, 64000)
    covariance = np.cov(noise) / np.var(noise[0])
    np.testing.assert_allclose(np.diag(covariance), [1, 1 / 3, 1 / 3, 1 / 3], atol=0.1)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.12
    assert np.std(noise[0, :30000]) == pytest.approx(10 * np.std(noise[0, 34000:]), rel=0.1)


@given(st.integers(10, 400), st.integers(1, 2000), st.integers(0, 50))
def test_repeated_noise_lasts_and_keeps_its_level(length, wanted, crossfade):
    noise = np.ones((2, length))
    longer = lasting(noise, wanted, crossfade)
    assert longer.shape[1] >= min(wanted, longer.shape[1]) and longer.shape[1] >= length
    assert longer.shape[1] >= wanted or (longer.shape[1] == length and wanted <= length)
    assert longer.max() <= 2**0.5 + 1e-6


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (sound(0), ""),
        (np.zeros(8000), "silent"),
        (sound(0, peak=0.01), "peak below 0.02"),
        (sound(0, 0.05), "shorter than 0.1 s"),
        (np.pad(sound(0, 0.05), 8000), "shorter than 0.1 s"),
        (np.stack([sound(0), sound(0)], 1), ""),
        (np.stack([sound(0), -sound(0)], 1), ""),  # channels that cancel each other
        (np.tile(sound(0)[:, None], 6), ""),
        (np.full(8000, np.nan), "cannot be read"),
    ],
)
def test_judgement(tmp_path, samples, reason):
    write_wav(tmp_path / "a.wav", samples, rate=RATE)
    found = judge(tmp_path / "a.wav").reason
    assert found.startswith(reason) and bool(found) == bool(reason)


def test_silence_at_the_ends_does_not_count(tmp_path):
    write_wav(tmp_path / "a.wav", np.concatenate([1e-4 * sound(1, 1.0), sound(0), 1e-4 * sound(2, 2.0)]), rate=RATE)
    assert judge(tmp_path / "a.wav").seconds == pytest.approx(0.5, abs=0.01)


def test_clipping_is_noticed(tmp_path):
    time_ = np.arange(RATE) / RATE
    loud = 3 * np.sin(2 * np.pi * 300 * time_)
    for name, samples, clipped in (("a", np.clip(loud, -1, 1), True), ("b", loud / 4, False), ("c", sound(0), False)):
        write_wav(tmp_path / f"{name}.wav", samples, rate=RATE)
        assert judge(tmp_path / f"{name}.wav").clipped == clipped
