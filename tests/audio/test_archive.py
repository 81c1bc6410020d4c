import pickle

import numpy as np
import pytest
from small_corpus import write_wav

from s5lib.audio import open_audio, probe, read_audio
from s5lib.errors import DataError
from s5lib.evaluation.waveforms import Workspace, read_mixture, read_rows


def test_files(tmp_path):
    write_wav(tmp_path / "a b.wav", np.full((10, 2), 0.5))
    samples, rate = read_audio(str(tmp_path / "a b.wav"))
    assert samples.shape == (2, 10) and rate == 8000
    assert probe(str(tmp_path / "a b.wav")).channels == 2


@pytest.mark.parametrize("write_function", [None, "soundfile"])
def test_kaldi_archives(tmp_path, write_function):
    kaldiio = pytest.importorskip("kaldiio")
    generator = np.random.default_rng(0)
    sounds = {name: generator.integers(-3000, 3000, (500, 4), np.int16) for name in ("a", "b")}
    rows = {name: (16000, sound) for name, sound in sounds.items()}
    archive = tmp_path / "wav.ark"
    kaldiio.save_ark(str(archive), rows, scp=str(tmp_path / "wav.scp"), write_function=write_function)
    for line in (tmp_path / "wav.scp").read_text().splitlines():
        name, entry = line.split(maxsplit=1)
        samples, rate = read_audio(entry)
        assert rate == 16000 and samples.dtype == np.float32
        np.testing.assert_array_equal(samples, sounds[name].T / 32768)
        assert probe(entry).frames == 500
    for entry in (f"{archive}:99999999", f"{archive}:7", f"{tmp_path}/gone.ark:1"):
        with pytest.raises(DataError, match="holds no readable audio"):
            read_audio(entry)


def test_archives_are_never_unpickled(tmp_path):
    pytest.importorskip("kaldiio")

    class Touch:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "bad.ark").write_bytes(b"a PKL" + pickle.dumps(Touch()))
    with pytest.raises(DataError, match="holds no readable audio"):
        read_audio(f"{tmp_path}/bad.ark:2")
    assert not (tmp_path / "ran").exists()


def test_commands_are_not_run(tmp_path):
    for call in (read_audio, probe):
        with pytest.raises(DataError, match="is a command, which s5lib does not run"):
            call(f"touch {tmp_path}/ran |")
    assert not (tmp_path / "ran").exists()


def test_archives_are_scored_like_files(tmp_path):
    """Every reader takes them: the one of scoring, into rows, too."""
    kaldiio = pytest.importorskip("kaldiio")
    sound = np.random.default_rng(0).integers(-3000, 3000, (500, 2), np.int16)
    rows = {"mix": (16000, sound), "one": (16000, sound[:, 0])}
    kaldiio.save_ark(str(tmp_path / "wav.ark"), rows, scp=str(tmp_path / "wav.scp"))
    entries = dict(line.split(maxsplit=1) for line in (tmp_path / "wav.scp").read_text().splitlines())
    mixture, rate = read_mixture(entries["mix"], Workspace())
    assert rate == 16000
    np.testing.assert_array_equal(mixture, sound[:, 0] / 32768)
    np.testing.assert_array_equal(
        read_rows([entries["one"]] * 2, 500, rate, "reference", Workspace())[0], [mixture] * 2
    )
    with open_audio(entries["mix"], 8000) as audio:
        assert audio.num_samples == 250 and audio.read(100, 200).shape == (2, 100)


def test_bytes_and_cut_entries(tmp_path):
    kaldiio = pytest.importorskip("kaldiio")
    sound = np.arange(200, dtype=np.uint8)
    kaldiio.save_ark(str(tmp_path / "wav.ark"), {"a": (8000, sound)}, scp=str(tmp_path / "wav.scp"))
    entry = (tmp_path / "wav.scp").read_text().split()[1]
    np.testing.assert_allclose(read_audio(entry)[0][0], (sound - 128.0) / 128)
    content = (tmp_path / "wav.ark").read_bytes()
    (tmp_path / "wav.ark").write_bytes(content[:-50])
    with pytest.raises(DataError, match="50 bytes are missing"):
        probe(entry)
