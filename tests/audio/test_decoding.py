import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import soundfile
from small_corpus import write_wav

from s5lib.audio.decoding import AudioStore, decoded_file, probe, read_audio
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
    with pytest.raises(DataError, match="cut.wav: truncated, 1000 bytes fewer"):
        read_audio(tmp_path / "cut.wav")
    (tmp_path / "nothing.wav").write_bytes(b"")
    with pytest.raises(DataError, match="nothing.wav: not a recording"):
        probe(tmp_path / "nothing.wav")
    write_wav(tmp_path / "empty.wav", np.zeros(0))
    with pytest.raises(DataError, match="empty.wav: holds no samples"):
        probe(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("this is no audio at all")
    with pytest.raises(DataError, match="text.wav: not a recording that soundfile can read"):
        probe(tmp_path / "text.wav")
    write_wav(tmp_path / "inf.wav", np.array([0.0, 0.0, np.inf, 0.0]))
    with pytest.raises(DataError, match="sample 2 is not a finite number"):
        read_audio(tmp_path / "inf.wav")
    with pytest.raises(DataError, match="ends after 8000 samples; sample 8000"):
        read_audio(clip, start=8000)


def test_store_resamples_and_remembers(tmp_path):
    time = np.arange(16000) / 16000
    write_wav(tmp_path / "a.wav", np.sin(2 * np.pi * 440 * time), rate=16000)
    store = AudioStore(8000, 10**6)
    first = store(tmp_path / "a.wav")
    assert store(tmp_path / "a.wav") is first
    expected = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    np.testing.assert_allclose(first[0, 100:-100], expected[100:-100], atol=2e-3)
    assert store.segment(tmp_path / "a.wav", 7000, 5000).shape == (1, 1000)
    with pytest.raises(DataError, match="ends after 8000 samples; sample 8000"):
        store.segment(tmp_path / "a.wav", 8000, 1)


def test_long_recordings_are_read_in_parts(clip):
    store = AudioStore(8000, memory_limit=100_000)  # the clip takes 32 000 bytes
    part = store.segment(clip, 100, 50)
    np.testing.assert_array_equal(part, read_audio(clip)[0][:, 100:150])
    assert store.cache.nbytes == 0


def test_memory_mapped_store_sees_a_changed_file(tmp_path, clip):
    folder = tmp_path / "cache"
    store = AudioStore(8000, 10**6, folder)
    first = store(clip)
    assert isinstance(first, np.memmap) and not first.flags.writeable
    np.testing.assert_array_equal(AudioStore(8000, 10**6, folder)(clip), first)
    assert len(list(folder.iterdir())) == 1
    write_wav(clip, np.ones(4000))
    os.utime(clip, ns=(1, 1))
    assert AudioStore(8000, 10**6, folder)(clip).shape == (1, 4000)


def _decode(arguments):
    path, folder = arguments
    return float(decoded_file(path, folder, "test", lambda: read_audio(path)[0]).array.sum())


def test_processes_may_build_the_folder_at_once(tmp_path, clip):
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        sums = list(pool.map(_decode, [(clip, tmp_path / "cache")] * 16))
    assert set(sums) == {float(read_audio(clip)[0].sum())}
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npy"]
