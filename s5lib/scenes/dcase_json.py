"""Scene descriptions as the JSON files of the DCASE 2026 Task 4 set, read and written.

::

    {"config": {"duration": 10.0, "sr": 32000, "ref_db": -55.0, "foreground_dir": ".../dev_set/sound_event/valid",
                "background_dir": ..., "interference_dir": ..., ...},
     "fg_events": [EVENT, ...], "int_events": [EVENT, ...], "bg_events": [EVENT, ...],
     "room": {"module": ..., "main": ..., "args": {"metadata": {"sofa_path": ".../dev_set/room_ir/valid/X.sofa", ...}}}}

    EVENT = {"label": "Speech", "source_file": "Speech/a/b.wav", "source_time": 0, "event_time": 1.5,
             "event_duration": 2.0, "event_position": [[x, y, z]], "snr": 12.3, "role": "foreground"}

Times are seconds, levels dB.  Of a path, what follows ``dev_set/`` is taken below the folder of the corpus.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from s5lib.errors import DataError
from s5lib.scenes.corpus import Corpus
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.settings import DrawSettings
from s5lib.untrusted import is_file_name, is_number, path_below, read_json, shown, to_json

__all__ = ["compose_metadata", "parse_metadata", "read_metadata", "write_metadata"]

ROLES = {"fg_events": "foreground_dir", "int_events": "interference_dir", "bg_events": "background_dir"}

ROOM_MODULE = "src.modules.spatial_audio_synthesizer.room"
"""What the challenge's own tools look for in the files."""


def read_metadata(path: str | os.PathLike) -> dict:
    """Read a scene's JSON file.

    Raises:
        DataError: the file is missing or not a JSON object.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected one scene, a JSON object; found a {type(content).__name__}.")
    return content


def write_metadata(metadata: Mapping, path: str | os.PathLike) -> None:
    """Write a scene's JSON file, first under a temporary name; numbers are kept to the last bit."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(to_json(metadata, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)


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
        where = os.fspath(metadata)
        metadata = read_metadata(metadata)
    root = Path(root)
    config = _get(metadata, "config", dict, where)
    duration = _number(config, "duration", f"{where}: config", low=0.0)
    rate = _number(config, "sr", f"{where}: config", low=0.0)
    if rate != int(rate):
        raise DataError(f"{where}: config: 'sr' is {rate}, expected a whole number of Hz.")
    ref_db = _number(config, "ref_db", f"{where}: config") if config.get("ref_db") is not None else None
    groups = []
    for key, folder_key in ROLES.items():
        events = metadata.get(key) or []
        if not isinstance(events, list):
            raise DataError(f"{where}: '{key}' must be a list of events, found a {type(events).__name__}.")
        folder = _below(root, _get(config, folder_key, str, f"{where}: config"), where) if events else root
        groups.append(
            tuple(
                _event(event, folder, f"{where}: {key}[{index}]", spatial=key != "bg_events")
                for index, event in enumerate(events)
            )
        )
    room = None
    direct = None
    if groups[0] or groups[1] or "room" in metadata:
        room_metadata = _room_arguments(metadata, where)
        room = _below(root, _get(room_metadata, "sofa_path", str, f"{where}: room"), where)
        direct = room_metadata.get("direct_range_ms")
        if direct is not None:
            if not (isinstance(direct, list) and len(direct) == 2 and all(is_number(value) for value in direct)):
                raise DataError(f"{where}: room: 'direct_range_ms' is {shown(direct)}, expected [before, after].")
            direct = (float(direct[0]), float(direct[1]))
    if room is None and not groups[2]:
        raise DataError(f"{where}: neither a room nor 'bg_events'; nothing tells how many channels the scene has.")
    return SceneDescription(duration, int(rate), ref_db, *groups, room, direct)


def _room_arguments(metadata: Mapping, where: str) -> Mapping:
    arguments = _get(_get(metadata, "room", dict, where), "args", dict, f"{where}: room")
    return _get(arguments, "metadata", dict, f"{where}: room: args")


def _event(event, folder: Path, where: str, spatial: bool) -> Event:
    if not isinstance(event, Mapping):
        raise DataError(f"{where}: expected an event, a JSON object; found a {type(event).__name__}.")
    label = event.get("label")
    if spatial and not is_file_name(label):  # it becomes a part of file names
        raise DataError(f"{where}: 'label' is {shown(label)}, expected a class label, without '/'.")
    position = None
    if spatial:
        position = event.get("event_position")
        position = position[0] if isinstance(position, list) and len(position) == 1 else position
        if not (isinstance(position, list) and len(position) == 3 and all(is_number(value) for value in position)):
            raise DataError(f"{where}: 'event_position' is {shown(event.get('event_position'))}, expected [[x, y, z]].")
        position = tuple(float(value) for value in position)
    return Event(
        label=label,
        path=_below(folder, _get(event, "source_file", str, where), where),
        source_time=_number(event, "source_time", where, low=0.0, inclusive=True),
        onset=_number(event, "event_time", where, low=0.0, inclusive=True),
        duration=_number(event, "event_duration", where, low=0.0),
        snr=_number(event, "snr", where),
        position=position,
    )


def _get(mapping: Mapping, key: str, kind: type, where: str):
    value = mapping.get(key)
    if not isinstance(value, kind):
        found = f"is {shown(value)}" if key in mapping else "is missing"
        name = {dict: "an object", str: "a string"}[kind]
        raise DataError(f"{where}: '{key}' {found}, expected {name}.")
    return value


def _number(mapping: Mapping, key: str, where: str, low: float | None = None, inclusive: bool = False) -> float:
    value = mapping.get(key)
    found = f"is {shown(value)}" if key in mapping else "is missing"
    if not is_number(value):
        raise DataError(f"{where}: '{key}' {found}, expected a number.")
    if low is not None and (value < low or (value == low and not inclusive)):
        least = "of at least" if inclusive else "above"
        raise DataError(f"{where}: '{key}' {found}, expected a number {least} {low:g}.")
    return float(value)


def _below(folder: Path, written: str, where: str) -> Path:
    """Return the path ``written`` in the metadata below ``folder``; what stands before ``dev_set/`` is left out."""
    relative = written.replace("\\", "/")
    if "dev_set/" in relative:
        relative = relative.rpartition("dev_set/")[2]
    return path_below(folder, relative, where)


def compose_metadata(scene: SceneDescription, corpus: Corpus, settings: DrawSettings) -> dict:
    """Return the metadata of a scene drawn from ``corpus`` with ``settings``; :func:`parse_metadata` gives it back."""
    split = corpus.split
    sofa_path = f"dev_set/room_ir/{split}/{scene.room_path.name}"
    direct = list(settings.direct_range_ms)
    room = next(room for room in corpus.rooms if Path(room.path) == scene.room_path)
    room_metadata = {
        "sofa_path": sofa_path,
        "sr": settings.sample_rate,
        "nchan": room.num_channels,
        "nrir": len(room),
        "rir_len": math.ceil(room.num_samples * settings.sample_rate / room.sample_rate),
        "direct_range_ms": direct,
    }
    room_config = {"path": sofa_path, "direct_range_ms": direct}
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
    return {
        "label": event.label,
        "source_file": event.path.relative_to(folder).as_posix(),
        "source_time": event.source_time,
        "event_time": event.onset,
        "event_duration": event.duration,
        "event_position": None if event.position is None else [list(event.position)],
        "snr": event.snr,
        "role": role,
    }
