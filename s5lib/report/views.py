"""The scores as plain values for the template: numbers come from here, words from there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from s5lib.errors import DataError
from s5lib.evaluation import FIGURES, Estimate, Figure, compare, difference_of_means, scene_set
from s5lib.evaluation.comparable import check_same_set
from s5lib.evaluation.figures import Group, paired
from s5lib.evaluation.results import MAIN_FIGURES
from s5lib.evaluation.significance_text import describe
from s5lib.metrics import SceneScore
from s5lib.report.charts import PlanePoint, bars, boxes, plane, shade, shown, signed, strip
from s5lib.report.confusion import confusion
from s5lib.report.experiment import System

__all__ = [
    "COLUMNS",
    "Card",
    "Cell",
    "above_best_gain",
    "cards",
    "confusion_views",
    "difference_views",
    "distribution_charts",
    "plane_view",
    "score_charts",
    "score_rows",
]

COLUMNS = [FIGURES[name] for name in MAIN_FIGURES]
"""Of the tables of scores; from the fifth on they are floors."""
_CA_PI_SDRI, _SOURCE_ACCURACY, _, _PI_SDRI, *_FLOORS = COLUMNS
_BEST_GAIN = FIGURES["best_gain_floor"]
_ALL: Group = ("set", "all")


@dataclass(frozen=True)
class Cell:
    """A number of a table: what is shown, and what it is sorted by."""

    text: str
    interval: str = ""
    sort: float | None = None
    """None: there is no value."""


@dataclass(frozen=True)
class Card:
    """A number that stands out at the head of the page, or a short list of them."""

    title: str
    value: Cell | None = None
    unit: str = ""
    lines: tuple[tuple[str, str], ...] = ()
    """Names and values, in place of one value."""


def cards(system: System) -> list[Card]:
    """Return the main figures of a system, what it adds to the best-gain floor, and the floors."""
    summary = system.summary
    found = [Card(figure.title, _cell(summary.estimate(figure, _ALL), figure), figure.unit) for figure in COLUMNS[:4]]
    above = above_best_gain(system)
    if above:
        value, _, ends = signed(above).partition(" ")
        found.append(Card("PI-SDRi above the best-gain floor", Cell(value, ends.strip("()"), above.value), "dB"))
    floors = [(figure.title.removeprefix("floor: "), summary.estimate(figure, _ALL)) for figure in _FLOORS[1:]]
    lines = tuple((name, f"{shown(Estimate(floor.value))} dB") for name, floor in floors if floor)
    return [*found, Card("Floors, oracle labels", lines=lines)] if lines else found


def above_best_gain(system: System) -> Estimate | None:
    """Return by how much PI-SDRi with oracle labels exceeds the best-gain floor, in dB; None without either."""
    scores = [(r.oracle, r.best_gain) for r in system.summary.recordings if r.oracle and r.best_gain]
    if len(scores) < len(system.summary.recordings):
        return None
    return difference_of_means([oracle for oracle, _ in scores], [floor for _, floor in scores])


def difference_views(systems: Sequence[System]) -> list[dict[str, Any]]:
    """Return how each system differs from the first, mixture by mixture: a strip of intervals, and words.

    Where the two were scored in different ways, the reason in place of these.
    """
    return [_difference(systems[0], other) for other in systems[1:]]


def _difference(first: System, other: System) -> dict[str, Any]:
    names = other.name, first.name
    view: dict[str, Any]
    recordings = first.summary.recordings
    view = {"title": f"{other.name} minus {first.name}", "picture": None, "sentences": [], "missing": ""}
    try:
        check_same_set(recordings, other.summary.recordings, (first.name, other.name))
    except DataError as error:
        return view | {"missing": str(error)}
    by_id = {recording.id: recording for recording in other.summary.recordings}
    theirs, rows = [by_id[recording.id] for recording in recordings], []
    for figure in (_CA_PI_SDRI, _PI_SDRI):
        if pairs := paired(theirs, recordings, figure):
            result = compare(*zip(*pairs, strict=True))
            view["sentences"].append(describe(result, figure.title, names))
            if result.difference:
                rows.append((figure.title.partition(",")[0], result.difference))
    if rows:
        view["picture"] = strip(f"Difference: {view['title']}", rows, "difference [dB], 95 % interval")
    return view


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
    """Return the groups that any of the systems has, in the order of tables."""
    found = {group for system in systems for group in system.summary.names(*kinds)}
    order = {"all": 0, "DupSet": 1, "NoDupSet": 2, "zero-target": 3}
    return sorted(
        found - {("sources", "0")},  # the same mixtures as zero-target
        key=lambda group: (kinds.index(group[0]), order.get(group[1], 0), group[1]),
    )


def _name(group: Group) -> str:
    if group[0] != "sources":
        return "all mixtures" if group == _ALL else group[1]
    return "1 source" if group[1] == "1" else f"{group[1]} sources"


def _cell(estimate: Estimate | None, figure: Figure) -> Cell:
    if estimate is None:
        return Cell("\u2013")
    value, _, ends = shown(estimate, figure.digits).partition(" ")
    return Cell(value, "" if figure in _FLOORS else ends.strip("()"), round(estimate.value, 6))


def score_charts(systems: Sequence[System]) -> list[tuple[str, Markup]]:
    """Return a chart of bars for each figure but the floors: by set and by number of sources.

    Scenes without a target have no PI-SDRi, so that no chart has a row of them; they are in the table.
    """
    charts = []
    groups = [group for group in _groups(systems, ("set", "sources")) if group != ("set", "zero-target")]
    for figure in COLUMNS[:4]:
        rows, floors = [], []
        for group in groups:
            estimates = [system.summary.estimate(figure, group) for system in systems]
            if any(estimates):
                rows.append((_name(group), estimates))
                floor = systems[0].summary.estimate(_BEST_GAIN, group) if figure == _PI_SDRI else None
                floors.append(floor.value if floor else None)
        if rows:
            whiskers = any(e and e.low is not None for _, estimates in rows for e in estimates)
            unit = f"{figure.unit}, whiskers: 95 % interval" if whiskers else figure.unit
            charts.append((figure.title, bars(figure.title, rows, unit, floors)))
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
    """Return the plane of Fig. 5 and the rows of its table; None with fewer than two systems that have all figures."""
    points: list[PlanePoint] = []
    for system in systems:
        value, accuracy, separation = (
            system.summary.estimate(figure, _ALL) for figure in (_CA_PI_SDRI, _SOURCE_ACCURACY, _PI_SDRI)
        )
        if value and accuracy and separation:
            points.append(PlanePoint(len(points) + 1, system.name, accuracy, separation, value.value))
    if len(points) < 2:
        return None
    figures = (_SOURCE_ACCURACY, _PI_SDRI, _CA_PI_SDRI)
    rows = [(p.number, p.name, *map(_cell, (p.x, p.y, Estimate(p.value)), figures)) for p in points]
    picture = plane(points, _SOURCE_ACCURACY.heading, _PI_SDRI.heading)
    return {"picture": picture, "columns": figures, "rows": rows}
