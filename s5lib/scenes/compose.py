"""What was drawn, as scene metadata of the DCASE 2026 format; :mod:`s5lib.scenes.metadata` describes it."""

from __future__ import annotations

import math
import os

from s5lib.scenes.settings import DrawSettings
from s5lib.scenes.sofa import Room

__all__ = ["compose_metadata"]

ROOM_MODULE = "src.modules.spatial_audio_synthesizer.room"
"""What the challenge's own tools look for in the files."""


def compose_metadata(
    settings: DrawSettings,
    split: str,
    room: Room,
    targets: list[dict],
    interferences: list[dict],
    noise_file: str,
    noise_time: float,
) -> dict:
    """Return a scene's metadata, events sorted by time.

    Args:
        settings: what the scene was drawn with.
        split: folder name below ``sound_event``, ``interference``, ``noise`` and ``room_ir``.
        room: where the scene takes place.
        targets: events, as in the metadata.
        interferences: the same.
        noise_file: path below ``noise/SPLIT``.
        noise_time: where the scene begins in it, seconds.
    """
    sofa_path = f"dev_set/room_ir/{split}/{os.path.basename(room.path)}"
    direct = list(settings.direct_range_ms)
    background = {
        "label": None,
        "source_file": noise_file,
        "source_time": noise_time,
        "event_time": 0.0,
        "event_duration": settings.duration,
        "event_position": None,
        "snr": 0.0,
        "role": "background",
    }
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
        "fg_events": sorted(targets, key=lambda event: event["event_time"]),
        "bg_events": [background],
        "int_events": sorted(interferences, key=lambda event: event["event_time"]),
        "room": {"module": ROOM_MODULE, "main": "SofaRoom.from_metadata", "args": {"metadata": room_metadata}},
    }
