"""Several runs side by side: means over the runs of one name, their spread, and the differences between names.

A run is what ``s5lib score`` has written of it.  Runs of one name differ in their seed alone; names are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s5lib.errors import ConfigError, DataError, nearest
from s5lib.evaluation.comparable import check_same_set
from s5lib.evaluation.figures import FIGURES, Figure, Summary
from s5lib.evaluation.markdown import table
from s5lib.evaluation.recording_scores import MetricOptions
from s5lib.evaluation.results import read_results
from s5lib.untrusted import as_markdown

__all__ = ["COMPARED", "SETS", "RunComparison", "compare_runs", "figure_of", "read_runs", "scored_with"]

SETS = ("DupSet", "NoDupSet", "both")
"""Scenes with several sources of one class, scenes of distinct classes, and both together; scenes without a target are
left out, as in the paper's test set."""
COMPARED = ("pi_sdri", "oracle_ca_pi_sdri", "ca_pi_sdri", "source_accuracy", "mixture_accuracy")
"""The figures that runs are compared by unless others are asked for."""


@dataclass(frozen=True)
class RunComparison:
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
        rows = [[as_markdown(name), *(self._cell(by_set[s]) for s in sets)] for name, by_set in self.values.items()]
        for name in others:
            cells = [self._difference(self.values[first][s], self.values[name][s]) for s in sets]
            if any(cell != "-" for cell in cells):
                rows.append([as_markdown(f"{first} - {name}"), *cells])
        return table([self.figure.heading, *sets], rows)

    def _difference(self, ours: Sequence[float] | None, theirs: Sequence[float] | None) -> str:
        if ours is None or theirs is None or len(ours) != len(theirs):
            return "-"
        return self._cell(np.subtract(ours, theirs).tolist(), "+")

    def _cell(self, values: Sequence[float] | None, sign: str = "") -> str:
        if values is None:
            return "-"
        text = f"{np.mean(values):{sign}.{self.figure.digits}f}"
        return text if len(values) < 2 else f"{text} ± {np.std(values, ddof=1):.{self.figure.digits}f}"


def read_runs(files: Mapping[str, Sequence[Path]]) -> dict[str, list[Summary]]:
    """Read the ``RESULTS.jsonl`` of each name's runs and sum up their scenes with a target.

    Raises:
        DataError: a file is missing or damaged, or two files have different scenes or options.
    """
    runs: dict[str, list[Summary]] = {}
    first = None
    for name, paths in files.items():
        for path in paths:
            results = read_results(path)
            first = first or (path, results)
            check_same_set(first[1], results, (first[0], path))
            summary = Summary([result for result in results if result.labels], resamples=0)
            runs.setdefault(name, []).append(summary)
    return runs


def scored_with(runs: Mapping[str, Sequence[Summary]]) -> MetricOptions:
    """Return the options with which all that :func:`read_runs` has read was scored."""
    recordings = (recording for each in runs.values() for run in each for recording in run.recordings)
    return next((recording.options for recording in recordings), MetricOptions())


def figure_of(run: Summary, figure: Figure, kind: str) -> float | None:
    """Return a figure over one of :data:`SETS`, in its unit; None where it was not measured."""
    estimate = run.estimate(figure, ("set", "all" if kind == "both" else kind))
    return None if estimate is None else estimate.value


def compare_runs(runs: Mapping[str, Sequence[Summary]], names: Sequence[str] = ()) -> list[RunComparison]:
    """Compare runs by the figures of these ``names``; without names, by those of :data:`COMPARED` that any run has.

    Raises:
        ConfigError: an unknown figure.
        DataError: no run was measured by a figure that is asked for.
    """
    for name in names:
        if name not in FIGURES:
            raise ConfigError(f"there is no figure {name!r}. {nearest(name, FIGURES)}")
    found = []
    for key in names or COMPARED:
        figure = FIGURES[key]
        values = {name: {kind: _values(each, figure, kind) for kind in SETS} for name, each in runs.items()}
        kinds = [kind for kind in SETS if any(by_set[kind] for by_set in values.values())]
        if kinds:
            by_kind = {name: {kind: by_set[kind] for kind in kinds} for name, by_set in values.items()}
            found.append(RunComparison(figure, by_kind))
        elif names:
            raise DataError(
                f"no run was scored by {figure.title}. Run the stages of inference and scores with "
                f"{figure.scores.partition('_')[0]} labels."
            )
    return found


def _values(runs: Sequence[Summary], figure: Figure, kind: str) -> list[float] | None:
    values = [value for run in runs if (value := figure_of(run, figure, kind)) is not None]
    return values if len(values) == len(runs) else None
