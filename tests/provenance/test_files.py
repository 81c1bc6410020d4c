"""Files that appear whole or not at all, and what killed writers leave."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import sys
import threading
import time

import pytest

from s5lib.errors import ConfigError
from s5lib.provenance import (
    atomic_folder,
    atomic_write,
    commit,
    files,
    folder_lock,
    owner,
    remove_scratch,
    require_replaceable,
    scratch_folder,
    stamp_output,
    write_json,
)
from s5lib.provenance.owner import Owner


def in_child(work, *args):
    """Run ``work`` in a process that is then killed, and return how it ended."""
    child = os.fork()
    if not child:
        try:
            work(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path):
    def write(error):
        with atomic_write(tmp_path / "a") as temporary:
            temporary.write_text("new")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        (tmp_path / "a").write_text("old")
        with pytest.raises(error):
            write(error)
        assert names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "old"


def test_errors_of_the_system_name_the_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/a") as caught, atomic_write(tmp_path / "file/a"):
        pass
    assert caught.value.filename == str(tmp_path / "file/a")


def test_many_writers_of_one_file_share_no_scratch(tmp_path):
    texts = [str(number) * 100_000 for number in range(8)]

    def write(text):
        for _ in range(20):
            with atomic_write(tmp_path / "a", durable=False) as temporary:
                temporary.write_text(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "a").exists():
            assert (tmp_path / "a").read_text() in texts
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["a", "x" * 255, "\u00e9" * 127, os.fsdecode(b"caf\xe9"), " ", "a\nb"])
def test_names_as_long_as_the_file_system_allows(tmp_path, name):
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == [name]


def test_scratch_of_a_killed_writer_goes_with_the_next_write_and_that_of_a_living_one_stays(tmp_path):
    def begin():
        with atomic_write(tmp_path / "a") as temporary, scratch_folder(tmp_path / "b"):
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(begin) == -signal.SIGKILL
    (tmp_path / ".user.part").touch()
    (tmp_path / f".a.{Owner.this_process()}-1.part").touch()  # no name of ours
    assert len(names(tmp_path)) == 4
    with scratch_folder(tmp_path / "c") as living:
        time.sleep(1.1)  # a folder is swept once a second
        with atomic_write(tmp_path / "d") as temporary:
            temporary.touch()
        assert living.exists()
    assert names(tmp_path) == [f".a.{Owner.this_process()}-1.part", ".user.part", "d"]


@pytest.fixture
def another_machine(monkeypatch):
    """Let processes forked from now on name another machine: another container, or this one before a reboot."""
    this, ours = os.getpid(), owner._machine()
    monkeypatch.setattr(owner, "_machine", lambda: ours if os.getpid() == this else "0123abcd")


def hold(folder):
    with folder_lock(folder):
        pass


SWEEPERS = {"remove_scratch": remove_scratch, "lock": hold, "write": lambda folder: write_json(folder / "other", {})}


def sweep(sweeper, folder):
    files._swept.clear()
    SWEEPERS[sweeper](folder)
    (folder / "other").unlink(missing_ok=True)


@contextlib.contextmanager
def at_work(scratch, folder):
    """Let a process work in scratch of ``folder``, and kill it at the end of the ``with`` block."""
    ready, begun = os.pipe()
    child = os.fork()
    if not child:
        try:
            with scratch(folder / "a") as temporary:
                (temporary / "half" if temporary.is_dir() else temporary).write_text("half")
                os.write(begun, b"x")
                signal.pause()
        finally:
            os._exit(70)
    try:
        os.close(begun)
        assert os.read(ready, 1)
        yield
    finally:
        os.close(ready)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize("sweeper", SWEEPERS)
@pytest.mark.parametrize("scratch", [atomic_write, atomic_folder, scratch_folder])
def test_scratch_stays_with_its_process_whoever_sweeps(tmp_path, scratch, sweeper):
    with at_work(scratch, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        sweep(sweeper, tmp_path)
        assert before and sorted(tmp_path.rglob("*")) == before
    sweep(sweeper, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("sweeper", SWEEPERS)
def test_a_scratch_folder_of_another_machine_stays_while_its_process_locks_it(tmp_path, another_machine, sweeper):
    with at_work(scratch_folder, tmp_path):
        (scratch,) = tmp_path.iterdir()
        for path in (*scratch.iterdir(), scratch):
            os.utime(path, (0, 0))  # however old
        sweep(sweeper, tmp_path)
        assert names(scratch) == [".held", "half"]
    sweep(sweeper, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("scratch", [atomic_write, atomic_folder, scratch_folder])
def test_without_locks_scratch_of_another_machine_stays_for_a_day(tmp_path, another_machine, monkeypatch, scratch):
    def unsupported(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with at_work(scratch, tmp_path):
        pass
    remove_scratch(tmp_path)
    (left,) = tmp_path.iterdir()
    for path in (*left.rglob("*"), left):
        os.utime(path, (0, 0))
    remove_scratch(tmp_path)
    assert names(tmp_path) == []


def test_a_reused_process_number_is_not_taken_for_the_owner(tmp_path):
    me = Owner.this_process()
    assert Owner.parse(str(me)) == me and not me.is_dead
    assert Owner(me.machine, me.pid, me.started + 1).is_dead
    assert not Owner("0123abcd", me.pid, me.started).is_dead  # another machine's: not known
    (tmp_path / f".a.{Owner(me.machine, me.pid, me.started + 1)}-00000000.part").touch()
    remove_scratch(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def fail():
        with atomic_folder(tmp_path / "a") as draft:
            (draft / "x").touch()
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert names(tmp_path) == []
    with atomic_folder(tmp_path / "a") as draft:
        (draft / "x").touch()
    assert names(tmp_path / "a") == ["x"]
    with pytest.raises(OSError, match="a"), atomic_folder(tmp_path / "a") as draft:
        (draft / "y").touch()
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["x"]


def is_disturbed(how, at, work, folder):
    """Fork a process for ``work``, disturbed at its ``at``-th change in ``folder``; return whether it got that far."""
    child = os.fork()
    if not child:
        count = 0

        def hook(event, arguments):
            nonlocal count
            if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and str(folder) in str(arguments[0]):
                count += 1
                if count == at and how == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                if count == at or (count > at and how == "disk fails for good"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        try:
            sys.addaudithook(hook)
            work()
        finally:
            os._exit(count < at)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 1


def write_set(folder, content, earlier=()):
    with scratch_folder(folder / "set") as scratch:
        for name, text in content.items():
            (scratch / name).write_text(text)
        stamps = {name: stamp_output(scratch / name) for name in content}
        commit(scratch, folder / "set.json", stamps, content, set(earlier))


@pytest.mark.parametrize("how", ["killed", "disk fails once", "disk fails for good"])
def test_a_set_of_files_is_as_before_or_complete_wherever_its_writer_is_disturbed(tmp_path, how):
    """At every change; then the process that clears its scratch is disturbed, too."""
    old, new = {"a": "old", "b": "old"}, {"a": "new", "c": "new"}
    seen, at = set(), 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        write_set(folder, old)
        (folder / "mine").write_text("mine")
        before = {path.name: path.read_text() for path in folder.iterdir()}
        if not is_disturbed(how, at, lambda folder=folder: write_set(folder, new, old), folder):
            break
        is_disturbed(how, 1 + at % 5, lambda folder=folder: remove_scratch(folder), folder)
        remove_scratch(folder)
        left = {path.name: path.read_text() for path in folder.iterdir()}
        seen.add(left == before)
        if left != before:
            assert left.pop("mine") == "mine" and json.loads(left.pop("set.json")).keys() == new.keys() and left == new
    assert at > 15 and seen == {True, False}


def test_a_full_disk_leaves_the_set_that_is_there(tmp_path, monkeypatch):
    write_set(tmp_path, {"a": "old"})
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_set(tmp_path, {"a": "new"}, {"a"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("place", [".ready", ".replaced", "draft", "."])
@pytest.mark.parametrize("links", [False, True])
def test_scratch_that_came_with_the_folder_touches_nothing_there_or_elsewhere(tmp_path, place, links):
    """It seems to be of a dead process, and holds what a commit leaves, or the list of files of an earlier version."""
    folder, elsewhere, me = tmp_path / "out", tmp_path / "elsewhere", Owner.this_process()
    scratch = folder / f".a.{Owner(me.machine, me.pid, me.started + 1)}-00000000.part"
    mine = [folder / "a.wav", folder / "thesis.docx", folder / "day1/b.wav", tmp_path / "precious", elsewhere / "c.wav"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    scratch.mkdir()
    named = ["a.wav", "thesis.docx", "day1", "../precious", str(tmp_path / "precious"), 3]
    write_json(scratch / "journal", {"manifest": "a.json", "earlier": named, "files": named})
    if links and place != ".":
        (scratch / place).symlink_to(elsewhere)
    else:
        (scratch / place).mkdir(exist_ok=True)
        for name in ("a.wav", "thesis.docx"):
            (scratch / place / name).write_text("planted")
        (scratch / place / "day1").symlink_to(elsewhere)
    remove_scratch(folder)
    assert all(path.read_text() == "mine" for path in mine)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(mine)


def test_outputs_that_are_inputs_or_foreign_are_refused(tmp_path):
    (tmp_path / "in").write_text("# mine")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    os.link(tmp_path / "in", tmp_path / "hard")
    for name in ("in", "link", "hard"):
        with pytest.raises(ConfigError, match="would overwrite"):
            require_replaceable({tmp_path / name: b"# "}, [tmp_path / "in"])
    require_replaceable({tmp_path / "in": b"# ", tmp_path / "new": b"x"}, [tmp_path / "other"])
    with pytest.raises(ConfigError, match="not written by s5lib"):
        require_replaceable({tmp_path / "in": b"<html"})
