"""What the mini corpus holds: its classes, its splits and how many of each."""

from __future__ import annotations

from dataclasses import dataclass

from s5lib.corpora.mini.alarm import alarm_clock
from s5lib.corpora.mini.bells import bicycle_bell, doorbell
from s5lib.corpora.mini.drums import percussion
from s5lib.corpora.mini.impacts import clapping, footsteps
from s5lib.corpora.mini.keyboard import musical_keyboard
from s5lib.corpora.mini.machines import engine, vacuum_cleaner
from s5lib.corpora.mini.outdoors import bird_song, wind
from s5lib.corpora.mini.voice import speech
from s5lib.corpora.mini.water import pour, rain

__all__ = ["INTERFERENCE", "SOUND_EVENTS", "SPLITS", "Counts"]

SOUND_EVENTS = {
    "AlarmClock": alarm_clock,
    "BicycleBell": bicycle_bell,
    "Clapping": clapping,
    "Doorbell": doorbell,
    "FootSteps": footsteps,
    "MusicalKeyboard": musical_keyboard,
    "Percussion": percussion,
    "Pour": pour,
    "Speech": speech,
    "VacuumCleaner": vacuum_cleaner,
}
"""Ten of the DCASE classes: label -> model."""

INTERFERENCE = {"BirdSong": bird_song, "Engine": engine, "Rain": rain, "Wind": wind}
"""Sounds that no label asks for: label -> model."""


@dataclass(frozen=True)
class Counts:
    """How much one split holds."""

    sources: int
    """Per class of sound events."""
    takes: int
    """Per source."""
    interference: int
    """Per class of interference."""
    noises: int
    rooms: int


SPLITS = {"train": Counts(28, 2, 10, 6, 6), "valid": Counts(8, 2, 4, 2, 2), "test": Counts(8, 2, 4, 2, 2)}
