"""What inference leaves on disk, per recording: ``NAME_I_LABEL.wav`` for each source, and ``NAME.json`` last.

The JSON lists the sources with their files, so that nothing has to be guessed from file names; it is written when all
files of the recording are in place, so that its presence means "finished".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from s5lib.errors import DataError
from s5lib.systems.source import Source

__all__ = ["file_label", "listed_sources", "read_sources", "write_sources"]


def file_label(label: str) -> str:
    """Return ``label`` as a part of a file name that cannot leave its folder.

    >>> file_label("Speech"), file_label("../../x")
    ('Speech', '.._.._x')
    """
    return re.sub(r"[^\w.-]+", "_", label)


def write_sources(folder: Path, name: str, sources: Sequence[Source], sample_rate: int, **details) -> None:
    """Write the sources of the recording ``name`` into ``folder``; ``details`` go into the JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for index, source in enumerate(sources):
        file = f"{name}_{index}_{file_label(source.label)}.wav"
        temporary = folder / f".{file}.part"
        soundfile.write(temporary, source.waveform, sample_rate, format="WAV", subtype="FLOAT")
        os.replace(temporary, folder / file)
        entries.append({"label": source.label, "probability": round(source.probability, 6), "file": file})
    temporary = folder / f".{name}.json.part"
    temporary.write_text(
        json.dumps({"name": name, "sample_rate": sample_rate, **details, "sources": entries}, indent=1) + "\n",
        encoding="utf-8",
    )
    os.replace(temporary, folder / f"{name}.json")


def listed_sources(folder: Path, name: str) -> list[tuple[str, Path]]:
    """Return label and file of each source that :func:`write_sources` wrote for the recording ``name``.

    Raises:
        DataError: the recording's list is missing or damaged.
    """
    path = folder / f"{name}.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["sources"]
        return [(str(entry["label"]), folder / Path(str(entry["file"])).name) for entry in entries]
    except FileNotFoundError:
        raise DataError(f"{path} is missing: {name} was not inferred. Run the inference stage again.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error!r}): delete it and run the inference stage again.") from None


def read_sources(folder: Path, name: str, num_samples: int) -> tuple[list[str], np.ndarray]:
    """Return the labels and waveforms ``[E, T]`` that :func:`write_sources` wrote for the recording ``name``.

    Raises:
        DataError: the recording is missing, or a file is missing, unreadable or of another length.
    """
    labels, files = zip(*listed, strict=True) if (listed := listed_sources(folder, name)) else ((), ())
    waveforms = np.zeros((len(files), num_samples), np.float32)
    for row, file in zip(waveforms, files, strict=True):
        try:
            waveform, _ = soundfile.read(file, dtype="float32")
        except (OSError, soundfile.LibsndfileError) as error:
            raise DataError(f"{file} cannot be read ({error}): run the inference stage again.") from None
        if waveform.shape != (num_samples,):
            raise DataError(f"{file} has shape {waveform.shape}; expected {num_samples} samples, one channel.")
        row[:] = waveform
    return list(labels), waveforms
