import random
import shutil
import struct
import subprocess
import zipfile

import pytest

from s5lib.corpora.split_archive import open_split_archive
from s5lib.errors import DataError


@pytest.fixture
def contents():
    generator = random.Random(0)
    return {f"folder/{index:02d}.bin": generator.randbytes(generator.randrange(30_000)) for index in range(30)}


def by_hand(folder, contents, piece):
    """Split a zip file as zip does: a marker first, places counted per piece.  Also with 64-bit fields for some."""
    whole = folder / "whole.zip"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    data = bytearray(b"PK\x07\x08" + whole.read_bytes())
    whole.unlink()
    end = data.rfind(b"PK\x05\x06")
    count, size, offset = struct.unpack_from("<HII", data, end + 10)
    place = offset + 4
    for _ in range(count):
        name, extra, comment = struct.unpack_from("<3H", data, place + 28)
        begin = struct.unpack_from("<I", data, place + 42)[0] + 4
        struct.pack_into("<H", data, place + 34, begin // piece)
        struct.pack_into("<I", data, place + 42, begin % piece)
        place += 46 + name + extra + comment
    last = (len(data) - 1) // piece
    begin = offset + 4
    struct.pack_into("<4H2I", data, end + 4, last, begin // piece, count, count, size, begin % piece)
    for number in range(last + 1):
        suffix = "zip" if number == last else f"z{number + 1:02d}"
        (folder / f"set.{suffix}").write_bytes(data[number * piece : (number + 1) * piece])
    return folder / "set.zip"


@pytest.mark.parametrize("piece", [50_000, 70_001, 10**9])
def test_read_where_it_lies(tmp_path, contents, piece):
    with open_split_archive(by_hand(tmp_path, contents, piece)) as archive:
        assert archive.namelist() == list(contents)
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in reversed(contents)} == contents


@pytest.mark.skipif(shutil.which("zip") is None, reason="the zip command is not installed")
def test_written_by_the_zip_command(tmp_path, contents):
    for name, data in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    subprocess.run(["zip", "-q", "-r", "-s", "64k", "[set].zip", "folder"], cwd=tmp_path, check=True)
    assert (tmp_path / "[set].z03").exists()
    with open_split_archive(tmp_path / "[set].zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"} == contents


def test_64_bit_fields(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(b"hello")
    assert open_split_archive(tmp_path / "set.zip").read("a") == b"hello"


def test_missing_and_damaged_pieces(tmp_path, contents):
    last = by_hand(tmp_path, contents, 50_000)
    pieces = sorted(tmp_path.glob("set.z[0-9]*"))
    pieces[1].rename(tmp_path / "kept")
    with pytest.raises(DataError, match="found pieces number \\[1, 3.*some are missing"):
        open_split_archive(last)
    (tmp_path / "kept").rename(pieces[1])
    pieces[-1].rename(tmp_path / "kept")
    with pytest.raises(DataError, match=f"split into {len(pieces) + 1} pieces, {len(pieces)} are here"):
        open_split_archive(last)
    last.write_bytes(b"nonsense" * 100)
    with pytest.raises(DataError, match="not an archive"):
        open_split_archive(last)
    last.unlink()
    with pytest.raises(DataError, match="no such file"):
        open_split_archive(last)
