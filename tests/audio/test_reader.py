import os

import numpy as np
import pytest
import soundfile
from small_corpus import write_wav

from s5lib.audio import open_audio, probe, read_audio
from s5lib.errors import DataError


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    write_wav(path, np.linspace(-1, 1, 8000))
    return path


def test_probe_and_read(clip):
    info = probe(clip)
    assert (info.frames, info.sample_rate, info.channels, info.duration) == (8000, 8000, 1, 1.0)
    samples, rate = read_audio(clip, start=10, frames=20)
    assert samples.shape == (1, 20) and samples.dtype == np.float32 and rate == 8000
    np.testing.assert_allclose(samples[0], np.linspace(-1, 1, 8000)[10:30], atol=1e-6)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_kinds_of_files(tmp_path, suffix):
    sound = 0.5 * np.sin(np.arange(8000) / 10)
    soundfile.write(tmp_path / f"a.{suffix}", np.stack([sound, -sound], 1), 8000)
    samples, _ = read_audio(tmp_path / f"a.{suffix}")
    assert samples.shape == (2, 8000)
    np.testing.assert_allclose(samples[1], -sound, atol=0.05)


def test_bad_files(tmp_path, clip):
    with pytest.raises(DataError, match="gone.wav: no such recording"):
        probe(tmp_path / "gone.wav")
    (tmp_path / "cut.wav").write_bytes(clip.read_bytes()[:-1000])
    with pytest.raises(DataError, match="cut.wav: truncated: 1000 of"):
        read_audio(tmp_path / "cut.wav")
    (tmp_path / "nothing.wav").write_bytes(b"")
    with pytest.raises(DataError, match="nothing.wav: holds no samples"):
        probe(tmp_path / "nothing.wav")
    write_wav(tmp_path / "empty.wav", np.zeros(0))
    with pytest.raises(DataError, match="empty.wav: holds no samples"):
        probe(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("this is no audio at all")
    with pytest.raises(DataError, match="text.wav: not a recording"):
        probe(tmp_path / "text.wav")
    write_wav(tmp_path / "inf.wav", np.array([0.0, 0.0, np.inf, 0.0]))
    with pytest.raises(DataError, match="sample 2 is not a finite number"):
        read_audio(tmp_path / "inf.wav")
    with pytest.raises(DataError, match="ends after 8000 samples; sample 8000"):
        read_audio(clip, start=8000)


def test_what_is_no_file_is_not_opened(tmp_path, clip):
    os.mkfifo(tmp_path / "a.wav")
    (tmp_path / "b.wav").mkdir()
    (tmp_path / "c.wav").symlink_to("/dev/zero")
    for name in ("a.wav", "b.wav", "c.wav"):
        with pytest.raises(DataError, match=f"{name}: .*expected a recording"):
            probe(tmp_path / name)
    with pytest.raises(DataError, match="no such recording"):
        probe("a\0b.wav")
    (tmp_path / "d.wav").symlink_to(clip)
    assert probe(tmp_path / "d.wav").frames == 8000


@pytest.mark.parametrize(
    "name", ["\udcff\udcfe.wav", "u\u0308.wav", "\u0085.wav", "x" * 251 + ".wav", "-x.wav", "a|b.wav"]
)
def test_names(tmp_path, clip, name):
    clip.rename(tmp_path / name)
    assert read_audio(tmp_path / name)[0].shape == (1, 8000)


def test_more_than_memory_holds(tmp_path):
    """A sparse file of 1 TiB: its length is known, parts can be read, the whole is refused before memory is used."""
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros(10))
    size = 1 << 40
    header = b"RF64\xff\xff\xff\xffWAVEds64" + (28).to_bytes(4, "little") + (size + 100).to_bytes(8, "little")
    header += size.to_bytes(8, "little") + bytes(12) + path.read_bytes()[12:-44] + b"\xff\xff\xff\xff"
    path.write_bytes(header)
    os.truncate(path, len(header) + size)
    assert probe(path).frames == size // 4
    with pytest.raises(DataError, match="memory"):
        read_audio(path)
    assert not read_audio(path, size // 4 - 10)[0].any()


@pytest.mark.parametrize("entry", [None, 3, b"a.wav", ["a.wav"]])
def test_what_is_no_path(entry):
    with pytest.raises(DataError, match="expected its path"):
        open_audio(entry)


@pytest.mark.parametrize("rate", [0, True, "8000", 1.5, float("nan"), 10**400])
def test_a_rate_to_read_at_that_is_none(tmp_path, rate):
    """0 was no rate, and True was 1 Hz."""
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 4)), 8000)
    with pytest.raises(DataError, match="sampling rate"):
        open_audio(tmp_path / "a.wav", sample_rate=rate)
