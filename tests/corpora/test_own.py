"""Corpora from folders of clips: what is used, the sets, rooms and noise, and what a second call redoes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import write_wav

from s5lib.bin.main import main
from s5lib.corpora.own import NewCorpus, build
from s5lib.corpora.own.find import safe_name
from s5lib.corpora.own.judge import judge
from s5lib.corpora.own.noise import diffuse, lasting
from s5lib.corpora.own.split import SPLITS, assign, quotas
from s5lib.errors import DataError
from s5lib.provenance import digest, file_digest
from s5lib.scenes import Corpus, DrawSettings, Renderer, SceneDrawer
from s5lib.scenes.sofa import open_room, read_responses

RATE = 16000
pytestmark = pytest.mark.usefixtures("small_surroundings")


def sound(seed, seconds=0.5, peak=0.5):
    samples = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return peak * samples / np.abs(samples).max()


def make_clips(folder, labels=("Bell", "Dog", "Tap"), count=5):
    for label in labels:
        for take in range(count):
            write_wav(folder / label / f"{take}.wav", sound([*label.encode(), take]), rate=RATE)
    return folder


def small(clips, out, **options):
    return NewCorpus(clips, out, num_rooms=1, noise_seconds=1.0, **options)


@pytest.fixture
def clips(tmp_path):
    return make_clips(tmp_path / "clips")


@pytest.fixture(scope="module")
def made(small_surroundings, tmp_path_factory):
    """A corpus of 3 classes, one of them interference, and its clips."""
    place = tmp_path_factory.mktemp("own")
    make_clips(place / "clips", ("Bell", "Dog", "Tap", "Radio"))
    root = build(small(place / "clips", place / "out", interference="Radio"))
    return place / "clips", root


def state(root):
    """Content and time of every file of a corpus."""
    return {
        path.relative_to(root).as_posix(): (file_digest(path), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def sources_of(root, kind="sound_event"):
    """The set of each ``LABEL/CLIP`` of a corpus."""
    return {
        "/".join(path.relative_to(root / kind).parts[1:]): path.relative_to(root / kind).parts[0]
        for path in (root / kind).rglob("*.wav")
    }


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


def test_a_second_call_makes_nothing(clips, tmp_path):
    request = small(clips, tmp_path / "out")
    before = state(build(request))
    for path in clips.rglob("*.wav"):
        os.utime(path)  # touched, with the same content
    assert state(build(request, nj=2)) == before


def test_only_what_changed_is_redone(clips, tmp_path, caplog):
    caplog.set_level("INFO")
    request = small(clips, tmp_path / "out")
    before = state(build(request))
    write_wav(clips / "Bell/0.wav", sound(900), rate=RATE)
    make_clips(clips, ("Whistle",), 3)
    (clips / "Dog/4.wav").unlink()
    root = build(request)
    after = state(root)
    same = {name for name in before.keys() & after.keys() if before[name] == after[name]}
    assert {name.split("/", 2)[2] for name in after.keys() - same} == {
        "Bell/0.wav",
        *(f"Whistle/{take}.wav" for take in range(3)),
    }
    assert {name.split("/", 2)[2] for name in before.keys() - after.keys()} == {"Dog/4.wav"}
    text = caplog.text
    assert "new since the last call: 3 of Whistle" in text and "replaced since the last call: 1 of Bell" in text
    assert "gone since the last call: 1 of Dog" in text
    shutil.rmtree(clips / "Whistle")
    build(request)
    assert not list(root.rglob("Whistle"))


def test_sources_stay_in_their_sets_whatever_is_added_beside_them(clips, tmp_path):
    (clips / "Bell/1.wav").rename(clips / "Bell/1.WAV")  # Bell/1.wav to earlier versions
    request = small(clips, tmp_path / "out")
    before = sources_of(build(request))
    for label in ("Bell", "Dog"):
        for take in range(5):
            soundfile.write(clips / label / f"{take}.flac", sound([*label.encode(), take, 1]), RATE)
    after = sources_of(build(request))
    for name, split in before.items():
        beside = {"Bell/1.wav": "Bell/1.WAV.wav"}.get(name, f"{name}.wav")
        assert after[name if name.startswith("Tap") else beside] == split
    assert len(after) == 25
    for take in range(5):
        (clips / f"Bell/{take}.flac").unlink()
        soundfile.write(clips / f"Tap/{take}.flac", soundfile.read(clips / f"Tap/{take}.wav")[0], RATE)
        (clips / f"Tap/{take}.wav").unlink()
    last = sources_of(build(request))
    assert {name: last[name] for name in before if not name.startswith("Dog")} == {
        name: split for name, split in before.items() if not name.startswith("Dog")
    }


def test_records_of_earlier_versions_keep_their_sets(clips, tmp_path):
    soundfile.write(clips / "Bell/0.flac", sound(1), RATE)
    soundfile.write(clips / "Bell/9.flac", sound(2), RATE)
    odd = "odd\x07 one"
    write_wav(clips / f"Bell/{odd}.wav", sound(3), rate=RATE)
    write_wav(clips / "Bell/anna/9.wav", sound(4), rate=RATE)
    request = small(clips, tmp_path / "out")
    build(request)
    path = tmp_path / "out/new_corpus.json"
    record = json.loads(path.read_text())
    # Sources were named after targets: with their endings only where stems were the same.
    names = ["0.wav.wav", "0.flac.wav", *(f"{take}.wav" for take in range(1, 5)), "9.wav"]
    names += [f"{safe_name(odd)}.wav", "anna"]
    wanted = {f"Bell/{name}": SPLITS[number % 3] for number, name in enumerate(names)}
    others = {key: split for key, split in record["splits"]["sound_event"].items() if not key.startswith("Bell/")}
    record["splits"]["sound_event"] = others | wanted
    path.write_text(json.dumps(record))
    found = sources_of(build(request))
    wanted["Bell/anna/9.wav"] = wanted.pop("Bell/anna")
    assert {name: split for name, split in found.items() if name.startswith("Bell")} == wanted


def test_relative_folders_are_not_read_again(clips, tmp_path, monkeypatch):
    write_wav(clips / "Bell/silent.wav", np.zeros(RATE), rate=RATE)  # left out, but known, too
    monkeypatch.chdir(tmp_path)
    request = small(Path("clips"), Path("out"))
    build(request)
    read = []
    monkeypatch.setattr(digest, "file_digest", lambda path: read.append(path) or file_digest(path))
    build(request)
    assert not [path for path in read if path.startswith(str(clips))]


@pytest.mark.parametrize("given", [".", "../others"])
def test_loose_interference_is_a_class_of_the_folders_name(clips, tmp_path, monkeypatch, given):
    make_clips(tmp_path, ("others",))
    monkeypatch.chdir(tmp_path / "others")
    root = build(small(clips, tmp_path / "out", interference=given))
    assert sorted(sources_of(root, "interference")) == [f"others/{take}.wav" for take in range(5)]


def test_interference_in_decomposed_unicode(tmp_path):
    clips = make_clips(tmp_path / "clips", ("Bell", "Dog", "T\u00fcr"))
    root = build(small(clips, tmp_path / "out", interference="Tu\u0308r"))
    assert len(sources_of(root, "interference")) == 5


def test_damaged_files_are_made_again(clips, tmp_path):
    request = small(clips, tmp_path / "out")
    root = build(request)
    before = {name: digest for name, (digest, _) in state(root).items()}
    first, second = (root / name for name in list(before)[:2])
    first.write_bytes(first.read_bytes()[:-20])
    second.unlink()
    assert {name: digest for name, (digest, _) in state(build(request)).items()} == before


def test_results_do_not_depend_on_processes_or_history(clips, tmp_path):
    at_once = build(small(clips, tmp_path / "a"), nj=2)
    again = build(small(clips, tmp_path / "b"))
    other = build(small(clips, tmp_path / "c", seed=1))
    one, two, three = ({name: digest for name, (digest, _) in state(root).items()} for root in (at_once, again, other))
    assert one == two and one != three


def test_foreign_files_are_neither_used_nor_removed(clips, tmp_path):
    request = small(clips, tmp_path / "out")
    root = build(request)
    for place in ("sound_event/train/Bell/mine.wav", "noise/test/mine.wav"):
        write_wav(root / place, sound(1))
        with pytest.raises(DataError, match=r"new-corpus did not write.*mine\.wav"):
            build(request)
        assert (root / place).exists()
        (root / place).unlink()
    (root / "sound_event/train/Bell/notes.txt").write_text("mine")
    shutil.rmtree(clips / "Tap")
    build(request)
    assert (root / "sound_event/train/Bell/notes.txt").read_text() == "mine"


def test_another_folder_of_clips_into_the_same_corpus(clips, tmp_path):
    request = small(clips, tmp_path / "out")
    before = state(build(request))
    with pytest.raises(DataError, match="holds the corpus of"):
        build(small(make_clips(tmp_path / "others"), tmp_path / "out"))
    moved = clips.rename(tmp_path / "moved")
    assert state(build(small(moved, tmp_path / "out"))) == before
    for out in (moved / "out", tmp_path):
        with pytest.raises(DataError, match="must not contain each other"):
            build(small(moved, out))


COMMAND = [sys.executable, "-m", "s5lib.bin.main", "new-corpus"]


def test_two_calls_at_once(clips, tmp_path):
    request = small(clips, tmp_path / "out")
    results = []
    threads = [threading.Thread(target=lambda: results.append(state(build(request)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]


def test_a_killed_call_is_gone_on_with(clips, tmp_path):
    whole = state(build(small(clips, tmp_path / "whole")))
    line = [*COMMAND, str(clips), "--out", str(tmp_path / "out"), "--num_rooms", "1", "--noise_seconds", "1"]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list((tmp_path / "out/dev_set").rglob("*.sofa")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main(line[3:]) == 0
    again = state(tmp_path / "out/dev_set")
    assert {name: digest for name, (digest, _) in again.items()} == {n: d for n, (d, _) in whole.items()}
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.is_file()]


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
