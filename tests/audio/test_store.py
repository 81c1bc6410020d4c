import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from small_corpus import write_wav

from s5lib.audio import AudioStore, read_audio
from s5lib.audio.store import decoded_file
from s5lib.errors import DataError


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    write_wav(path, np.linspace(-1, 1, 8000))
    return path


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
