"""SOFA files from strangers: nothing outside the file is read, and no size is believed before it is checked."""

from __future__ import annotations

import contextlib
import multiprocessing
import shlex
import subprocess
import sys
from multiprocessing.pool import ThreadPool

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpus import write_sofa

from s5lib.errors import DataError
from s5lib.scenes.sofa import open_room, read_responses
from s5lib.untrusted import hdf5
from s5lib.untrusted.hdf5 import MOST_VALUES, read_hdf5

POSITIONS = np.array([[1.0, 0, 0], [0, 1.0, 0]])
NAMES = ("Data.IR", "Data.SamplingRate", "SourcePosition", "ListenerPosition", "Data.Delay")


@pytest.fixture
def room(tmp_path):
    write_sofa(tmp_path / "room.sofa", np.random.default_rng(0).standard_normal((2, 4, 50)), POSITIONS)
    return tmp_path / "room.sofa"


def read(path):
    open_room(path)
    return read_responses(path, 8000)


def external(file, name, secret):
    file.create_dataset(name, (2, 4, 50), "f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def external_link(file, name, secret):
    file[name] = h5py.ExternalLink(str(secret), "/Data.IR")


def soft_link(file, name, secret):
    file["elsewhere"] = h5py.ExternalLink(str(secret), "/Data.IR")
    file[name] = h5py.SoftLink("/elsewhere")


def virtual(file, name, secret):
    layout = h5py.VirtualLayout((2, 4, 50), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "Data.IR", (2, 4, 50))
    file.create_virtual_dataset(name, layout)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pointer", [external, external_link, soft_link, virtual])
def test_no_other_file_is_read(room, tmp_path, name, pointer, monkeypatch):
    secret = tmp_path / "secret.sofa"
    write_sofa(secret, np.ones((2, 4, 50)), POSITIONS)
    with h5py.File(room, "r+") as file:
        if name in file:
            del file[name]
        pointer(file, name, secret)
    secret.chmod(0)
    with pytest.raises(DataError, match=f"{name} (lies in another file|is a link)"):
        read(room)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**10, 2**14), (2, 4, 2**43), (MOST_VALUES + 1, 1, 1)])
def test_claimed_sizes_cost_nothing(room, name, shape):
    with h5py.File(room, "r+") as file:
        if name in file:
            del file[name]
        file.create_dataset(
            name, shape, "f8", chunks=tuple(min(size, 16) for size in shape)
        )  # takes no room in the file
    with pytest.raises(DataError, match="claims|shape"):
        read(room)


def test_a_chunk_counts_whole(room):
    with h5py.File(room, "r+") as file:
        del file["Data.IR"]
        file.create_dataset(
            "Data.IR", (2, 4, 50), "f8", chunks=(2, 4, 2**25), maxshape=(2, 4, None), compression="gzip"
        )
    with pytest.raises(DataError, match="claims"):
        read(room)


@pytest.mark.parametrize("value", ["text", b"bytes", [b"a"], np.array([(1, 2)], "i4,i4"), 1j, True, h5py.Empty("f8")])
@pytest.mark.parametrize("name", NAMES)
def test_other_types(room, name, value):
    with h5py.File(room, "r+") as file:
        if name in file:
            del file[name]
        file[name] = value
    with pytest.raises(DataError):
        read(room)


@pytest.mark.parametrize("value", [1, 2.5, np.zeros(10**3), ["a", "b"], "x" * 60_000, "\x1b[2J"])
@pytest.mark.parametrize("key", ["Type", "Units"])
def test_attributes(room, key, value):
    with h5py.File(room, "r+") as file:
        file["SourcePosition"].attrs[key] = value
    with pytest.raises(DataError) as caught:
        read(room)
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 500


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.sofa"
    write_sofa(path, np.ones((2, 4, 50)), POSITIONS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with contextlib.suppress(DataError):
        assert np.isfinite(read(path)).all()


def test_a_group_is_not_an_array(room):
    with h5py.File(room, "r+") as file:
        file.create_group("Group")
    with pytest.raises(DataError, match="not an array"):
        read_hdf5(room, {"Group": None})


def test_a_heap_of_texts_that_never_ends(room):
    """The library itself looks for the end of an object of no size."""
    content = bytearray(room.read_bytes())
    first = content.index(b"GCOL") + 16
    content[first + 8 : first + 16] = (2**64 - 16).to_bytes(8, "little")
    room.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(room)


@pytest.mark.parametrize(
    "ending", ["os.abort()", "print('[')", "os._exit(1)", 'print(\'{"Data.IR": [[9], "<f8", {}]}\')']
)
def test_a_process_that_ends(room, ending, monkeypatch):
    hdf5._process.stop()
    monkeypatch.setattr(hdf5, "_PROGRAM", f"import os, sys; sys.stdin.readline(); {ending}")
    with pytest.raises(DataError):
        read(room)
    monkeypatch.undo()
    assert read(room).shape == (2, 4, 50)


def test_an_earlier_file_is_not_held_against_the_next(room, monkeypatch):
    read(room)
    hdf5._process.popen.kill()
    assert read(room).shape == (2, 4, 50)


def test_forked_processes_and_threads_read_too(room):
    expected = read(room)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(read, [room] * 4)
    with ThreadPool(4) as pool:
        found += pool.map(read, [room] * 8)
    for responses in [*found, read(room)]:
        np.testing.assert_array_equal(responses, expected)


def test_an_interruption_leaves_no_answer_behind(room, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hdf5, "parse_json", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(room)
    assert read_hdf5(room, {"SourcePosition": float})["SourcePosition"].shape == (2, 3)


def test_less_memory_than_usual(room):
    program = f"from s5lib.scenes.sofa import open_room; print(len(open_room({str(room)!r})))"
    limited = f"ulimit -v 3000000; exec {sys.executable} -c {shlex.quote(program)}"
    assert subprocess.run(["bash", "-c", limited], capture_output=True, text=True).stdout == "2\n"
