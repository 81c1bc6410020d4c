"""What is written: the same samples, the same bytes."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from s5lib.audio import AudioWriter, can_encode, encode_audio, open_audio, read_audio, write_audio
from s5lib.audio.writing import FORMATS
from s5lib.errors import DataError

SOUND = np.random.default_rng(0).uniform(-0.9, 0.9, (3, 1000)).astype(np.float32)


@pytest.mark.parametrize(("format", "tolerance"), [("float", 0), ("pcm24", 3e-7), ("pcm16", 1e-4), ("flac", 3e-7)])
def test_written_and_read(tmp_path, format, tolerance):
    path = tmp_path / "new" / f"a.{FORMATS[format][0]}"
    write_audio(path, SOUND, 16000, format)
    samples, rate = read_audio(path)
    assert rate == 16000
    np.testing.assert_allclose(samples, SOUND, atol=tolerance)
    assert path.read_bytes() == encode_audio(SOUND, 16000, format)
    assert os.listdir(path.parent) == [path.name]


def test_floats_are_those_of_scipy():
    """Files written by earlier versions, which let scipy write, are the same to the byte."""
    expected = io.BytesIO()
    wavfile.write(expected, 32000, SOUND.T)
    assert encode_audio(SOUND, 32000) == expected.getvalue()


def test_piece_by_piece(tmp_path):
    for format in ("float", "pcm24", "flac"):
        with AudioWriter(tmp_path / format, 16000, 3, 1000, format) as writer:
            for start in range(0, 1000, 300):
                writer.write(SOUND[:, start : start + 300])
        assert (tmp_path / format).read_bytes() == encode_audio(SOUND, 16000, format)
    with pytest.raises(ValueError, match="1 samples"), AudioWriter(tmp_path / "a", 16000, 3, 1001, "float") as writer:
        writer.write(SOUND)


@pytest.mark.parametrize("format", ["float", "pcm24"])
def test_beyond_4_gib(tmp_path, format):
    """The file is sparse, and takes no room."""
    frames, path = (1 << 30) + 5, tmp_path / "a.wav"
    with pytest.raises(ValueError, match="announced"), AudioWriter(path, 16000, 2, frames, format) as writer:
        writer.write(np.ones((2, 3)))
    assert path.read_bytes()[:16] == b"RF64\xff\xff\xff\xffWAVEds64"
    if format != "float":
        return
    assert struct.unpack("<Q", path.read_bytes()[28:36]) == (frames * 8,)
    with open(path, "r+b") as file:
        header = file.seek(0, 2) - 24
        file.truncate(header + frames * 8)
    for info in (soundfile.info(path), open_audio(path).info):
        assert info.frames == frames and info.channels == 2
    with open_audio(path) as audio:
        np.testing.assert_array_equal(audio.read(0, 4)[:, 2:], [[1, 0], [1, 0]])
        assert not audio.read(frames - 3).any()


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_audio(tmp_path / "file" / "a.wav", SOUND, 16000)
    assert can_encode("flac", 12345) and not can_encode("mp3", 12345)
