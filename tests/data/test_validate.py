import shutil
import sys

import numpy as np
import pytest
from small_corpus import write_wav

from s5lib.bin.main import main
from s5lib.data import DataDirectory, Recording
from s5lib.data.validate import fix_data_directory, validate_data_directory
from s5lib.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Three sound recordings with one target each."""
    recordings = []
    for name in ("a", "b", "c"):
        write_wav(tmp_path / f"audio/{name}.wav", 0.1 * np.ones((800, 4)))
        write_wav(tmp_path / f"audio/{name}_0.wav", 0.1 * np.ones(800))
        paths = [str(tmp_path / f"audio/{file}.wav") for file in (name, f"{name}_0")]
        recordings.append(Recording(name, paths[0], ("Dog",), (paths[1],), 800))
    return DataDirectory.write(tmp_path / "data", recordings).path


def messages(folder, **options):
    return [finding.message for finding in validate_data_directory(folder, **options)]


def test_all_is_well(folder, capsys):
    assert messages(folder, classes=["Dog"]) == []
    assert main(["validate", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: all is well\n"
    assert fix_data_directory(folder) == []
    assert not (folder / ".backup").exists()


def test_what_is_found_in_recordings(folder, capsys):
    audio = folder.parent / "audio"
    (audio / "a.wav").write_bytes((audio / "a.wav").read_bytes()[:-10])
    write_wav(audio / "b.wav", 0.1 * np.ones((801, 4)))
    (audio / "c_0.wav").unlink()
    found = messages(folder)
    assert len(found) == 3
    assert "a.wav: truncated" in found[0]
    assert "utt2num_samples says 800 samples" in found[1] and "b.wav has 801" in found[1]
    assert "c_0.wav: no such recording" in found[2]
    assert main(["validate", str(folder)]) == 1
    assert capsys.readouterr().out.count("\n") == 3


def test_wrong_rate_channels_length_and_values(folder):
    audio = folder.parent / "audio"
    write_wav(audio / "b.wav", 0.1 * np.ones((800, 4)), rate=16000)
    assert "b_0.wav: 800 samples, 8000 Hz, 1 channels; expected 800, 16000, 1" in messages(folder)[0]
    write_wav(audio / "b_0.wav", 0.1 * np.ones(800), rate=16000)
    assert "16000 Hz, 4 channels; 'a' has 8000 Hz" in messages(folder)[0]
    write_wav(audio / "b.wav", 0.1 * np.ones((800, 2)))
    write_wav(audio / "b_0.wav", 0.1 * np.ones(800))
    assert "8000 Hz, 2 channels; 'a' has 8000 Hz, 4 channels" in messages(folder)[0]
    write_wav(audio / "b.wav", np.full((800, 4), np.nan))
    assert "sample 0 is not a finite number" in messages(folder)[0]
    assert messages(folder, decode=False) == []


def test_unknown_label(folder):
    assert "ID 'a': unknown label 'Dog'" in messages(folder, classes=["Cat"])[0]


def test_fix(folder, capsys):
    audio = folder.parent / "audio"
    wav = (folder / "wav.scp").read_text().splitlines()
    (folder / "wav.scp").write_text("\n".join([wav[2], wav[0], wav[0], wav[1], "d", "e /gone.wav"]) + "\n")
    (folder / "utt2num_samples").write_text("a 5\n")
    write_wav(audio / "b.wav", np.full((800, 4), np.inf))
    assert main(["validate", str(folder)]) == 1
    assert "wav.scp:2: ID 'a' stands after 'c'" in capsys.readouterr().err
    assert main(["validate", str(folder), "--fix"]) == 0
    printed = capsys.readouterr().out
    for part in (
        "wav.scp: sorted",
        "wav.scp:3: dropped: ID 'a' a second time",
        "wav.scp:5: dropped: nothing after ID 'd'",
        "dropped 'e': not in labels",
        "dropped 'b'",
        "utt2num_samples: written",
    ):
        assert part in printed
    assert [recording.id for recording in DataDirectory.read(folder)] == ["a", "c"]
    assert messages(folder) == []
    assert (folder / ".backup/utt2num_samples").read_text() == "a 5\n"


def test_what_is_not_mended(folder):
    wav = (folder / "wav.scp").read_text()
    (folder / "wav.scp").write_text(wav + "a /other.wav\n")
    with pytest.raises(DataError, match="wav.scp:4: ID 'a' with another value than before"):
        fix_data_directory(folder)
    (folder / "wav.scp").write_text("a /gone.wav\nb /gone.wav\nc /gone.wav\n")
    with pytest.raises(DataError, match="no usable recording would be left; nothing was changed"):
        fix_data_directory(folder)
    assert (folder / "wav.scp").read_text().startswith("a /gone.wav")
    (folder / "wav.scp").unlink()
    with pytest.raises(DataError, match="no wav.scp"):
        fix_data_directory(folder)


def test_fix_drops_nothing_for_lack_of_the_file_labels(folder):
    (folder / "labels").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=r"src1.scp is there without 'labels'; nothing was changed. Restore 'labels'"):
        fix_data_directory(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_command_with_the_labels_of_a_corpus(folder, small_corpus, capsys):
    assert main(["validate", str(folder), "--data_root", str(small_corpus), "--headers_only"]) == 0
    (folder / "labels").write_text("a Dog\nb Dog\nc Cat\n")
    assert main(["validate", str(folder), "--data_root", str(small_corpus)]) == 1
    assert "unknown label 'Cat'" in capsys.readouterr().out


def test_fix_drops_no_valid_entry(folder, monkeypatch):
    """A byte order mark, DOS line ends, odd characters in paths, paths relative to the directory."""
    odd = folder / "line\u0085end\u2028.wav"
    shutil.copy(folder.parent / "audio/a.wav", odd)
    lines = (folder / "wav.scp").read_text().splitlines()
    text = f"\ufeff{lines[0]}\r\n{lines[1]}\r\nc {odd.name}\r\n\r\n"
    (folder / "wav.scp").write_bytes(text.encode())
    fix_data_directory(folder)
    assert [recording.id for recording in DataDirectory.read(folder)] == ["a", "b", "c"]
    assert (folder / "wav.scp").read_text().endswith(f"c {odd.name}\n")  # as the user wrote it
    assert messages(folder) == []


def test_a_second_fix_keeps_the_first_backup(folder):
    for number in (1, 2, 3):
        (folder / "utt2num_samples").write_text(f"a {number}\nb 800\nc 800\n")
        assert fix_data_directory(folder)
    kept = [(folder / name / "utt2num_samples").read_text()[2] for name in (".backup", ".backup.2", ".backup.3")]
    assert kept == ["1", "2", "3"]


def test_what_cannot_be_judged_here_is_not_dropped(folder, monkeypatch):
    """Without ffmpeg or kaldiio a recording may be all right."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder.parent / "audio/b.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "kaldiio", None)
    for entry in ("audio/b.m4a", "audio/b.ark:5"):
        (folder / "wav.scp").write_bytes(before["wav.scp"].replace(b"audio/b.wav", entry.encode()))
        with pytest.raises(DataError, match="nothing was changed, because 'b' may be intact"):
            fix_data_directory(folder)
    assert not (folder / ".backup").exists()


def test_long_recordings_are_decoded_in_blocks(folder, monkeypatch):
    monkeypatch.setattr("s5lib.data.validate._BLOCK", 100)
    write_wav(folder.parent / "audio/b.wav", np.pad(np.full((1, 4), np.nan), ((777, 22), (0, 0))))
    assert "sample 777 is not a finite number" in messages(folder)[0]


def test_archives(tmp_path):
    kaldiio = pytest.importorskip("kaldiio")
    sound = np.random.default_rng(0).integers(-3000, 3000, (800, 2), np.int16)
    kaldiio.save_ark(str(tmp_path / "wav.ark"), {"a": (8000, sound)}, scp=str(tmp_path / "wav.scp"))
    assert messages(tmp_path) == []
    assert validate_data_directory(tmp_path, decode=False) == []
