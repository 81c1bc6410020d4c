"""Scene descriptions as the JSON files of the DCASE 2026 Task 4 set, read and written.

::

    {"config": {"duration": 10.0, "sr": 32000, "ref_db": -55.0, "foreground_dir": ".../dev_set/sound_event/valid",
                "background_dir": ..., "interference_dir": ..., ...},
     "fg_events": [EVENT, ...], "int_events": [EVENT, ...], "bg_events": [EVENT, ...],
     "room": {"module": ..., "main": ..., "args": {"metadata": {"sofa_path": ".../dev_set/room_ir/valid/X.sofa", ...}}}}

    EVENT = {"label": "Speech", "source_file": "Speech/a/b.wav", "source_time": 0, "event_time": 1.5,
             "event_duration": 2.0, "event_position": [[x, y, z]], "snr": 12.3, "role": "foreground"}

Times are seconds, levels dB.  Of a path, what follows ``dev_set/`` is taken below the folder of the corpus.  Varied
scenes have more: ``speed``, ``filter_db``, ``repeats`` and ``pause`` in events, ``rotation`` in ``config``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from s5lib.provenance.files import write_json
from s5lib.scenes.augment import FILTER_HZ
from s5lib.scenes.corpus import Corpus
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.settings import DrawSettings
from s5lib.untrusted import Record, is_number, json_record, path_below

__all__ = ["compose_metadata", "parse_metadata", "read_metadata", "write_metadata"]

ROLES = {"fg_events": "foreground_dir", "int_events": "interference_dir", "bg_events": "background_dir"}

_MOST_SECONDS = 1e9
_MOST_DB = 200.0
_MIRRORS = ("left_right", "up_down")
_MOST_SAMPLES = 1 << 28

ROOM_MODULE = "src.modules.spatial_audio_synthesizer.room"
"""What the challenge's own tools look for in the files."""


def read_metadata(path: str | os.PathLike) -> dict:
    """Read a scene's JSON file.

    Raises:
        DataError: the file is missing or not a JSON object.
    """
    return dict(json_record(path).values)


def write_metadata(metadata: Mapping, path: str | os.PathLike) -> None:
    """Write a scene's JSON file, whole or not at all; numbers are kept to the last bit."""
    write_json(path, metadata)


def parse_metadata(metadata: Mapping | str | os.PathLike, root: str | os.PathLike) -> SceneDescription:
    """Check a scene's metadata and find its files below ``root``, the corpus's ``dev_set`` folder.

    Args:
        metadata: a JSON file, or its content.
        root: the ``dev_set`` folder.

    Raises:
        DataError: a key is missing, a value has the wrong type or range, a path leads out of ``root``.
    """
    where = "scene metadata"
    if not isinstance(metadata, Mapping):
        where, metadata = os.fspath(metadata), read_metadata(metadata)
    root, scene = Path(root), Record(metadata, where)
    config = scene.record("config")
    duration, rate = config.number("duration", above=0), config.number("sr", least=1, most=768_000)
    if rate != int(rate):
        config.reject("sr", "a whole number of Hz")
    ref_db = config.number("ref_db", None, least=-_MOST_DB, most=_MOST_DB)
    groups = []
    for key, folder_key in ROLES.items():
        events = list(scene.records(key)) if scene.get(key) else []
        folder = _below(root, config, folder_key) if events else root
        groups.append(tuple(_event(event, folder, spatial=key != "bg_events") for event in events))
    if (4 + len(groups[0])) * duration * rate > _MOST_SAMPLES:
        config.reject("duration", f"at most {_MOST_SAMPLES} samples in all channels and sources")
    room = direct = None
    if groups[0] or groups[1] or "room" in scene:
        arguments = scene.record("room").record("args").record("metadata")
        room, direct = _below(root, arguments, "sofa_path"), arguments.get("direct_range_ms")
        if direct is not None:
            direct = _numbers(direct, 2, 1e4) or arguments.reject("direct_range_ms", "[before, after] in ms")
    if room is None and not groups[2]:
        scene.fail("neither a room nor 'bg_events'; the number of channels is unknown")
    targets, interferences, noises = groups
    rotation = None
    if "rotation" in config:
        turn = config.record("rotation")
        rotation = (turn.number("degrees", least=-360, most=360), *(turn.get(key) is True for key in _MIRRORS))
    return SceneDescription(duration, int(rate), ref_db, targets, interferences, noises, room, direct, rotation)


def _event(event: Record, folder: Path, spatial: bool) -> Event:
    position = event.get("event_position")
    position = position[0] if isinstance(position, list) and len(position) == 1 else position
    if spatial and not (position := _numbers(position, 3, 1e6)):
        event.reject("event_position", "[[x, y, z]]")
    return Event(
        label=event.name("label") if spatial else "",
        path=_below(folder, event, "source_file"),
        source_time=event.number("source_time", least=0, most=_MOST_SECONDS),
        onset=event.number("event_time", least=0, most=_MOST_SECONDS),
        duration=event.number("event_duration", above=0, most=_MOST_SECONDS),
        snr=event.number("snr", least=-_MOST_DB, most=_MOST_DB),
        position=position if spatial else None,
        speed=event.number("speed", 1.0, least=0.25, most=4),
        filter_db=_numbers(event.get("filter_db"), len(FILTER_HZ), 60) or (),
        repeats=event.integer("repeats", 1, least=1, most=1000),
        pause=event.number("pause", 0.0, least=0, most=3600),
    )


def _numbers(values: Any, count: int, most: float) -> tuple[float, ...] | None:
    """Return ``count`` floats of at most ``most``; None where ``values`` are something else."""
    fits = isinstance(values, list) and len(values) == count and all(is_number(v) and abs(v) <= most for v in values)
    return tuple(map(float, values)) if fits else None


def _below(folder: Path, record: Record, key: str) -> Path:
    """Return the path that a record gives below ``folder``; what stands before ``dev_set/`` is left out."""
    written = record.text(key).replace("\\", "/")
    return path_below(folder, written.rpartition("dev_set/")[2], f"{record.where}: {key}")


def compose_metadata(scene: SceneDescription, corpus: Corpus, settings: DrawSettings) -> dict:
    """Return the metadata of a scene drawn from ``corpus`` with ``settings``; :func:`parse_metadata` gives it back."""
    split = corpus.split
    room = next(room for room in corpus.rooms if Path(room.path) == scene.room_path)
    sofa_path = f"dev_set/room_ir/{split}/{Path(room.path).name}"
    direct = list(settings.direct_range_ms)
    room_metadata = {
        "sofa_path": sofa_path,
        "sr": settings.sample_rate,
        "nchan": room.num_channels,
        "nrir": len(room),
        "rir_len": math.ceil(room.num_samples * settings.sample_rate / room.sample_rate),
        "direct_range_ms": direct,
    }
    room_config = {"path": sofa_path, "direct_range_ms": direct}
    turned = {} if scene.rotation is None else dict(zip(("degrees", *_MIRRORS), scene.rotation, strict=True))
    return {
        "config": {
            "duration": settings.duration,
            "sr": settings.sample_rate,
            "max_event_overlap": settings.max_targets,
            "max_event_dur": settings.event_limit,
            "ref_db": settings.ref_db,
            "foreground_dir": f"dev_set/sound_event/{split}",
            "background_dir": f"dev_set/noise/{split}",
            "interference_dir": f"dev_set/interference/{split}",
            "verbose": False,
            **({"rotation": turned} if turned else {}),
            "room_config": {"module": ROOM_MODULE, "main": "SofaRoom", "args": room_config},
        },
        "fg_events": [_written(event, corpus.root / "sound_event" / split, "foreground") for event in scene.targets],
        "bg_events": [_written(event, corpus.root / "noise" / split, "background") for event in scene.noises],
        "int_events": [
            _written(event, corpus.root / "interference" / split, "interference") for event in scene.interferences
        ],
        "room": {"module": ROOM_MODULE, "main": "SofaRoom.from_metadata", "args": {"metadata": room_metadata}},
    }


def _written(event: Event, folder: Path, role: str) -> dict:
    plain = {item.name: item.default for item in fields(Event)}
    changes = {key: getattr(event, key) for key in ("speed", "filter_db", "repeats", "pause")}
    changes = {key: value for key, value in changes.items() if value != plain[key]}
    return {
        "label": event.label or None,
        "source_file": event.path.relative_to(folder).as_posix(),
        "source_time": event.source_time,
        "event_time": event.onset,
        "event_duration": event.duration,
        "event_position": None if event.position is None else [list(event.position)],
        "snr": event.snr,
        "role": role,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in changes.items()},
    }
