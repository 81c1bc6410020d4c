"""Fig. 5 of the paper: does CA-PI-SDRi rise both with the accuracy of the tagger and with the separator's SDR?

Taggers and separators of different quality are combined; each combination is a system, and a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from s5lib.errors import DataError
from s5lib.evaluation.figures import FIGURES
from s5lib.evaluation.markdown import table
from s5lib.evaluation.recording_scores import MetricOptions
from s5lib.evaluation.results import options_note
from s5lib.evaluation.runs import SETS, figure_of, read_runs, scored_with
from s5lib.untrusted import as_markdown

__all__ = ["Plane", "Point", "metric_planes", "plane_table"]


@dataclass(frozen=True)
class Point:
    """A system."""

    tagger: str
    separator: str
    accuracy: float
    """Source accuracy, in %."""
    separation: float
    """PI-SDRi with oracle labels, in dB."""
    value: float
    """CA-PI-SDRi, in dB."""


@dataclass(frozen=True)
class Plane:
    """All systems on one set of scenes."""

    kind: str
    """One of :data:`s5lib.evaluation.runs.SETS`."""
    points: tuple[Point, ...]
    options: MetricOptions = field(default_factory=MetricOptions)
    """with which all systems were scored"""

    def rank_correlation(self, axis: str) -> float | None:
        """Return how well CA-PI-SDRi follows an axis, -1 to 1: Spearman's coefficient with the other axis held fixed.

        Args:
            axis: ``"accuracy"``: between the taggers in front of one separator; ``"separation"``: between the
                separators behind one tagger.  The mean over all separators, or taggers, with three points or more.

        Returns:
            None where no such group has three points that differ.
        """
        fixed: Callable[[Point], str] = {
            "accuracy": lambda point: point.separator,
            "separation": lambda point: point.tagger,
        }[axis]
        found = []
        for name in dict.fromkeys(map(fixed, self.points)):
            group = [(getattr(point, axis), point.value) for point in self.points if fixed(point) == name]
            here, value = zip(*group, strict=True)
            if len(group) >= 3 and len(set(here)) > 1 and len(set(value)) > 1:
                found.append(float(spearmanr(here, value).statistic))
        return float(np.mean(found)) if found else None


def metric_planes(systems: Sequence[tuple[str, str, Path, Path]]) -> list[Plane]:
    """Return the plane of each set of scenes.

    Args:
        systems: name of the tagger, name of the separator, and two ``RESULTS.jsonl``: with predicted labels of both,
            with oracle labels of the separator.

    Raises:
        DataError: a file is missing or damaged, lacks these scores, or has other scenes or options than the others.
    """
    # by number, as two systems may have the same names
    read = read_runs({str(number): files for number, (_, _, *files) in enumerate(systems)})
    planes = []
    for kind in SETS:
        points = []
        for (tagger, separator, *files), (predicted, oracle) in zip(systems, read.values(), strict=True):
            accuracy, value = (figure_of(predicted, FIGURES[name], kind) for name in ("source_accuracy", "ca_pi_sdri"))
            separation = figure_of(oracle, FIGURES["pi_sdri"], kind)
            if accuracy is not None and value is not None and separation is not None:
                points.append(Point(tagger, separator, accuracy, separation, value))
            elif kind == "both":
                raise DataError(f"{files[0]} has no scores of predicted labels, or {files[1]} none of oracle labels.")
        if len(points) == len(systems):
            planes.append(Plane(kind, tuple(points), scored_with(read)))
    return planes


def plane_table(planes: Sequence[Plane]) -> str:
    """Return Markdown: the rank correlations of each set, then all systems on both sets together."""
    axes = {
        "accuracy": "the tagger's accuracy, separator held fixed",
        "separation": "the separator's PI-SDRi, tagger held fixed",
    }
    correlations = [
        [title, *("-" if (v := plane.rank_correlation(axis)) is None else f"{v:.2f}" for plane in planes)]
        for axis, title in axes.items()
    ]
    source_accuracy, pi_sdri, ca_pi_sdri = (
        FIGURES[name].heading for name in ("source_accuracy", "pi_sdri", "ca_pi_sdri")
    )
    header = ["tagger", "separator", f"{source_accuracy}, {planes[-1].kind}", pi_sdri, ca_pi_sdri]
    points = [
        [as_markdown(p.tagger), as_markdown(p.separator), f"{p.accuracy:.1f}", f"{p.separation:.2f}", f"{p.value:.2f}"]
        for p in planes[-1].points
    ]
    return (
        table(["rank correlation of CA-PI-SDRi with", *(plane.kind for plane in planes)], correlations)
        + "\n"
        + table(header, points, names=2)
        + (f"\n{note}\n" if (note := options_note(planes[-1].options)) else "")
    )
