"""Recordings in folders as people have them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.audio import find_audio_files
from s5lib.audio.finding import SUFFIXES


def make(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(folder, **options):
    return [os.fspath(path.relative_to(folder)) for path in find_audio_files(folder, **options).files]


def test_every_ending_that_libsndfile_knows(tmp_path):
    known = {f".{kind.lower()}" for kind in soundfile.available_formats()}
    # no header (RAW), samples in a resource fork (SD2), matrices, and what is no ending
    assert known - SUFFIXES <= {".raw", ".sd2", ".mat4", ".mat5", ".mpc2k", ".xi"}
    wanted = ["a.wave", "b.BWF", "c.aifc", "d.oga", "e.opus", "f.Aif", "g.m4a", "h.RF64", "i.snd"]
    make(tmp_path, *wanted, "notes.txt", "wav", "j.wav.bak")
    assert names(tmp_path) == wanted
    assert "3 without the ending" in str(find_audio_files(tmp_path))


def test_hidden_files_and_trash(tmp_path):
    make(tmp_path, "a.wav", "._a.wav", ".b.wav", ".Trash-1000/files/c.wav", "$RECYCLE.BIN/d.wav", ".hidden/e.wav")
    make(tmp_path, "System Volume Information/f.wav", "__MACOSX/g.wav", "lost+found/h.wav", "day 1/i.wav")
    assert names(tmp_path) == ["a.wav", "day 1/i.wav"]
    found = find_audio_files(tmp_path)
    assert len(found.skipped["hidden or trash"]) == 8 and "8 hidden or trash" in str(found)
    make(tmp_path / ".inside", "a.wav")
    assert names(tmp_path / ".inside") == ["a.wav"]  # as asked for


def test_links_and_loops(tmp_path):
    make(tmp_path, "store/x/1.wav", "store/x/2.wav", "set/own/3.wav")
    (tmp_path / "set/loop").symlink_to(".")
    (tmp_path / "set/own/up").symlink_to("..")
    (tmp_path / "set/a").symlink_to("../store/x")
    (tmp_path / "set/b").symlink_to(tmp_path / "store")
    (tmp_path / "set/own/2.wav").symlink_to("../../store/x/2.wav")
    (tmp_path / "set/gone.wav").symlink_to("nowhere.wav")
    (tmp_path / "set/self.wav").symlink_to("self.wav")
    found = find_audio_files(tmp_path / "set")
    real = [os.path.realpath(path) for path in found.files]
    assert sorted(real) == sorted(set(real)) and len(real) == 3
    assert tmp_path / "set/own/3.wav" in found.files
    assert sum(map(len, found.skipped.values())) == 3  # 2.wav a second time, gone.wav, self.wav
    os.link(tmp_path / "store/x/1.wav", tmp_path / "store/x/4.wav")
    assert len(names(tmp_path / "store")) == 3  # a hard link is a file of its own


def test_many_loops_end(tmp_path):
    make(tmp_path, "a/b/c/1.wav")
    for folder in ("", "a", "a/b", "a/b/c"):
        for number in range(4):
            (tmp_path / folder / f"loop{number}").symlink_to(tmp_path)
    assert names(tmp_path) == ["a/b/c/1.wav"]


def test_what_is_no_regular_file(tmp_path):
    make(tmp_path, "b.wav")
    os.mkfifo(tmp_path / "a.wav")
    (tmp_path / "folder.wav").mkdir()
    make(tmp_path, "folder.wav/c.wav")
    assert names(tmp_path) == ["b.wav", "folder.wav/c.wav"]
    assert names(tmp_path, recursive=False) == ["b.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_folders_are_reported(tmp_path):
    make(tmp_path, "closed/a.wav", "b.wav")
    (tmp_path / "closed").chmod(0)
    found = find_audio_files(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert len(found.files) == 1 and "unreadable" in str(found)


NAME = st.binary(min_size=1, max_size=40).filter(lambda name: not set(name) & {0, ord("/")} and name[:1] != b".")


@given(st.sets(NAME, max_size=8))
@settings(max_examples=30, deadline=None)
def test_any_name(tmp_path_factory, given_names):
    """Bytes of any kind: not UTF-8, control characters, line separators."""
    folder = tmp_path_factory.mktemp("names")
    made = {name + b".wav" for name in given_names}
    for name in made:
        (folder / os.fsdecode(name)).touch()
    assert {os.fsencode(path.name) for path in find_audio_files(folder).files} == made


def test_decomposed_and_long_names(tmp_path):
    wanted = {unicodedata.normalize("NFD", "Tür.wav"), unicodedata.normalize("NFC", "Tür.wav"), "x" * 251 + ".wav"}
    make(tmp_path, *wanted)
    assert set(names(tmp_path)) == wanted
