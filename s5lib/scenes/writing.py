"""Rendered scenes as files, in the layout of the DCASE sets; every file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s5lib.audio import write_audio
from s5lib.untrusted import check_file_name

__all__ = ["write_scene"]


def write_scene(
    folder: str | os.PathLike,
    name: str,
    mixture: np.ndarray,
    sources: np.ndarray,
    labels: Sequence[str],
    sample_rate: int,
) -> list[str]:
    """Write ``soundscape/NAME.wav [M, T]`` and ``oracle_target/NAME_I_LABEL.wav``, I from 0, below ``folder``.

    Returns the files' paths below ``folder``.
    """
    folder = Path(folder)
    (folder / "oracle_target").mkdir(parents=True, exist_ok=True)
    numbered = enumerate(zip(labels, sources, strict=True))
    names = {check_file_name(f"{name}_{index}_{label}.wav", folder): source for index, (label, source) in numbered}
    files = {f"oracle_target/{file}": source[None] for file, source in names.items()}
    files[f"soundscape/{check_file_name(f'{name}.wav', folder)}"] = mixture
    for file, samples in files.items():
        write_audio(folder / file, samples, sample_rate)
    return list(files)
