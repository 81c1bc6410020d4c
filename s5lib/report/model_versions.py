"""What the page says of training: curves, and which models a system is made of."""

from __future__ import annotations

from collections.abc import Sequence

from s5lib.report.charts import Line, lines
from s5lib.report.experiment import Experiment, System, TrainedModel

__all__ = ["curve_views", "made_of"]

_FIGURES = {"ca_pi_sdri": "CA-PI-SDRi [dB]", "pi_sdri": "PI-SDRi [dB]"}
_NO_FIGURES = {"step", "loss", "valid_loss", "lr", "mixtures_per_second", "waiting_for_data"}


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
        charts, single = [], {}
        for key, drawn in panels:
            name = _FIGURES.get(key, key.replace("_", " ").capitalize() + (" [%]" if key.endswith("_accuracy") else ""))
            if any(len(line.points) > 1 for line in drawn):
                charts.append((name, lines(f"{title}: {name}", drawn)))
                continue
            for line in drawn:  # one point is no curve
                at, value = line.points[0][0], f"{line.points[0][1]:.4g}".replace("-", "\u2212")
                single.setdefault(f"{line.name.partition(', ')[0]} at step {at}", []).append(
                    f"{name.lower() if name.startswith('Loss') else name} {value}"
                    + (" (training)" if line.dashed else " (validation)" if key == "loss" else "")
                )
        told = [f"{run}: {', '.join(values)}" for run, values in single.items()]
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
    known = [*experiment.models, *(model for other in experiments for model in other.models)]  # its own ones first
    if system is None:
        return [_model(model) for model in experiment.models]
    used = []
    for kind, named in system.models.items():
        digest = str(named.get("sha256", ""))
        model = next((model for model in known if digest in model.digests), None)
        used.append(_model(model, model.digests[digest]) if model else _unknown(kind, named))
    return used


def _unknown(kind: str, named: dict) -> dict:
    """Return an entry for a model that none of the experiments holds."""
    return {
        "kind": kind.replace("_", " "),
        "folder": str(named.get("file", "")),
        "name": "of another experiment",
        "version": "",
        "steps": [],
        "total": 0,
        "only": "",
        "aligner": "",
        "seed": "",
        "made_with": "",
        "options": [("sha256", str(named.get("sha256", "?")))],
    }


def _model(model: TrainedModel, step: str = "") -> dict:
    config = model.config
    steps = config.get("steps") if isinstance(config.get("steps"), dict) else {}
    told = [
        f"{name}: {values.get('max_steps', '?')} steps of {values.get('batch_size', '?')} mixtures, "
        f"learning rate {values.get('lr', '?')}" + (f", aligner {values['aligner']}" if "aligner" in values else "")
        for name, values in steps.items()
        if isinstance(values, dict)
    ]
    made = config.get("made_with") if isinstance(config.get("made_with"), dict) else {}
    return {
        "kind": model.kind.replace("_", " "),
        "folder": model.name,
        "name": str(config.get("name", "?")),
        "version": f"{config.get('distribution', '?')} {config.get('version', '')}".strip(),
        "steps": told,
        "total": _total(model, step),
        "only": step,
        "aligner": _aligner(model.kind, steps),
        "seed": str(config.get("seed", "?")),
        "options": _options(config.get("options")),
        "made_with": ", ".join(f"{name} {version}" for name, version in made.items()),
    }


def _total(model: TrainedModel, last: str) -> int:
    """Return how many steps were trained as far as was logged, up to the step of the name ``last``; 0: not known."""
    count = 0
    for name, rows in model.history.items():
        count += rows[-1]["step"] if rows else 0
        if name == last:
            break
    return count


def _aligner(kind: str, steps: dict) -> str:
    """Return the aligner of the loss where it makes a difference, empty elsewhere."""
    found = [str(values["aligner"]) for values in steps.values() if isinstance(values, dict) and "aligner" in values]
    return found[-1] if found and kind != "tagger" else ""


def _options(options) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in options.items()] if isinstance(options, dict) else []
