"""What the models of a system were trained on, by the headers of their checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from s5lib.data.statistics import MixtureStatistics
from s5lib.errors import CheckpointError
from s5lib.untrusted import Record

__all__ = ["WINDOW", "suitable_window", "training_statistics"]

WINDOW = 10.0
"""Seconds that models hear at once if their checkpoints do not say how long their training scenes were."""
SHORTEST, LONGEST = 0.5, 600.0  # of windows


def suitable_window(headers: Iterable[Mapping[str, Any]]) -> float:
    """Return the duration of the training scenes in seconds, the longest of the models'.

    Raises:
        CheckpointError: a header is damaged.
    """
    records = [Record(header.get("trained_on", {}), "trained_on", error=CheckpointError) for header in headers]
    found = [record.number("duration", above=0) for record in records if "duration" in record]
    return min(max(SHORTEST, *found), LONGEST) if found else WINDOW


def training_statistics(headers: Iterable[Mapping[str, Any]]) -> MixtureStatistics | None:
    """Return the statistics of the training mixtures, of the first model that has them.

    Raises:
        CheckpointError: a header is damaged.
    """
    for header in headers:
        record = Record(header.get("trained_on", {}), "trained_on", error=CheckpointError)
        if "statistics" in record:
            return MixtureStatistics.read(record.record("statistics"))
    return None
