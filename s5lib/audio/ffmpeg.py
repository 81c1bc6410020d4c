"""Formats that libsndfile does not know, such as AAC in MP4, decoded by ffmpeg if it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from s5lib.audio.containers import Bytes, scan
from s5lib.audio.decoding import FileSamples, UnavailableError
from s5lib.errors import DataError

__all__ = ["decode"]

# No playlists and no protocols but files: a recording from elsewhere shall not make ffmpeg open anything else.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,oma,"
)
_FORMATS += "tak,tta,voc,w64,wav,wv"
_ROOM_LEFT = 1 << 28  # bytes that a decoded recording leaves on the disk


def decode(path: str, reason: str) -> FileSamples:
    """Return the samples of the first audio stream of a file.

    It is decoded once, to 32-bit floats in a temporary file.

    Args:
        path: of a regular file.
        reason: why libsndfile cannot read it.

    Raises:
        UnavailableError: ffmpeg is not installed or fails, or the disk is too full.
        DataError: the file is no recording, or damaged.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise UnavailableError(
            f"{path}: not a recording that libsndfile can decode ({reason}). Formats such as m4a and wma need ffmpeg: "
            "install it (apt install ffmpeg, conda install ffmpeg), or convert the file to WAV or FLAC."
        )
    with tempfile.TemporaryDirectory(prefix="s5lib-") as folder:
        target = Path(folder) / "decoded.wav"
        room = max(1, shutil.disk_usage(folder).free - _ROOM_LEFT)
        command = [program, "-nostdin", "-hide_banner", "-v", "error", "-xerror", "-protocol_whitelist", "file,pipe"]
        command += ["-format_whitelist", _FORMATS, "-i", f"file:{os.path.abspath(path)}", "-map", "0:a:0"]
        command += ["-map_metadata", "-1", "-c:a", "pcm_f32le", "-rf64", "auto", "-fs", str(room), f"file:{target}"]
        try:
            seconds = 60 + os.path.getsize(path) / 20_000
            run = subprocess.run(
                list(map(os.fsencode, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=seconds
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"{path}: ffmpeg cannot decode it ({type(error).__name__}).") from None
        said = run.stderr.decode(errors="replace").strip().splitlines()
        if run.returncode or said or not target.is_file():
            last = said[-1].rpartition("] ")[2] if said else f"status {run.returncode}"
            last = last.removeprefix(f"file:{os.path.abspath(path)}: ")[:200]
            raise DataError(
                f"{path}: not a recording that can be decoded, or damaged (libsndfile: {reason}; ffmpeg: {last})."
            )
        if target.stat().st_size >= room:
            raise UnavailableError(
                f"{path}: its decoded samples do not fit into {folder}; set TMPDIR to a folder with more room."
            )
        with open(target, "rb") as file:
            samples = FileSamples(os.fspath(target), scan(Bytes(file)), path)
    samples.format, samples.is_seekable = "FFMPEG", False
    return samples  # its file stays readable until it is closed
