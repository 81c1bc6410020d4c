"""One writer at a time, across processes and threads."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import multiprocessing
import os
import signal
import threading
import time

import pytest

from s5lib.errors import ConfigError
from s5lib.parallel import over_processes
from s5lib.provenance import folder_lock
from s5lib.provenance.owner import Owner


@pytest.fixture(params=["flock", "exclusive"])
def either_kind(request, monkeypatch):
    """Locks of the system, and those of a file system that has none."""
    if request.param == "exclusive":

        def unsupported(descriptor, operation):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", unsupported)
    return request.param


def holder(folder, seconds):
    """Fork a process that holds a folder, and return its number when it does."""
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            with folder_lock(folder):
                os.write(tell, b"x")
                time.sleep(seconds)
        finally:
            os._exit(0)
    os.read(ready, 1)
    return child


def test_a_second_one_hears_who_holds_it(either_kind, tmp_path):
    child = holder(tmp_path / "out", 60)
    with (
        pytest.raises(ConfigError, match=f"in use by process {child}") as refused,
        folder_lock(tmp_path / "out", False),
    ):
        pass
    assert "since 20" in str(refused.value) and (".exclusive" in str(refused.value)) is (either_kind == "exclusive")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with folder_lock(tmp_path / "out", wait=False):  # the dead one's lock is taken over
        pass
    assert os.listdir(tmp_path / "out") == []


def test_a_waiting_one_says_for_whom_and_goes_on(either_kind, tmp_path, caplog):
    child = holder(tmp_path, 0.5)
    since = time.monotonic()
    with caplog.at_level(logging.INFO), folder_lock(tmp_path):
        assert time.monotonic() - since > 0.3
    os.waitpid(child, 0)
    assert caplog.text.count("waiting for it to finish") == 1 and f"process {child}" in caplog.text
    assert os.listdir(tmp_path) == []


def test_never_two_at_once(either_kind, tmp_path):
    """Processes and threads add to a number, each reading it before the other writes if the lock is not one."""
    (tmp_path / "number").write_text("0")
    out = tmp_path / "out"

    def add():
        for _ in range(8):
            with folder_lock(out):
                number = int((tmp_path / "number").read_text())
                time.sleep(0.002)
                (tmp_path / "number").write_text(str(number + 1))

    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            add()
            os._exit(0)
        children.append(child)
    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "40" and os.listdir(out) == []


def test_one_thread_goes_on_in_its_own_folder_if_it_would_wait(tmp_path):
    with folder_lock(tmp_path), folder_lock(tmp_path):
        assert os.listdir(tmp_path) == [".lock"]
        with pytest.raises(ConfigError), folder_lock(tmp_path, wait=False):
            pass
    assert os.listdir(tmp_path) == []


def test_a_forked_child_does_not_hold_it_on(tmp_path):
    with folder_lock(tmp_path):
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
    with folder_lock(tmp_path, wait=False):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_scratch_of_the_dead_goes_when_the_folder_is_held(tmp_path):
    me = Owner.this_process()
    for dead in (me, Owner(me.machine, me.pid, me.started + 1)):  # earlier processes with this one's number
        (tmp_path / f".a.{dead}-00000000.part").touch()
    with folder_lock(tmp_path):
        assert os.listdir(tmp_path) == [".lock"]


def test_a_damaged_lock_file_stops_nobody(tmp_path):
    (tmp_path / ".lock").write_bytes(b"\xff" * 10_000)
    with folder_lock(tmp_path, wait=False):
        pass
    assert os.listdir(tmp_path) == []


def test_a_machine_without_shared_memory_is_reported(monkeypatch):
    def read_only(*arguments):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(multiprocessing.context.BaseContext, "Lock", read_only)
    with pytest.raises(ConfigError, match=r"/dev/shm cannot be written \(Read-only file system\).*--nj 1"):
        list(over_processes(str, [1, 2], 2))


def wait_for_ever(path):
    with open(path, "w") as stream:
        stream.write(str(os.getpid()))
    time.sleep(60)


def test_workers_end_with_the_process_that_started_them(tmp_path):
    child = os.fork()
    if not child:
        list(over_processes(wait_for_ever, [tmp_path / "a", tmp_path / "b"], 2))
    files = [tmp_path / "a", tmp_path / "b"]
    while not all(file.exists() and file.read_text() for file in files):
        time.sleep(0.01)
    workers = [int(file.read_text()) for file in files]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{worker}") and not is_dead(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_dead(process):
    """Whether a process has ended, although nobody has asked how."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0] == "Z"
    return True
