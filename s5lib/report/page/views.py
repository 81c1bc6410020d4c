"""What the page says in each of its parts, as plain values for the template: numbers come from here, words from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from s5lib.metrics import Estimate, GroupScore, SceneScore, aggregate, scene_set
from s5lib.report.page.charts import Line, PlanePoint, bars, boxes, interval, lines, plane, shade
from s5lib.report.page.confusion import confusion
from s5lib.report.page.experiment import Experiment, System, TrainedModel

__all__ = [
    "Cell", "ScoredSystem", "confusion_views", "curve_views", "distribution_charts", "made_of", "plane_view", "score_charts",
    "score_rows", "scored",
]  # fmt: skip

MEASURES = (
    # name, column of the results, what of it, factor, digits, unit
    ("CA-PI-SDRi", "predicted", "sdri", 1, 2, "dB"),
    ("Source accuracy", "predicted", "source_accuracy", 100, 1, "%"),
    ("Mixture accuracy", "predicted", "mixture_accuracy", 100, 1, "%"),
    ("PI-SDRi, oracle labels", "oracle", "sdri", 1, 2, "dB"),
    ("Floor: mixture", "mixture", "sdri", 1, 2, "dB"),
    ("Floor: silence", "silence", "sdri", 1, 2, "dB"),
)
_FIGURES = {"ca_pi_sdri": "CA-PI-SDRi [dB]", "pi_sdri": "PI-SDRi [dB]"}
_NO_FIGURES = {"step", "loss", "valid_loss", "lr", "mixtures_per_second", "waiting_for_data"}


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
                rows.append({
                    "group": _name(group), "system": item.system.name, "series": number, "scenes": found.scenes,
                    "cells": [_cell(item.estimate(measure, group), measure) for measure in MEASURES],
                })  # fmt: skip
    return rows


def _group_names(systems: Sequence[ScoredSystem], kinds: Sequence[str]) -> list[tuple[str, str]]:
    names = dict.fromkeys(key for item in systems for column in item.groups.values() for key in column)
    names.pop(("sources", "0"), None)  # the same mixtures as zero-target
    order = {"all": 0, "DupSet": 1, "NoDupSet": 2, "zero-target": 3}
    return sorted((key for key in names if key[0] in kinds), key=lambda key: (kinds.index(key[0]), order.get(key[1], 0), key[1]))


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
        rows = [(_name(group), [item.estimate(measure, group) for item in systems]) for group in _group_names(systems, ("set", "sources"))]
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
    in_order = sorted(kinds.items(), key=lambda kv: (order.index(kv[0]) if kv[0] in order else len(order), len(kv[0]), kv[0]))
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
        sums = found.counts.sum(1)
        rows = [
            {
                "label": label,
                "cells": [
                    {
                        "text": f"{count:.1f}".removesuffix(".0") if count else "",
                        "shade": shade(count / sums[i], 0, 1) if count and i < len(found.labels) else (shade(count / max(found.counts[-1].max(), 1), 0, 1) if count else None),
                        "kind": "right" if i == j else "invented" if i == len(found.labels) else "missed" if j == len(found.labels) else "wrong",
                    }
                    for j, count in enumerate(row)
                ],
                "sum": f"{sums[i]:.1f}".removesuffix(".0"),
            }
            for i, (label, row) in enumerate(zip([*found.labels, "invented"], found.counts, strict=True))
        ]
        views.append({"system": item.system.name, "labels": [*found.labels, "missed"], "rows": rows})
    return views


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


def curve_views(experiments: Sequence[Experiment]) -> list[dict]:
    """Return, for each kind of model and step of its training, charts of the losses and of each validation figure."""
    found: dict[tuple[str, str], list[tuple[str, list[dict]]]] = {}
    several = len(experiments) > 1
    for experiment in experiments:
        for model in experiment.models:
            name = f"{experiment.name}: {model.name}" if several else model.name
            for step, history in model.history.items():
                if history:
                    found.setdefault((model.kind, step), []).append((name, history))
    views = []
    for (kind, step), runs in found.items():
        figures = dict.fromkeys(key for _, rows in runs for row in rows for key in row if key not in _NO_FIGURES)
        panels = [("loss", _losses(runs))] + [(figure, _figure(runs, figure)) for figure in figures]
        title = kind.replace("_", " ").capitalize() + ("" if step == "train" else f", step {step}")
        charts, single = [], []
        for key, drawn in panels:
            name = _FIGURES.get(key, key.replace("_", " ").capitalize() + (" [%]" if key.endswith("_accuracy") else ""))
            if any(len(line.points) > 1 for line in drawn):
                charts.append((name, lines(f"{title}: {name}", drawn)))
            else:  # one point is no curve
                single += [f"{name} {line.points[0][1]:.4g} ({line.name}, step {line.points[0][0]})" for line in drawn]
        told = "; ".join(single).replace("-", "\u2212") if single else ""
        views.append({"title": title, "charts": charts, "single": told, "runs": [name for name, _ in runs]})
    return views


def _losses(runs) -> list[Line]:
    drawn = []
    for number, (name, rows) in enumerate(runs):
        for key, told in (("loss", "training"), ("valid_loss", "validation")):
            points = [(row["step"], row[key]) for row in rows if key in row]
            if points:
                drawn.append(Line(f"{name}, {told}", points, number, dashed=key == "loss"))
    return drawn


def _figure(runs, figure: str) -> list[Line]:
    factor = 100 if figure.endswith("_accuracy") else 1
    drawn = [
        Line(name, [(row["step"], factor * row[figure]) for row in rows if figure in row], number)
        for number, (name, rows) in enumerate(runs)
    ]
    return [line for line in drawn if line.points]


def made_of(experiment: Experiment, system: System | None, experiments: Sequence[Experiment]) -> list[dict]:
    """Return what made ``system`` or, without one, what was trained in ``experiment``: one entry a model."""
    known = [model for other in experiments for model in other.models]
    if system is None:
        return [_model(model) for model in experiment.models]
    found = [model for model in known if system.digests & model.digests.keys()]
    used, seen = [], set()
    for model in found:
        for digest in system.digests & model.digests.keys() - seen:
            seen.add(digest)
            used.append(_model(model, model.digests[digest]))
    return used


def _model(model: TrainedModel, step: str = "") -> dict:
    config = model.config
    steps = config.get("steps") if isinstance(config.get("steps"), dict) else {}
    told = [
        f"{name}: {values.get('max_steps', '?')} steps of {values.get('batch_size', '?')} mixtures, "
        f"learning rate {values.get('lr', '?')}" + (f", aligner {values['aligner']}" if "aligner" in values else "")
        for name, values in steps.items() if isinstance(values, dict)
    ]  # fmt: skip
    made = config.get("made_with") if isinstance(config.get("made_with"), dict) else {}
    return {
        "kind": model.kind.replace("_", " "), "folder": model.name, "name": str(config.get("name", "?")),
        "version": f"{config.get('distribution', '?')} {config.get('version', '')}".strip(),
        "steps": told, "only": step, "seed": str(config.get("seed", "?")), "options": _options(config.get("options")),
        "made_with": ", ".join(f"{name} {version}" for name, version in made.items()),
    }  # fmt: skip


def _options(options) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in options.items()] if isinstance(options, dict) else []
