"""A page to listen to what ``s5lib infer`` has made of recordings: each with its sources and remainder."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s5lib.audio import ChannelLayout, open_audio, resample, split_entry
from s5lib.errors import DataError
from s5lib.provenance import FileStamp
from s5lib.report.listening import LONGEST, Clip, ListeningScene, clips_of, louder
from s5lib.report.page import check_audio, page, write_page
from s5lib.systems.records import WRITTEN_BY, read_record
from s5lib.untrusted import is_number

__all__ = ["is_separated", "write_separated"]

MOST = 20
"""Recordings on a page where none are named: with sound, each may take a megabyte."""


def is_separated(folder: Path) -> bool:
    """Return whether a folder holds results of ``s5lib infer``, and no experiment of the recipe."""
    is_experiment = any(folder.rglob("RESULTS*.jsonl")) or any(folder.rglob("config.yaml"))
    return folder.is_dir() and not is_experiment and bool(_records(folder))


def write_separated(
    folder: Path, out: Path, *, names: Sequence[str] = (), audio: str = "mp3", title: str | None = None
) -> Path:
    """Write a page about the recordings that were separated into a folder, and return its path.

    Args:
        folder: the ``--out`` of ``s5lib infer``.
        out: the page; an older one is replaced once the new one is complete.
        names: of the recordings to show, as their JSON files below ``folder`` without ``.json``; empty: the first ones.
        audio: ``mp3``, ``flac`` or ``none``.
        title: of the page; None: from the name of the folder.

    Raises:
        DataError: a name is not that of a recording, or a file is missing or damaged.
        ConfigError: ``audio`` is another word, or ``out`` cannot be written.
    """
    check_audio(audio)
    records = _records(folder)
    for name in names:
        if name not in records:
            close = ", ".join(difflib.get_close_matches(name, records, n=5, cutoff=0))
            raise DataError(f"--scenes {name}: not among the {len(records)} recordings in {folder}. Nearest: {close}.")
    shown = {name: read_record(records[name]) for name in names or list(records)[:MOST]}
    made_by = {tuple(_settings(record)): None for record in shown.values()}
    text = page(
        "separated.html",
        title=title or f"Sources in {folder.resolve().name}",
        count=len(records),
        scenes=[_scene(name, records[name].parent, record, audio) for name, record in shown.items()],
        made_by=list(made_by),
        audio=audio,
    )
    return write_page(out, text)


def _records(folder: Path) -> dict[str, Path]:
    """Return the records of recordings below a folder, by name."""
    found = {}
    for path in sorted(folder.rglob("*.json")):
        name = os.fspath(path.relative_to(folder))[: -len(".json")]
        if any(part.startswith(".") for part in Path(name).parts):  # scratch of a run that goes on
            continue
        try:
            if WRITTEN_BY in read_record(path):
                found[name] = path
        except DataError:  # of something else
            continue
    return found


def _settings(record: dict[str, Any]) -> list[tuple[str, str]]:
    made_by = record.get("made_by")
    if not isinstance(made_by, dict):
        return []
    models = made_by.get("models")
    files = {
        str(kind): str(model.get("file"))
        for kind, model in (models.items() if isinstance(models, dict) else ())
        if isinstance(model, dict)
    }
    return [*files.items(), *((str(key), str(value)) for key, value in made_by.items() if key != "models")]


def _scene(name: str, folder: Path, record: dict[str, Any], audio: str) -> ListeningScene:
    gain = record["gain"]
    titles = [(entry["label"], _note(entry, record), entry["file"]) for entry in record["sources"]]
    remainder = record.get("remainder")
    if isinstance(remainder, dict):
        file = os.path.basename(str(remainder.get("file")))
        titles.append(("Remainder", "the first channel minus the sources", file))
    waveforms, rate, whole = [], 0, 0.0
    for _, _, file in titles:
        with open_audio(folder / file) as recording:
            rate, whole = recording.sample_rate, recording.duration
            waveforms.append(recording.read(0, int(LONGEST * rate))[0] / np.float32(gain))
    mixture = _mixture(record, rate)
    if mixture is not None:
        rate, whole = rate or mixture[1], whole or mixture[2]
        waveforms.insert(0, mixture[0])
    if not waveforms:
        nothing = Clip("Recording", "no longer found", "nothing")
        return ListeningScene(name, name, "no source found", "", nothing, (), ())
    clip, factor = clips_of(waveforms, rate, audio)
    first = Clip("Recording", "not found, or changed since", "nothing")
    if mixture is not None:
        first = clip("Recording", "reference channel", "reference", waveforms.pop(0))
    clips = [clip(title, note, "right", wave) for (title, note, _), wave in zip(titles, waveforms, strict=True)]
    count = len(record["sources"])
    found = f"{count or 'no'} source{'s' * (count > 1)}"
    length = f"{whole:.4g} s" if whole <= LONGEST else f"the first {LONGEST:g} s of {whole:.4g} s"
    warnings = record.get("warnings")
    notes = [("Note", str(text), "") for text in warnings] if isinstance(warnings, list) else []
    labels = ", ".join(entry["label"] for entry in record["sources"]) or "nothing"
    rows = tuple(tuple(clips[start : start + 2]) for start in range(0, len(clips), 2))
    summary = f"{found}; {length}; played {louder(factor)}"
    return ListeningScene(name, name, summary, "", first, rows, (("Found", labels, ""), *notes))


def _note(entry: dict[str, Any], record: dict[str, Any]) -> str:
    sure = "asked for" if record.get("labels") == "given" else f"{100 * entry['probability']:.0f} %"
    active = entry.get("active")
    if isinstance(active, list) and active and all(_is_segment(segment) for segment in active):
        return f"{sure}, active from {active[0][0]:.4g} to {active[-1][1]:.4g} s"
    return sure


def _is_segment(segment: Any) -> bool:
    return isinstance(segment, list) and len(segment) == 2 and all(is_number(value) for value in segment)


def _mixture(record: dict[str, Any], rate: int) -> tuple[np.ndarray, int, float] | None:
    """Return the start of the reference channel, its rate and the recording's length; None where it is not known.

    Args:
        record: whose recording is read only if its content is the one that was separated.
        rate: of the sources; 0: there are none.
    """
    stamp, entry = FileStamp.read(record.get("recording_stamp")), str(record.get("recording"))
    try:
        if stamp is None or FileStamp.of(split_entry(entry)[0], stamp).sha256 != stamp.sha256:
            return None
        try:
            recording = open_audio(entry, layout=_layout(record))
        except DataError:  # no rule says how it becomes one channel: models for so many channels
            recording = open_audio(entry)
        with recording:
            own = recording.sample_rate
            samples = recording.read(0, int(LONGEST * own))[0]
            return resample(samples, own, rate or own), rate or own, recording.duration
    except (DataError, OSError):
        return None


def _layout(record: dict[str, Any]) -> ChannelLayout:
    """Return what makes the reference channel of the recording: W, the mean of two channels, or the only one."""
    made_by = record.get("made_by")
    made_by = made_by if isinstance(made_by, dict) else {}
    channels = str(made_by.get("channels", "all"))
    numbers = channels.split(",")
    chosen = tuple(map(int, numbers)) if all(number.isdecimal() for number in numbers) else channels
    order, normalisation = (
        str(made_by.get(key, default)) for key, default in (("channel_order", "WYZX"), ("normalisation", "sn3d"))
    )
    return ChannelLayout(1, chosen, order, normalisation)
