"""What the page says of scores, as plain values for the template: numbers come from here, words from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from s5lib.evaluation import Estimate, GroupScore, aggregate, scene_set
from s5lib.metrics import SceneScore
from s5lib.report.charts import PlanePoint, bars, boxes, interval, plane, shade
from s5lib.report.confusion import confusion
from s5lib.report.experiment import System

__all__ = [
    "MEASURES",
    "Cell",
    "ScoredSystem",
    "confusion_views",
    "distribution_charts",
    "plane_view",
    "score_charts",
    "score_rows",
    "scored",
    "separation_scores",
]

MEASURES = (
    # name, column of the results, what of it, factor, digits, unit
    ("CA-PI-SDRi", "predicted", "sdri", 1, 2, "dB"),
    ("Source accuracy", "predicted", "source_accuracy", 100, 1, "%"),
    ("Mixture accuracy", "predicted", "mixture_accuracy", 100, 1, "%"),
    ("PI-SDRi, oracle labels", "oracle", "sdri", 1, 2, "dB"),
    ("Floor: mixture", "mixture", "sdri", 1, 2, "dB"),
    ("Floor: silence", "silence", "sdri", 1, 2, "dB"),
)


@dataclass(frozen=True)
class Cell:
    """A number of a table: what is shown, and what it is sorted by."""

    text: str
    interval: str = ""
    sort: float | str | None = None
    """None: there is no value."""


@dataclass(frozen=True)
class ScoredSystem:
    """A system and its means."""

    system: System
    groups: dict[str, dict[tuple[str, str], GroupScore]]
    """By column of the results (``predicted``, ``oracle``, ``mixture``, ``silence``), by group and name."""

    def estimate(self, measure: tuple, group: tuple[str, str]) -> Estimate | None:
        """Return one of ``MEASURES`` for one group, in the measure's unit."""
        _, column, what, factor, _, _ = measure
        found = self.groups[column].get(group)
        value = found and getattr(found, what)
        if value is None:
            return None
        return Estimate(*(end if end is None else factor * end for end in (value.value, value.low, value.high)))

    @property
    def labels_known(self) -> bool:
        """Whether there are predicted labels, those of invented sources among them."""
        return all(scene.predicted is not None and scene.labels_known for scene in self.system.scenes)


def scored(system: System) -> ScoredSystem:
    """Take the means of a system's scores, as the table of results has them."""
    groups = {}
    for column in ("predicted", "oracle", "mixture", "silence"):
        scores = [getattr(scene, column) for scene in system.scenes]
        found = [] if any(score is None for score in scores) else aggregate(scores)
        groups[column] = {(g.group, g.name): g for g in found}
    result = ScoredSystem(system, groups)
    if not result.labels_known:  # whose class invented sources are is not known: no class's mean can be told
        groups["predicted"] = {key: group for key, group in groups["predicted"].items() if key[0] != "class"}
    return result


def score_rows(systems: Sequence[ScoredSystem], kinds: Sequence[str]) -> list[dict]:
    """Return the rows of a table: each group of ``kinds`` (``set``, ``sources``, ``class``) for each system."""
    rows = []
    for group in _group_names(systems, kinds):
        for number, item in enumerate(systems):
            found = next((columns[group] for columns in item.groups.values() if group in columns), None)
            if found is not None:
                rows.append(
                    {
                        "group": _name(group),
                        "system": item.system.name,
                        "series": number,
                        "scenes": found.scenes,
                        "cells": [_cell(item.estimate(measure, group), measure) for measure in MEASURES],
                    }
                )
    return rows


def _group_names(systems: Sequence[ScoredSystem], kinds: Sequence[str]) -> list[tuple[str, str]]:
    names = dict.fromkeys(key for item in systems for column in item.groups.values() for key in column)
    names.pop(("sources", "0"), None)  # the same mixtures as zero-target
    order = {"all": 0, "DupSet": 1, "NoDupSet": 2, "zero-target": 3}
    return sorted(
        (key for key in names if key[0] in kinds), key=lambda key: (kinds.index(key[0]), order.get(key[1], 0), key[1])
    )


def _name(group: tuple[str, str]) -> str:
    if group[0] != "sources":
        return "all mixtures" if group == ("set", "all") else group[1]
    return "1 source" if group[1] == "1" else f"{group[1]} sources"


def _cell(estimate: Estimate | None, measure: tuple) -> Cell:
    if estimate is None:
        return Cell("\u2013")
    name, digits = measure[0], measure[4]
    value, _, ends = interval(estimate, digits).partition(" ")
    return Cell(value, "" if name.startswith("Floor") else ends.strip("()"), round(estimate.value, 6))


def score_charts(systems: Sequence[ScoredSystem]) -> list[tuple[str, Markup]]:
    """Return a chart of bars for each measure but the floors: by set and by number of sources."""
    charts = []
    for measure in MEASURES[:4]:
        rows = [
            (_name(group), [item.estimate(measure, group) for item in systems])
            for group in _group_names(systems, ("set", "sources"))
        ]
        rows = [(name, estimates) for name, estimates in rows if any(estimates)]
        if rows:
            charts.append((measure[0], bars(measure[0], rows, measure[5])))
    return charts


def distribution_charts(systems: Sequence[ScoredSystem]) -> list[tuple[str, Markup]]:
    """Return boxes of the SDRi of single sources: by kind of scene and number of sources, and by class."""
    kinds: dict[str, list[list[float]]] = {}
    classes: dict[str, list[list[float]]] = {}

    def put(table, name, number, value):
        table.setdefault(name, [[] for _ in systems])[number].append(value)

    for number, item in enumerate(systems):
        for score in separation_scores(item.system):
            for pair in score.pairs:
                put(kinds, "all mixtures", number, pair.sdri)
                put(kinds, scene_set(score), number, pair.sdri)
                put(kinds, _name(("sources", str(score.tp + score.fn))), number, pair.sdri)
                put(classes, str(pair.reference_label), number, pair.sdri)
    order = ["all mixtures", "DupSet", "NoDupSet"]
    in_order = sorted(
        kinds.items(), key=lambda kv: (order.index(kv[0]) if kv[0] in order else len(order), len(kv[0]), kv[0])
    )
    charts = [("By kind of scene", boxes("SDRi by kind of scene", in_order, "SDRi [dB]"))]
    charts.append(("By class", boxes("SDRi by class", sorted(classes.items()), "SDRi [dB]")))
    return [(title, picture) for title, picture in charts if picture]


def separation_scores(system: System) -> Iterator[SceneScore]:
    """Yield the scores that tell of the separation: with oracle labels or, where there are none, predicted ones."""
    column = "oracle" if any(scene.oracle for scene in system.scenes) else "predicted"
    return (getattr(scene, column) for scene in system.scenes if getattr(scene, column))


def confusion_views(systems: Sequence[ScoredSystem]) -> list[dict]:
    """Return a matrix for each system whose labels are known."""
    views = []
    for item in systems:
        if not item.labels_known:
            continue
        found = confusion(scene.predicted for scene in item.system.scenes)
        rows = [
            {"label": label, "cells": _confused(found.counts, row), "sum": _count(found.counts[row].sum())}
            for row, label in enumerate([*found.labels, "invented"])
        ]
        views.append({"system": item.system.name, "labels": [*found.labels, "missed"], "rows": rows})
    return views


def _confused(counts: np.ndarray, row: int) -> list[dict]:
    """Return a row's cells: text, kind, and colour by the share of the class or, of invented sources, of the most."""
    last = len(counts) - 1
    whole = counts[row].max() if row == last else counts[row].sum()
    cells = []
    for column, count in enumerate(counts[row]):
        kind = "invented" if row == last else "missed" if column == last else "right" if row == column else "wrong"
        cells.append(
            {"text": _count(count) if count else "", "kind": kind, "shade": shade(count, 0, whole) if count else None}
        )
    return cells


def _count(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def plane_view(systems: Sequence[ScoredSystem]) -> dict | None:
    """Return the plane of Fig. 5 and the rows of its table; None without a system that has all three figures."""
    group, points = ("set", "all"), []
    for item in systems:
        value, accuracy, _, oracle = (item.estimate(measure, group) for measure in MEASURES[:4])
        if value and accuracy and oracle:
            points.append(PlanePoint(len(points) + 1, item.system.name, accuracy, oracle, value.value))
    if not points:
        return None
    picture = plane(points, "source accuracy [%]", "PI-SDRi with oracle labels [dB]")
    rows = [
        (p.number, p.name, _cell(p.x, MEASURES[1]), _cell(p.y, MEASURES[3]), _cell(Estimate(p.value), MEASURES[0]))
        for p in points
    ]
    return {"picture": picture, "rows": rows}
