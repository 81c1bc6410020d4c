"""The scores as plain values for the template: numbers come from here, words from there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from s5lib.evaluation import FIGURES, Estimate, Figure, scene_set
from s5lib.evaluation.figures import Group
from s5lib.evaluation.results import MAIN_FIGURES
from s5lib.metrics import SceneScore
from s5lib.report.charts import PlanePoint, bars, boxes, plane, shade, shown
from s5lib.report.confusion import confusion
from s5lib.report.experiment import System

__all__ = [
    "COLUMNS",
    "Cell",
    "confusion_views",
    "distribution_charts",
    "plane_view",
    "score_charts",
    "score_rows",
]

COLUMNS = [FIGURES[name] for name in MAIN_FIGURES]
"""Of the tables of scores; the last two are the floors."""
_CA_PI_SDRI, _SOURCE_ACCURACY, _, _PI_SDRI, *_FLOORS = COLUMNS


@dataclass(frozen=True)
class Cell:
    """A number of a table: what is shown, and what it is sorted by."""

    text: str
    interval: str = ""
    sort: float | None = None
    """None: there is no value."""


def score_rows(systems: Sequence[System], *kinds: str) -> list[dict[str, Any]]:
    """Return the rows of a table: each group of ``kinds`` (``set``, ``sources``, ``class``) for each system."""
    return [
        {
            "group": _name(group),
            "system": system.name,
            "series": number,
            "scenes": system.summary.names(*kinds)[group],
            "cells": [_cell(system.summary.estimate(figure, group), figure) for figure in COLUMNS],
        }
        for group in _groups(systems, kinds)
        for number, system in enumerate(systems)
        if group in system.summary.names(*kinds)
    ]


def _groups(systems: Sequence[System], kinds: Sequence[str]) -> list[Group]:
    found = {group for system in systems for group in system.summary.names(*kinds)}
    order = {"all": 0, "DupSet": 1, "NoDupSet": 2, "zero-target": 3}
    return sorted(
        found - {("sources", "0")},  # the same mixtures as zero-target
        key=lambda group: (kinds.index(group[0]), order.get(group[1], 0), group[1]),
    )


def _name(group: Group) -> str:
    if group[0] != "sources":
        return "all mixtures" if group == ("set", "all") else group[1]
    return "1 source" if group[1] == "1" else f"{group[1]} sources"


def _cell(estimate: Estimate | None, figure: Figure) -> Cell:
    if estimate is None:
        return Cell("\u2013")
    value, _, ends = shown(estimate, figure.digits).partition(" ")
    return Cell(value, "" if figure in _FLOORS else ends.strip("()"), round(estimate.value, 6))


def score_charts(systems: Sequence[System]) -> list[tuple[str, Markup]]:
    """Return a chart of bars for each figure but the floors: by set and by number of sources."""
    charts = []
    for figure in COLUMNS[:4]:
        rows = [
            (_name(group), [system.summary.estimate(figure, group) for system in systems])
            for group in _groups(systems, ("set", "sources"))
        ]
        rows = [(name, estimates) for name, estimates in rows if any(estimates)]
        if rows:
            charts.append((figure.title, bars(figure.title, rows, figure.unit)))
    return charts


def distribution_charts(systems: Sequence[System]) -> list[tuple[str, Markup]]:
    """Return boxes of the SDRi of single sources: by kind of scene and number of sources, and by class."""
    kinds: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in systems])
    classes: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in systems])
    for number, system in enumerate(systems):
        for score in _separation_scores(system):
            names = ("all mixtures", scene_set(score), _name(("sources", str(score.tp + score.fn))))
            for pair in score.pairs:
                classes[str(pair.reference_label)][number].append(pair.sdri)
                for name in names:
                    kinds[name][number].append(pair.sdri)
    order = {"all mixtures": 0, "DupSet": 1, "NoDupSet": 2}
    by_kind = sorted(kinds.items(), key=lambda row: (order.get(row[0], 3), len(row[0]), row[0]))
    charts = [
        (title, boxes(f"SDRi {title.lower()}", rows, "SDRi [dB]"))
        for title, rows in (("By kind of scene", by_kind), ("By class", sorted(classes.items())))
    ]
    return [(title, picture) for title, picture in charts if picture]


def _separation_scores(system: System) -> Iterator[SceneScore]:
    """Yield the scores of the separation: with oracle labels or, where there are none, predicted ones."""
    kind = "oracle" if system.has_oracle else "predicted"
    return (score for recording in system.summary.recordings if (score := getattr(recording, kind)))


def confusion_views(systems: Sequence[System]) -> list[dict[str, Any]]:
    """Return a matrix for each system that was scored with predicted labels."""
    views = []
    for system in systems:
        scores = [recording.predicted for recording in system.summary.recordings if recording.predicted]
        if len(scores) < len(system.summary.recordings):
            continue
        found = confusion(scores)
        rows = [
            {"label": label, "cells": _confused(found.counts, row), "sum": _count(found.counts[row].sum())}
            for row, label in enumerate([*found.labels, "false positives"])
        ]
        views.append({"system": system.name, "labels": [*found.labels, "missed"], "rows": rows})
    return views


def _confused(counts: np.ndarray, row: int) -> list[dict[str, Any]]:
    """Return a row's cells: text, kind, and colour by the share of the class or, of false positives, of the most."""
    last = len(counts) - 1
    whole = counts[row].max() if row == last else counts[row].sum()
    kinds = ["right" if row == column else "wrong" for column in range(last)] + ["missed"]
    return [
        {"text": _count(count) if count else "", "kind": kind, "shade": shade(count, 0, whole) if count else None}
        for count, kind in zip(counts[row], kinds, strict=True)
    ]


def _count(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def plane_view(systems: Sequence[System]) -> dict[str, Any] | None:
    """Return the plane of Fig. 5 and the rows of its table; None without a system that has all three figures."""
    points: list[PlanePoint] = []
    for system in systems:
        value, accuracy, separation = (
            system.summary.estimate(figure, ("set", "all")) for figure in (_CA_PI_SDRI, _SOURCE_ACCURACY, _PI_SDRI)
        )
        if value and accuracy and separation:
            points.append(PlanePoint(len(points) + 1, system.name, accuracy, separation, value.value))
    if not points:
        return None
    figures = (_SOURCE_ACCURACY, _PI_SDRI, _CA_PI_SDRI)
    rows = [(p.number, p.name, *map(_cell, (p.x, p.y, Estimate(p.value)), figures)) for p in points]
    picture = plane(points, _SOURCE_ACCURACY.heading, _PI_SDRI.heading)
    return {"picture": picture, "columns": figures, "rows": rows}
