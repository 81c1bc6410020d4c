import numpy as np
import pytest
import soundfile
from small_corpus import write_wav

from s5lib.corpora.clips import ClipJob, check_clip, write_clip, write_clips
from s5lib.errors import DataError

RATE = 1000


def noise(seconds, peak=0.5):
    return peak * np.random.default_rng(0).uniform(-1, 1, int(seconds * RATE))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (noise(1), None),
        (noise(1, peak=0.019), "peak below 0.02"),
        (noise(0.09), "shorter than 0.1 s"),
        (np.concatenate([np.zeros(500), noise(0.09), np.zeros(500)]), "shorter than 0.1 s"),
        (np.zeros(0), "peak below 0.02"),
        (np.concatenate([noise(1), noise(10.2, 0.01), noise(1)]), "below 0.02 for 10 s"),
        (np.concatenate([noise(1), noise(9.8, 0.01), noise(1)]), None),
        (np.concatenate([np.zeros(12_000), noise(1), np.zeros(12_000)]), None),
    ],
)
def test_rules(samples, reason):
    assert check_clip(samples, RATE)[1] == reason


def test_windows_as_in_a_plain_loop():
    generator = np.random.default_rng(1)
    for _ in range(50):
        samples = generator.uniform(-0.01, 0.01, generator.integers(10_000, 25_000))
        samples[generator.integers(0, len(samples), 3)] = 0.5
        samples[[0, -1]] = 0.015
        windows = [samples[start : start + 10_000] for start in range(0, len(samples) - 10_000 + 1, 100)]
        quiet = any(np.abs(window).max() < 0.02 for window in windows)
        assert (check_clip(samples, RATE)[1] is not None) == quiet


def test_written_clips(tmp_path):
    time = np.arange(44100) / 44100
    sound = np.concatenate([np.zeros(1000), 1.2 * np.sin(2 * np.pi * 440 * time)])
    write_wav(tmp_path / "in.wav", np.stack([sound, sound], 1), rate=44100)
    job = ClipJob(str(tmp_path / "in.wav"), str(tmp_path / "out/a/b.wav"))
    assert write_clip(job) is None
    clip, rate = soundfile.read(job.target)
    assert rate == 32000 and clip.ndim == 1 and soundfile.info(job.target).subtype == "PCM_16"
    assert abs(len(clip) - 32000) <= 2 and 0.99 < np.abs(clip).max() <= 1
    spectrum = np.abs(np.fft.rfft(clip))
    assert np.argmax(spectrum) == 440
    before = (tmp_path / "out/a/b.wav").stat().st_mtime_ns
    assert write_clip(job) is None and (tmp_path / "out/a/b.wav").stat().st_mtime_ns == before


def test_what_is_left_out_is_reported(tmp_path):
    write_wav(tmp_path / "good.wav", np.tile(noise(1), 8))
    write_wav(tmp_path / "quiet.wav", 0.01 * np.tile(noise(1), 8))
    jobs = [ClipJob(str(tmp_path / f"{name}.wav"), str(tmp_path / f"out/{name}.wav")) for name in ("good", "quiet")]
    assert write_clips(jobs, nj=2) == {"peak below 0.02": [jobs[1].source]}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.wav"]
    with pytest.raises(DataError, match="gone.wav: no such recording"):
        write_clips([ClipJob(str(tmp_path / "gone.wav"), str(tmp_path / "out/gone.wav"))])
