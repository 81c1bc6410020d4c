import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.data import DataDirectory, Recording
from s5lib.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Three recordings of no, one and two targets."""
    (tmp_path / "wav.scp").write_text("a /audio/a b.wav\nb /audio/b.wav\nc /audio/c.ark:17\n")
    (tmp_path / "labels").write_text("a\nb Dog\nc Dog Dog\n")
    (tmp_path / "src1.scp").write_text("b /audio/b0.wav\nc /audio/c0.wav\n")
    (tmp_path / "src2.scp").write_text("c /audio/c1.wav\n")
    (tmp_path / "src3.scp").write_text("")
    (tmp_path / "utt2num_samples").write_text("a 10\nb 20\nc 30\n")
    return tmp_path


def test_read(folder):
    directory = DataDirectory.read(folder)
    assert len(directory) == 3
    assert list(directory) == [
        Recording("a", "/audio/a b.wav", (), (), 10),
        Recording("b", "/audio/b.wav", ("Dog",), ("/audio/b0.wav",), 20),
        Recording("c", "/audio/c.ark:17", ("Dog", "Dog"), ("/audio/c0.wav", "/audio/c1.wav"), 30),
    ]


def test_only_the_mixtures_are_needed(folder):
    for name in ("labels", "src1.scp", "src2.scp", "src3.scp", "utt2num_samples"):
        (folder / name).unlink()
    directory = DataDirectory.read(folder)
    assert directory.recordings[1] == Recording("b", "/audio/b.wav")


def test_written_and_read_again(folder, tmp_path):
    directory = DataDirectory.read(folder)
    copy = DataDirectory.write(tmp_path / "copy", reversed(directory.recordings))
    assert copy.recordings == directory.recordings
    for path in folder.glob("*.scp"):
        assert (copy.path / path.name).read_bytes() == path.read_bytes()
    assert not [path for path in copy.path.iterdir() if path.name.startswith(".")]


def test_writing_again_leaves_nothing_of_the_earlier_set(folder):
    DataDirectory.write(folder, [Recording("x", "/audio/x.wav")])
    assert [path.name for path in folder.iterdir()] == ["wav.scp"]


def test_sorted_as_by_lc_all_c(tmp_path):
    names = ["b", "B", "a_10", "a_1", "é", "a-1", "Z"]
    DataDirectory.write(tmp_path, [Recording(name, f"/{name}.wav", ()) for name in names])
    lines = (tmp_path / "labels").read_bytes().split()
    assert lines == sorted(lines) and lines[0] == b"B"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("wav.scp", "a x\nc z\nb y\n", "wav.scp:3: ID 'b' stands after 'c'; lines must be sorted in C order"),
        ("wav.scp", "a x\na x\nb y\nc z\n", "wav.scp:2: ID 'a' a second time"),
        ("wav.scp", "a x\nb\nc z\n", "wav.scp:2: nothing after ID 'b'"),
        ("wav.scp", "a x\n\nb y\nc z\n", "wav.scp:2: an empty line"),
        ("wav.scp", "", "wav.scp: empty"),
        ("labels", "a\nb Dog\n", "labels: ID 'c' of wav.scp is missing"),
        ("labels", "a\nb Dog\nc Dog Dog\nd Dog\n", "labels: ID 'd' is not in wav.scp"),
        ("src1.scp", "b x\n", "src1.scp: ID 'c' has 2 labels, but no reference number 1"),
        ("src2.scp", "b x\nc y\n", "src2.scp: ID 'b' has 1 labels, but a reference number 2"),
        ("src2.scp", None, "src3.scp without src2.scp"),
        ("src3.scp", "d x\n", "src3.scp: ID 'd' is not in wav.scp, but a reference number 3"),
        ("labels", None, "src1.scp without a file 'labels'"),
        ("utt2num_samples", "a 10\nb -5\nc 30\n", "ID 'b': '-5' is not a number of samples"),
        ("wav.scp", None, "not a data directory, it has no wav.scp"),
    ],
)
def test_bad_tables(folder, name, text, message):
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        DataDirectory.read(folder)


def test_no_such_folder_and_not_text(folder, tmp_path):
    with pytest.raises(DataError, match="not a data directory, no such folder"):
        DataDirectory.read(tmp_path / "nowhere")
    (folder / "labels").write_bytes(b"a \xff\xfe\n")
    with pytest.raises(DataError, match="cannot be read as UTF-8"):
        DataDirectory.read(folder)


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ([], "no recordings to write"),
        ([Recording("a", "x"), Recording("a", "y")], "ID 'a' twice"),
        ([Recording("a b", "x")], "ID 'a b' .*is empty or has white space"),
        ([Recording("a", "x", ("Dog bark",))], "label 'Dog bark' .*is empty or has white space"),
        ([Recording("a", "x", ("Dog",), ("y", "z"))], "1 labels, but 2 references"),
    ],
)
def test_what_cannot_be_written(tmp_path, recordings, message):
    with pytest.raises(DataError, match=message):
        DataDirectory.write(tmp_path, recordings)
    assert not list(tmp_path.iterdir())


NAME = st.text(min_size=1, max_size=12)
PATH_BYTES = (
    st.binary(min_size=1, max_size=20)
    .map(lambda b: os.fsdecode(b"/" + b))
    .filter(lambda path: not set(path) & set("\0\n\r") and path == path.strip(" \t") and not path.endswith("|"))
)


@given(st.dictionaries(NAME, PATH_BYTES, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_name_comes_back_or_is_refused(tmp_path_factory, table):
    """IDs and paths with U+0085, line separators, bytes that are not UTF-8: whole, or an error; never another one."""
    folder = tmp_path_factory.mktemp("any")
    recordings = [Recording(key, os.path.normpath(value)) for key, value in table.items()]
    try:
        found = DataDirectory.write(folder, recordings)
    except DataError:
        assert any(set(key) & set(" \t\n\r\0\ufeff") for key in table)
    else:
        assert {r.id: r.mixture for r in found} == {r.id: r.mixture for r in recordings}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("gap", [" ", "\t", " \t "])
def test_windows_and_tabs(tmp_path, end, mark, gap):
    text = mark + end.join([f"a{gap}/x\u0085y\u2028z.wav", f"b{gap}/tab\tin it.wav", f"c{gap}/c.wav"])
    for tail in ("", end):
        (tmp_path / "wav.scp").write_bytes((text + tail).encode())
        (tmp_path / "labels").write_bytes(
            end.join([mark + "a", f"b{gap}Dog", f"c{gap}Dog{gap}Cat\u00a0Kit" + tail]).encode()
        )
        found = DataDirectory.read(tmp_path).recordings
        assert [recording.mixture for recording in found] == ["/x\u0085y\u2028z.wav", "/tab\tin it.wav", "/c.wav"]
        assert [recording.labels for recording in found] == [(), ("Dog",), ("Dog", "Cat\u00a0Kit")]


def test_not_a_text(tmp_path):
    for content in ("a /x.wav\n".encode("utf-16"), b"a /x\0.wav\n"):
        (tmp_path / "wav.scp").write_bytes(content)
        with pytest.raises(DataError, match="wav.scp: cannot be read as UTF-8 text"):
            DataDirectory.read(tmp_path)


def test_what_is_no_file_is_not_waited_for(folder):
    (folder / "labels").unlink()
    os.mkfifo(folder / "labels")
    with pytest.raises(DataError, match="labels: not a regular file"):
        DataDirectory.read(folder)


def test_segments_are_refused(folder):
    (folder / "segments").write_text("a a 0 1\n")
    with pytest.raises(DataError, match="segments: .* not supported"):
        DataDirectory.read(folder)


@pytest.mark.parametrize("number", [5, 3_000_000_000, 10**200])
def test_absurd_numbers_of_references(folder, number):
    (folder / f"src{number}.scp").write_text("")
    with pytest.raises(DataError, match=f"src{number}.scp without src4.scp"):
        DataDirectory.read(folder)


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 30, "0", "-3", "1.5", "\u0663"])
def test_absurd_lengths(folder, text):
    (folder / "utt2num_samples").write_text(f"a {text}\nb 20\nc 30\n")
    with pytest.raises(DataError, match="not a number of samples"):
        DataDirectory.read(folder)


def test_a_moved_repository_keeps_working(tmp_path, monkeypatch):
    old, outside = tmp_path / "old/egs", tmp_path / "corpus/a.wav"
    for path in (old / "dump/a.wav", old / "dump/0.wav", outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(old)
    recordings = [
        Recording("a", str(old / "dump/a.wav"), ("Dog",), ("dump/0.wav",)),
        Recording("b", str(outside), ()),
        Recording("c", f"{old}/dump/wav.ark:17", ()),
    ]
    DataDirectory.write("data/test", recordings)
    assert "old" not in (old / "data/test/wav.scp").read_text()
    (old / "dump/wav.ark").touch()
    new = tmp_path / "new"
    (tmp_path / "old").rename(new)
    for here in (new / "egs", tmp_path):
        monkeypatch.chdir(here)
        for given_path in (new / "egs/data/test", os.path.relpath(new / "egs/data/test")):
            a, b, c = DataDirectory.read(given_path)
            assert (a.mixture, a.sources) == (str(new / "egs/dump/a.wav"), (str(new / "egs/dump/0.wav"),))
            assert b.mixture == str(outside) and c.mixture == f"{new}/egs/dump/wav.ark:17"


def test_relative_paths_as_in_espnet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("data/test/wav.scp", "dump/a.wav", "data/test/dump/b.wav", "dump/c.wav", "data/test/dump/c.wav"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "data/test/wav.scp").write_text("a dump/a.wav\nb dump/b.wav\n")
    a, b = DataDirectory.read("data/test")
    assert a.mixture == "dump/a.wav" and b.mixture == str(tmp_path / "data/test/dump/b.wav")
    (tmp_path / "data/test/wav.scp").write_text("c dump/c.wav\n")
    with pytest.raises(DataError, match="Write an absolute path"):
        DataDirectory.read("data/test")
