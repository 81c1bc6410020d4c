"""Training curves, and the models that a system consists of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from s5lib.evaluation import FIGURES
from s5lib.report.charts import Line, lines, minus, rounded
from s5lib.report.experiment import Experiment, System, TrainedModel

__all__ = ["curve_views", "made_of"]

_NO_FIGURES = {"step", "loss", "valid_loss", "lr", "mixtures_per_second", "waiting_for_data"}


def curve_views(experiments: Sequence[Experiment]) -> list[dict]:
    """Return, for each kind of model and step of its training, charts of the losses and of each validation figure."""
    found: dict[tuple[str, str], list[tuple[str, list[dict]]]] = {}
    several = len(experiments) > 1
    for experiment in experiments:
        for model in experiment.shown_models:
            name = f"{experiment.name}: {model.name}" if several else model.name
            for step, history in model.history.items():
                if history:
                    found.setdefault((model.kind, step), []).append((name, history))
    views = []
    for (kind, step), runs in found.items():
        figures = dict.fromkeys(key for _, rows in runs for row in rows for key in row if key not in _NO_FIGURES)
        panels = [("loss", 2, _losses(runs))]
        for name in figures:
            figure = FIGURES.get(name)
            heading, digits = (figure.heading, figure.digits) if figure else (name.replace("_", " "), 2)
            panels.append((heading, digits, _figure(runs, name)))
        title = kind.replace("_", " ").capitalize() + ("" if step == "train" else f", step {step}")
        charts: list[tuple[str, Markup]] = []
        single: dict[str, list[str]] = {}
        for heading, digits, drawn in panels:
            if any(len(line.points) > 1 for line in drawn):
                charts.append((heading, lines(f"{title}: {heading}", drawn, digits)))
                continue
            for line in drawn:  # one point is no curve
                (at, value), (run, _, part) = line.points[0], line.name.partition(", ")
                text = f"{heading} {minus(f'{value:.{digits}f}')}" + (f" ({part})" if part else "")
                single.setdefault(f"{run} at step {at}", []).append(text)
        points = [f"{run}: {', '.join(values)}" for run, values in single.items()]
        views.append({"title": title, "charts": charts, "single": points, "runs": [name for name, _ in runs]})
    return views


def _losses(runs) -> list[Line]:
    drawn = []
    for number, (name, rows) in enumerate(runs):
        for key, part in (("loss", "training"), ("valid_loss", "validation")):
            points = [(row["step"], row[key]) for row in rows if key in row]
            if points:
                drawn.append(Line(f"{name}, {part}", points, number, dashed=key == "loss"))
    return drawn


def _figure(runs, figure: str) -> list[Line]:
    factor = 100 if figure in FIGURES and FIGURES[figure].unit == "%" else 1
    drawn = [
        Line(name, [(row["step"], factor * row[figure]) for row in rows if figure in row], number)
        for number, (name, rows) in enumerate(runs)
    ]
    return [line for line in drawn if line.points]


def made_of(experiment: Experiment, system: System | None, experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    """Return an entry for each model of ``system`` or, without one, for each model trained in ``experiment``."""
    if system is None:
        return [_entry(model) for model in experiment.models]
    known = [*experiment.models, *(model for other in experiments for model in other.models)]  # its own ones first
    used = []
    for kind, named in system.models.items():
        digest = str(named.get("sha256", "?"))
        model = next((model for model in known if digest in model.digests), None)
        if model is None:
            config = {"kind": kind, "name": "of another experiment", "options": {"sha256": digest}}
            model = TrainedModel(str(named.get("file", "")), Path(), config, {})
        used.append(_entry(model, model.digests.get(digest, "")))
    return used


def _entry(model: TrainedModel, step: str = "") -> dict[str, Any]:
    config = model.config
    steps = {name: values for name, values in _mapping(config, "steps").items() if isinstance(values, dict)}
    aligners = [str(values["aligner"]) for values in steps.values() if "aligner" in values]
    return {
        "kind": model.kind.replace("_", " "),
        "folder": model.name,
        "name": str(config.get("name", "?")),
        "version": f"{config.get('distribution', '')} {config.get('version', '')}".strip(),
        "steps": [
            f"{name}: {values.get('max_steps', '?')} steps of {values.get('batch_size', '?')} mixtures, "
            f"learning rate {rounded(values.get('lr', '?'))}"
            + (f", aligner {values['aligner']}" if "aligner" in values else "")
            for name, values in steps.items()
        ],
        "total": _total(model, step),
        "only": step,
        # a tagger's loss has none
        "aligner": aligners[-1] if aligners and model.kind != "tagger" else "",
        "seed": str(config.get("seed", "?")),
        "options": [(str(key), rounded(value)) for key, value in _mapping(config, "options").items()],
        "made_with": ", ".join(f"{name} {version}" for name, version in _mapping(config, "made_with").items()),
    }


def _mapping(config: dict[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def _total(model: TrainedModel, last: str) -> int:
    """Return how many steps were trained, as far as logged, up to the step of the name ``last``; 0: unknown."""
    count = 0
    for name, rows in model.history.items():
        count += rows[-1]["step"] if rows else 0
        if name == last:
            break
    return count
