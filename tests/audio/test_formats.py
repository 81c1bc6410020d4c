"""Every format that libsndfile writes: read as libsndfile reads it, by parts as whole, never shorter than it was."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from s5lib.audio import open_audio
from s5lib.errors import DataError

UNTOLD = {"IRCAM", "PAF", "PVF", "MAT4", "MAT5", "MPC2K", "XI"}
"""Formats of which a cut file cannot be distinguished from a shorter one, or that nobody keeps recordings in."""


def _kinds():
    for format in sorted(soundfile.available_formats()):
        for subtype in sorted(soundfile.available_subtypes(format)):
            if format not in ("RAW", "SD2") and (format, subtype) not in (("AIFF", "DWVW_12"), ("AIFF", "DWVW_16")):
                yield format, subtype


@pytest.mark.parametrize(("format", "subtype"), _kinds())
@pytest.mark.parametrize("channels", [1, 2])
def test_format(format, subtype, channels):
    time = np.arange(12000) / 16000
    wave = 0.4 * np.sin(2 * np.pi * (300 + 200 * np.sin(3 * time)) * time)
    stream = io.BytesIO()
    try:
        soundfile.write(stream, np.stack([wave, 0.5 * wave][:channels], 1), 16000, subtype, format=format)
        content = stream.getvalue()
        expected = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0].T
    except (ValueError, soundfile.LibsndfileError):
        pytest.skip("libsndfile does not write this, or not with so many channels")
    with open_audio(io.BytesIO(content)) as audio:
        whole = audio.read()
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    with open_audio(io.BytesIO(content)) as audio:
        for start in (7000, 100, 11000, 4096):
            np.testing.assert_allclose(audio.read(start, start + 999), whole[:, start : start + 999], atol=1e-6)
    for cut in (1, len(content) // 100 + 8, len(content) // 2, len(content) - 20):
        try:
            with open_audio(io.BytesIO(content[:-cut])) as audio:
                assert audio.read().shape == whole.shape or format in UNTOLD
        except DataError:
            pass
