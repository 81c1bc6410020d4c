"""Rendered scenes as files, in the layout of the DCASE sets; every file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from s5lib.errors import DataError
from s5lib.untrusted import check_file_name

__all__ = ["write_audio", "write_scene"]


def write_audio(path: str | os.PathLike, samples: np.ndarray, sample_rate: int) -> None:
    """Write ``samples [M, T]`` as a float32 WAV file, first under a temporary name.

    32-bit floats, since quiet sources would lose their last bits and loud ones would clip in 16.  By scipy, since
    libsndfile puts the time of writing into such files: equal sounds shall be equal files.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        wavfile.write(temporary, sample_rate, np.asarray(samples, np.float32).T)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({error}). Is there room on the disk?") from error


def write_scene(
    folder: str | os.PathLike,
    name: str,
    mixture: np.ndarray,
    sources: np.ndarray,
    labels: Sequence[str],
    sample_rate: int,
) -> None:
    """Write ``soundscape/NAME.wav [M, T]`` and ``oracle_target/NAME_I_LABEL.wav``, I from 0, below ``folder``."""
    folder = Path(folder)
    (folder / "oracle_target").mkdir(parents=True, exist_ok=True)
    for index, (label, source) in enumerate(zip(labels, sources, strict=True)):
        file = check_file_name(f"{name}_{index}_{label}.wav", folder)
        write_audio(folder / "oracle_target" / file, source[None], sample_rate)
    write_audio(folder / "soundscape" / check_file_name(f"{name}.wav", folder), mixture, sample_rate)
