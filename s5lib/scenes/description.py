"""A scene as a value: which part of which recording is heard when, from where and how loud, in which room.

:class:`s5lib.scenes.SceneDrawer` draws descriptions, :mod:`s5lib.scenes.dcase_json` reads them from the challenge's
files, and a renderer turns them into waveforms.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from s5lib.errors import DataError

__all__ = ["Event", "SceneDescription"]


@dataclass(frozen=True)
class Event:
    """One sound of a scene."""

    label: str
    """Class of a target or an interference; empty for noise."""
    path: Path
    """The recording."""
    source_time: float
    """Where the sound begins in the recording, seconds."""
    onset: float
    """Where it begins in the scene, seconds."""
    duration: float
    """Of the part of the recording, seconds."""
    snr: float
    """Level above the scene's ``ref_db``, dB."""
    position: tuple[float, float, float] | None
    """A position of the room, as in its SOFA file or Cartesian; None for noise."""
    speed: float = 1.0
    """How fast it is played, its pitch changing with it."""
    filter_db: tuple[float, ...] = ()
    """Gains at :data:`s5lib.scenes.augment.FILTER_HZ`, dB; empty: it is not filtered."""
    repeats: int = 1
    """How often it is heard."""
    pause: float = 0.0
    """Between repetitions, seconds."""

    @property
    def length(self) -> float:
        """How long it is heard, in seconds, without reverberation."""
        return self.repeats * self.duration / self.speed + (self.repeats - 1) * self.pause


@dataclass(frozen=True)
class SceneDescription:
    """All that determines a scene; paths can be opened as they are."""

    duration: float
    """In seconds."""
    sample_rate: int
    """In Hz."""
    ref_db: float | None
    """Level of the noise, dB relative to full scale; None: the renderer's."""
    targets: tuple[Event, ...]
    interferences: tuple[Event, ...]
    noises: tuple[Event, ...]
    room_path: Path | None
    """SOFA file; None for a scene of noise alone."""
    direct_range_ms: tuple[float, float] | None
    """What belongs to the direct path, before and after the response's peak; None: the renderer's."""
    rotation: tuple[float, bool, bool] | None = None
    """Of the sound field, see :func:`s5lib.scenes.augment.rotation_matrix`; None: as it is in the room."""

    @property
    def num_samples(self) -> int:
        """T, the scene's length."""
        return round(self.duration * self.sample_rate)

    @property
    def sofa_path(self) -> str:
        """Path of the room's SOFA file.

        Raises:
            DataError: the scene has no room.
        """
        if self.room_path is None:
            raise DataError("the scene has sound positions, but no room.")
        return os.fspath(self.room_path)

    @property
    def files(self) -> list[Path]:
        """The recordings and the room that it is made from, each once."""
        paths = [event.path for event in self.events + self.noises]
        return sorted({*paths, *([self.room_path] if self.room_path else [])})

    @property
    def events(self) -> tuple[Event, ...]:
        """Targets, then interferences: the sounds that have a position in the room."""
        return self.targets + self.interferences
