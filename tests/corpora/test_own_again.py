"""Corpora from folders of clips: what a second call keeps and redoes, and one that was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from own_clips import RATE, make_clips, small, sound, sources_of, state
from small_corpus import write_wav

from s5lib.bin.main import main
from s5lib.corpora.own import build
from s5lib.corpora.own.find import safe_name
from s5lib.corpora.own.split import SPLITS
from s5lib.errors import DataError
from s5lib.provenance import digest, file_digest

pytestmark = pytest.mark.usefixtures("small_surroundings")


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
