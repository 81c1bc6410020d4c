"""What lies where s5lib writes: a link is not followed, and nothing waits for a pipe or reads a device to its end."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from s5lib.errors import ConfigError, DataError
from s5lib.provenance import folder_lock
from s5lib.provenance.files import require_replaceable
from s5lib.systems import Source
from s5lib.systems.outputs import write_sources
from s5lib.training.log_file import log_file


@pytest.fixture(autouse=True)
def _alarm():
    """End a test that waits, instead of the whole run."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("waited for 10 s"))
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


def test_the_lock_is_not_written_through_a_link(tmp_path, victim):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.lock").symlink_to(victim)
    with pytest.raises(ConfigError, match=r"\.lock is a link"), folder_lock(tmp_path / "out"):
        pass
    assert victim.read_text() == "precious"


def test_a_pipe_is_no_lock(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(ConfigError, match="not a regular file"), folder_lock(tmp_path):
        pass


def test_the_log_is_not_written_through_a_link(tmp_path, victim):
    (tmp_path / "train.log").symlink_to(victim)
    with pytest.raises(OSError, match=r"train\.log"), log_file(tmp_path / "train.log"):
        pass
    assert victim.read_text() == "precious"


def _special(path, kind):
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_record_that_is_no_file(tmp_path, kind):
    _special(tmp_path / "one.json", kind)
    with pytest.raises(DataError, match=r"one\.json.*--out"):
        write_sources(tmp_path, "one", [Source("Bell", 1.0, np.ones(8, np.float32))], 8000)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_an_output_that_is_no_file(tmp_path, kind):
    _special(tmp_path / "a.json", kind)
    with pytest.raises(ConfigError, match=r"--out: .*a\.json"):
        require_replaceable({tmp_path / "a.json": b"{"})
