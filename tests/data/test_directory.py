import pytest

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
    assert len(directory) == 3 and directory.has_sources
    assert list(directory) == [
        Recording("a", "/audio/a b.wav", (), (), 10),
        Recording("b", "/audio/b.wav", ("Dog",), ("/audio/b0.wav",), 20),
        Recording("c", "/audio/c.ark:17", ("Dog", "Dog"), ("/audio/c0.wav", "/audio/c1.wav"), 30),
    ]


def test_only_the_mixtures_are_needed(folder):
    for name in ("labels", "src1.scp", "src2.scp", "src3.scp", "utt2num_samples"):
        (folder / name).unlink()
    directory = DataDirectory.read(folder)
    assert not directory.has_sources
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
        ("wav.scp", "a x\na x\nb y\nc z\n", "wav.scp:2: ID 'a' stands here a second time"),
        ("wav.scp", "a x\nb\nc z\n", "wav.scp:2: nothing after ID 'b'"),
        ("wav.scp", "a x\n\nb y\nc z\n", "wav.scp:2: an empty line"),
        ("wav.scp", "", "wav.scp: empty"),
        ("labels", "a\nb Dog\n", "labels: ID 'c' of wav.scp is missing"),
        ("labels", "a\nb Dog\nc Dog Dog\nd Dog\n", "labels: ID 'd' is not in wav.scp"),
        ("src1.scp", "b x\n", "src1.scp: ID 'c' has 2 labels, but no reference number 1"),
        ("src2.scp", "b x\nc y\n", "src2.scp: ID 'b' has 1 labels, but a reference number 2"),
        ("src2.scp", None, "src2.scp: ID 'c' has 2 labels, but no reference number 2"),
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
        ([Recording("a b", "x")], "ID 'a b' is empty or has white space"),
        ([Recording("a", "x", ("Dog bark",))], "label 'Dog bark' is empty or has white space"),
        ([Recording("a", "x", ("Dog",), ("y", "z"))], "1 labels, but 2 references"),
    ],
)
def test_what_cannot_be_written(tmp_path, recordings, message):
    with pytest.raises(DataError, match=message):
        DataDirectory.write(tmp_path, recordings)
    assert not list(tmp_path.iterdir())
