"""Servers and archives that mean no good: nothing leaves its folder or fills the disk; damage is fetched again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from local_server import local_server
from test_split_archive import by_hand

from s5lib.corpora import dcase26
from s5lib.corpora.dcase26 import Servers, fetch_set, fetch_sources
from s5lib.corpora.download import RemoteFile, fetch_files, zenodo_files
from s5lib.corpora.split_archive import open_split_archive
from s5lib.errors import DataError
from s5lib.untrusted.archives import check_members, reported

GOOD = {"key": "a.zip", "size": 3, "checksum": "md5:0", "links": {"self": "https://zenodo.org/a.zip"}}


@pytest.fixture
def server():
    with local_server() as state:
        yield state


def record(server, *rows):
    server.files["/api/7"] = json.dumps({"files": rows}).encode()
    return zenodo_files(7, f"{server.url}/api")


@pytest.mark.parametrize("key", ["../x", "/x", "a/b", "..", "", "a\0b", "x\x1b[2J", "x" * 300, 5, None, ["a"]])
def test_keys_of_a_record(server, key):
    with pytest.raises(DataError):
        record(server, {**GOOD, "key": key})


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://x/a", "/etc/passwd", "data:,x", "jar:http://x", "", 3])
def test_links_of_a_record(server, tmp_path, link):
    with pytest.raises(DataError):
        fetch_files(record(server, {**GOOD, "links": {"self": link}}), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"[" * 10**5, b"\xff", b"{}", b"[]", b'{"files": 3}', b'{"files": [3]}', b'{"files": [{}]}', b""]
)
def test_damaged_records(server, content):
    server.files["/api/7"] = content
    with pytest.raises(DataError, match=f"{server.url}/api/7"):
        zenodo_files(7, f"{server.url}/api")


@pytest.mark.parametrize("size", [-1, 1.5, "3", 10**30, True, None])
def test_sizes_of_a_record(server, size):
    with pytest.raises(DataError):
        record(server, {**GOOD, "size": size})


@contextlib.contextmanager
def endless(headers):
    """A server whose answers have no end; gives its address and a list with the bytes it has sent."""
    sent = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                while sent[0] < 400 << 20:
                    sent[0] += self.wfile.write(b" " * (1 << 20)) or 1 << 20

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}", sent
    finally:
        http.shutdown()
        http.server_close()


@pytest.mark.parametrize("headers", [{}, {"Content-Length": str(1 << 40)}, {"Content-Length": "many"}])
def test_a_server_that_does_not_stop(tmp_path, headers):
    start = time.monotonic()
    with endless(headers) as (url, sent):
        with pytest.raises(DataError, match="does not end"):
            zenodo_files(7, url)
        assert sent[0] < 64 << 20
        sent[0] = 0
        with pytest.raises(DataError, match="more than the 129 bytes"):
            fetch_files([RemoteFile(f"{url}/a.bin", "a.bin", 129)], tmp_path)
        assert sent[0] < 64 << 20
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 129 and time.monotonic() - start < 20


def zipped(contents, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def fetched_set(server, tmp_path, content):
    server.files["/set.zip"] = content
    row = {
        **GOOD,
        "key": "set.zip",
        "size": len(content),
        "checksum": "sha256:0",
        "links": {"self": f"{server.url}/set.zip"},
    }
    server.files["/api/19328046"] = json.dumps({"files": [row]}).encode()
    return fetch_set("dev_set", tmp_path / "root", tmp_path / "downloads", Servers(f"{server.url}/api"))


@pytest.mark.parametrize("name", ["../../../x", "/../x", "a/../../../x", "..\\..\\x", "x\x1b[2J", "/" + "x" * 300])
def test_no_member_of_a_zip_leaves_its_folder(server, tmp_path, name):
    with pytest.raises(DataError):
        fetched_set(server, tmp_path, zipped({"dev_set/a.wav": b"", f"dev_set/{name}": b"out"}))
    assert not [path for path in tmp_path.rglob("*x*") if path.is_file()]


def test_no_link_is_written_through(server, tmp_path):
    (tmp_path / "root/dev_set").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/dev_set/config").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="by a link"):
        fetched_set(server, tmp_path, zipped({"dev_set/config/a.json": b"out"}))
    assert not list((tmp_path / "outside").iterdir())


def test_a_zip_bomb_is_refused_before_it_is_unpacked(server, tmp_path):
    bomb = zipped({f"dev_set/{index}.wav": bytes(32 << 20) for index in range(40)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match="decompression bomb"):
        fetched_set(server, tmp_path, bomb)
    assert not list((tmp_path / "root").rglob("*.wav"))
    with pytest.raises(DataError, match="members"):
        check_members([zipfile.ZipInfo("a")] * (10**6 + 1), 10**9, "a.zip")


@pytest.fixture
def dev_set(tmp_path):
    (tmp_path / "dev_set/config").mkdir(parents=True)
    for name, rows in (("FSD50K", ["train/a.wav"]), ("EARS", ["p007/x.wav"])):
        rows = [{"file_name": row, "convert_path": row} for row in rows]
        (tmp_path / f"dev_set/config/{name}_config.json").write_text(json.dumps(rows))
    return tmp_path / "dev_set"


@pytest.mark.parametrize("damage", [b"PK\x05\x06", b"nonsense", b"", "cut", "flipped"])
def test_a_damaged_archive_of_ears_is_fetched_again(server, dev_set, tmp_path, damage):
    good = zipped({"p007/x.wav": os.urandom(1000)})
    cut, flipped = good[:500], good[:100] + bytes([good[100] ^ 1]) + good[101:]
    bad = {"cut": cut, "flipped": flipped}.get(damage, damage) if isinstance(damage, str) else damage
    zips = tmp_path / "downloads/EARS_zip"
    zips.mkdir(parents=True)
    (zips / "p007.zip").write_bytes(bad + bytes(max(0, len(good) - len(bad))))  # of the right size
    server.files["/p007.zip"] = good
    sources = fetch_sources(dev_set, tmp_path / "downloads", tmp_path, servers=Servers(ears=server.url))
    assert len((sources.ears / "p007/x.wav").read_bytes()) == 1000
    server.files["/p007.zip"] = bad
    (sources.ears / "p007/x.wav").unlink()
    (zips / "p007.zip").unlink()
    with pytest.raises(DataError, match=r"p007.zip: not an archive, or damaged"):
        fetch_sources(dev_set, tmp_path / "downloads", tmp_path, servers=Servers(ears=server.url))


def sparse_tar():
    """A member of 1 TB in 1.5 kB, as GNU tar writes holes."""
    head = bytearray(tarfile.TarInfo("FSD50K/train/a.wav").tobuf(tarfile.GNU_FORMAT))
    head[156:157] = b"S"
    head[386:398], head[398:410] = b"00000000000\0", b"00000000000\0"
    head[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + bytes(1024)


def linked_tar(kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("FSD50K/train/a.wav")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content", [sparse_tar(), *map(linked_tar, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))]
)
def test_tars_that_hold_other_than_files(server, dev_set, tmp_path, content):
    server.files["/set.tar"] = content
    with pytest.raises(DataError, match=r"sparse|neither"):
        fetch_sources(dev_set, tmp_path / "downloads", ears_path=tmp_path, servers=Servers("", f"{server.url}/set.tar"))
    found = [path for path in (tmp_path / "downloads").rglob("*") if path.name == "a.wav"]
    assert not found


def test_split_archives_of_any_bytes(tmp_path):
    contents = {f"f/{index}.bin": bytes([index]) * 100 * index for index in range(9)}
    last = by_hand(tmp_path, contents, 3000)
    whole, generator = last.read_bytes(), np.random.default_rng(0)
    values = np.array([0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    for _ in range(300):
        spoilt = bytearray(whole)
        for place in generator.integers(len(spoilt) - 4, size=generator.integers(1, 4)):
            spoilt[place : place + 4] = generator.choice(values).tobytes()
        last.write_bytes(spoilt[: generator.integers(len(spoilt))] if generator.random() < 0.2 else spoilt)
        with contextlib.suppress(DataError), reported(last), open_split_archive(last) as archive:
            for member in archive.infolist():
                archive.open(member).read(1 << 20)


def test_speakers_are_names(server, dev_set, tmp_path):
    (dev_set / "config/EARS_config.json").write_text(json.dumps([{"file_name": "a?b#c/x.wav", "convert_path": "x"}]))
    with pytest.raises(DataError, match=r"a%3Fb%23c\.zip"):
        fetch_sources(dev_set, tmp_path / "downloads", tmp_path, servers=Servers(ears=server.url))
    assert Path(dcase26.__file__).is_file()
