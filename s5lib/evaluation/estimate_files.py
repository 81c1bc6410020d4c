"""Estimates of any system in a folder, named ``NAME_I_LABEL.wav`` as in the challenge.

Names and labels may both contain underscores and digits, so a file name is not split by rule but matched as a whole
against the names of the mixtures and the class labels: a file of ``eval_10`` is never assigned to ``eval_1``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from s5lib.audio import find_audio_files
from s5lib.data import CorpusDescription
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.scenes.corpus import class_labels
from s5lib.systems.records import file_label, gains_of, read_record, record_path

__all__ = ["EstimateFile", "known_labels", "list_estimates", "listed_by_inference", "split_name"]


@dataclass(frozen=True)
class EstimateFile:
    """One estimated source."""

    label: str
    path: Path
    gain: float = 1.0
    """The file is the estimate times this factor."""


def split_name(stem: str, names: Iterable[str], labels: Iterable[str]) -> tuple[str, int, str]:
    """Return mixture, number and label of ``NAME_I_LABEL``.

    Args:
        stem: file name without its suffix.
        names: of the mixtures; a set is fast.
        labels: class labels.

    Raises:
        DataError: the name does not match, or matches in several ways.

    >>> split_name("eval_10_0_Door_bell", {"eval_1", "eval_10"}, ["Door_bell", "bell"])
    ('eval_10', 0, 'Door_bell')
    >>> split_name("mix_0_1_Speech", {"mix", "mix_0"}, ["Speech"])
    ('mix_0', 1, 'Speech')
    """
    written = {file_label(label): label for label in labels}
    known = set(names)
    readings: list[tuple[str, int, str]] = []
    unknown: list[tuple[str, int, str]] = []
    for number in re.finditer(r"_(?=([0-9]+)_)", stem):  # looking ahead, so that numbers may be neighbours
        start, rest = stem[: number.start()], stem[number.end(1) + 1 :]
        if start in known:
            (readings if rest in written else unknown).append((start, int(number[1]), rest))
    if len(readings) == 1:
        name, index, label = readings[0]
        return name, index, written[label]
    if readings:
        meanings = " or ".join(f"number {index} of {name!r}, {label}" for name, index, label in readings)
        raise DataError(f"can be {meanings}: rename the mixture or the file.")
    if unknown:
        raise DataError(
            f"unknown label {unknown[-1][2]!r}. {nearest(unknown[-1][2], labels)} (--class_labels adds some.)"
        )
    close = difflib.get_close_matches(re.sub(r"_[0-9]+_.*?$", "", stem), known, n=1)
    raise DataError(
        f"belongs to none of the {len(known)} mixtures; expected NAME_I_LABEL, as in "
        f"{min(known)}_0_{min(written, default='LABEL')}." + (f" Is {close[0]!r} meant?" if close else "")
    )


def list_estimates(folder: Path, names: Iterable[str], labels: Iterable[str]) -> dict[str, list[EstimateFile]]:
    """Return the estimates of each of ``names`` in a folder, in the order of their numbers.

    Hidden files, files that are not recordings and remainders are skipped.  Records of ``s5lib infer`` give the gains.

    Raises:
        DataError: there is no folder or no recording in it, or a file belongs to no mixture, has an unknown label or
            the number of another file, or is lossy.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of estimates.")
    known = set(names)
    stems = {f"{name}_remainder" for name in known}  # written by 's5lib infer --remainder'
    found_files = (path.name for path in find_audio_files(folder, recursive=False).files)
    files = [name for name in found_files if os.path.splitext(name)[0] not in stems]
    if not files:
        inside = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        hint = f" It has folders ({', '.join(inside[:3])}): is one of them meant?" if inside else ""
        raise DataError(f"{folder}: no estimates there; expected files NAME_I_LABEL.wav.{hint}")
    labels = list(labels)
    found: dict[str, dict[int, EstimateFile]] = {name: {} for name in known}
    gains: dict[str, dict[str, float]] = {}  # of the files of a mixture
    for file in files:
        try:
            name, index, label = split_name(os.path.splitext(file)[0], known, labels)
        except DataError as error:
            raise DataError(f"{folder / file}: {error}") from None
        if file.lower().endswith(".mp3"):
            raise DataError(f"{folder / file}: MP3 is lossy, which costs dB. Write WAV or FLAC files to score.")
        if index in found[name]:
            raise DataError(
                f"{folder / file}: number {index} of {name!r} a second time, beside {found[name][index].path.name}."
            )
        if name not in gains:
            gains[name] = gains_of(record_path(folder, name))
        found[name][index] = EstimateFile(label, folder / file, gains[name].get(file, 1.0))
    return {name: [sources[index] for index in sorted(sources)] for name, sources in found.items()}


def listed_by_inference(folder: Path, name: str) -> list[EstimateFile]:
    """Return the estimates that the JSON of a recording lists, see :mod:`s5lib.systems.outputs`.

    Raises:
        DataError: the JSON is missing or damaged.
    """
    record = read_record(record_path(folder, name))
    gain = float(record.get("gain", 1.0))
    return [EstimateFile(entry["label"], folder / Path(entry["file"]).name, gain) for entry in record["sources"]]


def known_labels(references: Path, given: str | None, used: Iterable[str]) -> list[str]:
    """Return the class labels that estimates may have, sorted.

    Args:
        references: a data directory, beside which ``corpus.json`` may be, or a rendered set, maybe in its corpus.
        given: ``LABEL,LABEL,...`` or a file of labels, separated by white space; None: those of the corpus.
        used: labels of the references, the only ones where there is no corpus.

    Raises:
        ConfigError: ``given`` is empty, or lacks a label that a reference has.
    """
    used = set(used)
    if given is not None:
        try:
            text = Path(given).read_text(encoding="utf-8") if os.path.isfile(given) else given.replace(",", " ")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--class_labels {given}: cannot be read ({error}).") from None
        labels = set(text.split())
        if not labels or not used <= labels:
            missing = (
                f"it lacks {', '.join(sorted(used - labels))}, which the references have" if labels else "it is empty"
            )
            raise ConfigError(f"--class_labels {given}: {missing}.")
        return sorted(labels)
    folder = references.absolute()
    if (folder.parent / "corpus.json").is_file():
        return sorted(used | set(CorpusDescription.read(folder.parent).labels))
    if folder.parent.name == "synthesized" and (folder.parents[1] / "sound_event/train").is_dir():
        return sorted(used | set(class_labels(folder.parents[1])))
    return sorted(used)
