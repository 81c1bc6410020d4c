"""A source keeps its rate, writes itself, and is a player in notebooks."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.errors import ConfigError
from s5lib.systems import Source

RATE = 16000
TONE = (0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("ending", ["wav", "WAV", "flac", "mp3"])
@pytest.mark.parametrize("level", [1e-4, 1.0, 50.0])
def test_files_hold_the_waveform_at_the_gain_that_is_returned(tmp_path, ending, level):
    path = tmp_path / f"made here/source.{ending}"
    gain = Source("Dog", 0.5, level * TONE, RATE).save(path)
    samples, rate = soundfile.read(path)
    assert rate == RATE and len(samples) == RATE and gain <= 1
    assert gain == 1 or (ending != "wav" and level == 50)
    expected = gain * level * TONE
    if ending == "mp3":
        assert level < 1 or np.corrcoef(samples, expected)[0, 1] > 0.99
    else:
        assert np.abs(samples - expected).max() <= (0 if ending.lower() == "wav" else 2.0**-23)
    assert np.abs(samples).max() <= 1.01 or ending.lower() == "wav"


def test_what_cannot_be_written_is_said(tmp_path):
    source = Source("Dog", 0.5, TONE, RATE)
    for bad, name, message in (
        (source, "a.ogg", "flac"),
        (source, "a", "without ending"),
        (replace(source, sample_rate=None), "a.wav", "sample_rate"),
        (replace(source, sample_rate=96000), "a.mp3", "96000 Hz"),
    ):
        with pytest.raises(ConfigError, match=message):
            bad.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=20, deadline=None)
@given(st.text(), st.floats(0, 1), st.sampled_from([0.0, 1e-5, 0.3, 30.0]), st.integers(1, 3))
def test_player_plays_the_source_under_any_label(label, probability, level, seconds):
    page = Source(label, probability, level * np.tile(TONE, seconds), RATE)._repr_html_()
    ((kind, content),) = re.findall(r'<audio controls [^>]*src="data:audio/(\w+);base64,([^"]*)"></audio>', page)
    assert page.count("<") == 6 and f"{probability:.0%}" in page and kind == "mpeg"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate == RATE and (not level or 0.5 < np.abs(samples).max() <= 1)


def test_a_source_without_a_rate_or_samples_is_text():
    assert Source("Dog", 0.5, TONE)._repr_html_() is None
    assert Source("Dog", 0.5, TONE[:0], RATE)._repr_html_() is None
