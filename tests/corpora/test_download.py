import hashlib
import json
import random
import shutil
from collections import namedtuple

import pytest
from local_server import local_server

from s5lib.corpora.download import RemoteFile, fetch_files, require_space, with_size, zenodo_files
from s5lib.errors import DataError

CONTENT = random.Random(0).randbytes(100_000)


@pytest.fixture
def server():
    with local_server() as state:
        state.files["/a.bin"] = CONTENT
        yield state


@pytest.fixture
def file(server):
    return RemoteFile(f"{server.url}/a.bin", "a.bin", len(CONTENT), hashlib.md5(CONTENT).hexdigest())


def gets(server):
    return [wanted for method, _, wanted in server.requests if method == "GET"]


def test_fetched_once(server, file, tmp_path):
    (path,) = fetch_files([file], tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    fetch_files([file], tmp_path / "new" / "folder")
    assert gets(server) == [None]
    assert [item.name for item in path.parent.iterdir()] == ["a.bin"]


def test_a_broken_connection_is_resumed(server, file, tmp_path):
    server.breaks["/a.bin"] = [30_000, 0, 50_000]
    (path,) = fetch_files([file], tmp_path, wait=0.01)
    assert path.read_bytes() == CONTENT
    assert gets(server) == [None, "bytes=30000-", "bytes=30000-", "bytes=80000-"]


def test_a_later_call_goes_on(server, file, tmp_path):
    server.breaks["/a.bin"] = [10_000, 0, 0]
    with pytest.raises(DataError, match="broken off 2 times.*Run again"):
        fetch_files([file], tmp_path, tries=2, wait=0.01)
    assert (tmp_path / "a.bin.part").stat().st_size == 10_000
    server.breaks.clear()
    (path,) = fetch_files([file], tmp_path)
    assert path.read_bytes() == CONTENT and gets(server)[-1] == "bytes=10000-"


def test_a_server_without_ranges(server, file, tmp_path):
    server.ranges = False
    server.breaks["/a.bin"] = [30_000]
    (path,) = fetch_files([file], tmp_path, wait=0.01)
    assert path.read_bytes() == CONTENT


def test_a_file_of_unknown_size(server, tmp_path):
    file = RemoteFile(f"{server.url}/a.bin", "a.bin")
    assert with_size(file).size == len(CONTENT)
    server.breaks["/a.bin"] = [60_000]
    (path,) = fetch_files([file], tmp_path, wait=0.01)
    assert path.read_bytes() == CONTENT
    path.rename(tmp_path / "a.bin.part")  # all had come when the process was killed
    assert fetch_files([file], tmp_path)[0].read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused(server, file, tmp_path):
    server.files["/a.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=f"wrong checksum, md5 .*, expected {file.md5}"):
        fetch_files([file], tmp_path)
    assert not list(tmp_path.iterdir())
    server.files["/a.bin"] = CONTENT + b"more"
    with pytest.raises(DataError, match="more than the 100000 bytes"):
        fetch_files([file], tmp_path)


def test_a_full_disk_is_reported_before_the_first_byte(server, file, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 150_000, 150_000))
    with pytest.raises(DataError, match="146.48 KiB free, but fetching 1 files and unpacking them needs 195.31 KiB"):
        fetch_files([file], tmp_path / "sub", reserve=100_000)
    assert server.requests == [] and not list(tmp_path.iterdir())
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:60_000])
    fetch_files([file], tmp_path, reserve=100_000)  # what is there already needs no more room
    with pytest.raises(DataError, match="Choose a folder on another disk"):
        require_space(tmp_path / "not/there/yet", 150_001, "it")


def test_missing_files_and_servers(server, tmp_path):
    with pytest.raises(DataError, match="the server says 404"):
        fetch_files([RemoteFile(f"{server.url}/gone.bin", "gone.bin")], tmp_path)
    with pytest.raises(DataError, match="broken off 2 times"):
        fetch_files([RemoteFile("http://127.0.0.1:1/a.bin", "a.bin")], tmp_path, tries=2, wait=0.01)
    with pytest.raises(DataError, match="cannot be reached"):
        with_size(RemoteFile("http://127.0.0.1:1/a.bin", "a.bin"))


def test_the_list_of_a_zenodo_record(server):
    row = {"key": "b.zip", "size": 5, "checksum": "md5:abc", "links": {"self": "http://x/b.zip"}}
    server.files["/api/7"] = json.dumps({"files": [row, {**row, "key": "a.z01"}]}).encode()
    files = zenodo_files(7, f"{server.url}/api")
    assert files == [RemoteFile("http://x/b.zip", "a.z01", 5, "abc"), RemoteFile("http://x/b.zip", "b.zip", 5, "abc")]
    server.files["/api/8"] = b"{}"
    for record in (8, 9):
        with pytest.raises(DataError, match="list of files cannot be read"):
            zenodo_files(record, f"{server.url}/api")
