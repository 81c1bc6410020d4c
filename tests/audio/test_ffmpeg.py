"""Formats that libsndfile does not know."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from s5lib.audio import open_audio, probe
from s5lib.errors import DataError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
KINDS = ["m4a", "mp4", "aac", "wma", "webm", "mka", "wv", "oga", "spx"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same 3 s of a tone in many formats."""
    folder = tmp_path_factory.mktemp("kinds")
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * 16000) / 16000)
    soundfile.write(folder / "a.wav", tone, 16000)
    for kind in KINDS:
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", folder / "a.wav", folder / f"a.{kind}"]
        subprocess.run(command, check=True)
    return folder


@needs_ffmpeg
@pytest.mark.parametrize("kind", KINDS)
def test_decoded(folder, kind):
    with open_audio(folder / f"a.{kind}", 16000) as audio:
        samples = audio.read()[0]
        assert audio.duration == pytest.approx(3, abs=0.1)
        np.testing.assert_array_equal(audio.read(20000, 30000)[0], samples[20000:30000])
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert spectrum.argmax() == 440 and np.abs(samples[8000:24000]).max() == pytest.approx(0.3, abs=0.06)


@needs_ffmpeg
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut(folder, tmp_path, kind, share):
    content = (folder / f"a.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=f"a.{kind}"):
        probe(tmp_path / f"a.{kind}")


@needs_ffmpeg
def test_names_are_no_options_and_no_protocols(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-i.m4a", "concat:a.m4a", "http:x.m4a", "a%d.m4a", "a\nb.m4a", "\udcff.m4a"):
        shutil.copy(folder / "a.m4a", name)
        assert probe(name).duration == pytest.approx(3, abs=0.1)


@needs_ffmpeg
def test_playlists_open_no_other_file(folder, tmp_path):
    shutil.copy(folder / "a.m4a", tmp_path / "secret.m4a")
    playlists = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.m4a\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile secret.m4a\n",
    }
    for text in playlists.values():
        (tmp_path / "b.m4a").write_text(text)
        with pytest.raises(DataError, match="b.m4a: not a recording"):
            probe(tmp_path / "b.m4a")


def test_without_ffmpeg_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="a.m4a: .* need ffmpeg"):
        probe(tmp_path / "a.m4a")
