"""Rendered scenes as files, in the layout of the DCASE sets; every file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s5lib.audio import write_audio

__all__ = ["write_scene"]


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
        write_audio(folder / "oracle_target" / f"{name}_{index}_{label}.wav", source[None], sample_rate)
    write_audio(folder / "soundscape" / f"{name}.wav", mixture, sample_rate)
