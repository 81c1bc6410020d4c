"""Several runs of one comparison side by side: means over the runs of one name, their spread, and the differences.

A run is what ``s5lib score`` has written of it.  Runs of one name differ in their seed alone; those of different names are
what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s5lib.errors import ConfigError, DataError, nearest
from s5lib.evaluation import aggregate, scene_set
from s5lib.evaluation.records import SceneResult, read_results
from s5lib.metrics import SceneScore

__all__ = ["FIGURES", "SETS", "Comparison", "Figure", "compare_runs", "figure_of", "read_runs"]

SETS = ("DupSet", "NoDupSet", "both")
"""Scenes with several sources of one class, scenes of distinct classes, and both together; scenes without a target are
left out, as in the paper's test set."""


@dataclass(frozen=True)
class Figure:
    """What a run is measured by."""

    title: str
    scores: str
    """Which of a :class:`SceneResult`'s scores."""
    part: str
    """Of :class:`s5lib.metrics.GroupScore`."""
    scale: float
    digits: int
    unit: str


FIGURES = {
    "pi_sdri": Figure("PI-SDRi, oracle labels", "oracle", "sdri", 1, 2, "dB"),
    "oracle_ca_pi_sdri": Figure("CA-PI-SDRi, oracle labels", "oracle_ca_pi", "sdri", 1, 2, "dB"),
    "ca_pi_sdri": Figure("CA-PI-SDRi", "predicted", "sdri", 1, 2, "dB"),
    "source_accuracy": Figure("source accuracy", "predicted", "source_accuracy", 100, 1, "%"),
    "mixture_accuracy": Figure("mixture accuracy", "predicted", "mixture_accuracy", 100, 1, "%"),
}


@dataclass(frozen=True)
class Comparison:
    """One figure of all runs."""

    figure: Figure
    values: dict[str, dict[str, list[float] | None]]
    """Name -> set -> one value for each run of that name, in the figure's unit; None where a run has none."""

    def table(self) -> str:
        """Return Markdown: mean and standard deviation over the runs of each name, then differences to the first name.

        A difference is taken run by run, the first run of one name with the first of the other, so that its spread is
        that of runs which share a seed.
        """
        first, *others = self.values
        sets = list(self.values[first])
        rows = [f"| {self.figure.title} [{self.figure.unit}] | {' | '.join(sets)} |", "|---|" + "--:|" * len(sets)]
        for name, by_set in self.values.items():
            rows.append(f"| {name} | {' | '.join(self._cell(by_set[s]) for s in sets)} |")
        for name in others:
            cells = [self._difference(self.values[first][s], self.values[name][s]) for s in sets]
            if any(cell != "-" for cell in cells):
                rows.append(f"| {first} - {name} | {' | '.join(cells)} |")
        return "\n".join(rows) + "\n"

    def _difference(self, ours: Sequence[float] | None, theirs: Sequence[float] | None) -> str:
        if ours is None or theirs is None or len(ours) != len(theirs):
            return "-"
        return self._cell(np.subtract(ours, theirs), "+")

    def _cell(self, values: Sequence[float] | None, sign: str = "") -> str:
        if values is None:
            return "-"
        form = f"{sign}.{self.figure.digits}f"
        text = format(float(np.mean(values)), form)
        return text if len(values) < 2 else f"{text} ± {np.std(values, ddof=1):.{self.figure.digits}f}"


def read_runs(files: Mapping[str, Sequence[Path]]) -> dict[str, list[tuple[SceneResult, ...]]]:
    """Read the ``RESULTS.jsonl`` of each name's runs.

    Raises:
        DataError: a file is missing or damaged, or two of them are about other scenes.
    """
    runs, known = {}, None
    for name, paths in files.items():
        for path in paths:
            results = read_results(path, {})
            scenes = {(result.id, result.references) for result in results}
            known = known or (path, scenes)
            if scenes != known[1]:
                raise DataError(
                    f"{path} is about {len(scenes)} scenes and {known[0]} about {len(known[1])}, "
                    f"{len(scenes & known[1])} of them the same: runs are compared on the same test set."
                )
            runs.setdefault(name, []).append(results)
    return runs


def figure_of(results: Sequence[SceneResult], figure: Figure, kind: str) -> float | None:
    """Return a figure over the scenes of one of :data:`SETS`, in its unit; None where it was not measured."""
    scores: list[SceneScore] = []
    for result in results:
        score = getattr(result, figure.scores)
        if score is None:
            return None
        if result.references and kind in ("both", scene_set(score)):
            scores.append(score)
    groups = aggregate(scores, resamples=0)
    estimate = getattr(groups[0], figure.part) if groups else None
    return None if estimate is None else figure.scale * estimate.value


def compare_runs(runs: Mapping[str, Sequence[Sequence[SceneResult]]], names: Sequence[str] = ()) -> list[Comparison]:
    """Compare runs by the figures of these ``names``; without names, by all that any run has.

    Raises:
        ConfigError: an unknown figure.
        DataError: no run was measured by a figure that is asked for.
    """
    for name in names:
        if name not in FIGURES:
            raise ConfigError(f"there is no figure {name!r}. {nearest(name, FIGURES)}")
    found = []
    for key in names or FIGURES:
        figure = FIGURES[key]
        values = {name: {kind: _values(each, figure, kind) for kind in SETS} for name, each in runs.items()}
        kinds = [kind for kind in SETS if any(by_set[kind] for by_set in values.values())]
        if kinds:
            found.append(Comparison(figure, {name: {k: by_set[k] for k in kinds} for name, by_set in values.items()}))
        elif names:
            raise DataError(
                f"no run was scored by {figure.title}. Run the stages of inference and scores with "
                f"{figure.scores.partition('_')[0]} labels."
            )
    return found


def _values(runs: Sequence[Sequence[SceneResult]], figure: Figure, kind: str) -> list[float] | None:
    values = [figure_of(results, figure, kind) for results in runs]
    return None if None in values else values
