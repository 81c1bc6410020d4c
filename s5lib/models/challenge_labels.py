"""The classes of DCASE 2026 task 4, importable without torch."""

from __future__ import annotations

__all__ = ["LABELS"]

LABELS = (
    "AlarmClock",
    "BicycleBell",
    "Blender",
    "Buzzer",
    "Clapping",
    "Cough",
    "CupboardOpenClose",
    "Dishes",
    "Doorbell",
    "FootSteps",
    "HairDryer",
    "MechanicalFans",
    "MusicalKeyboard",
    "Percussion",
    "Pour",
    "Speech",
    "Typing",
    "VacuumCleaner",
)
"""In the order of their indices in the official checkpoints."""
