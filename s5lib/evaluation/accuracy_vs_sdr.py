"""Fig. 5 of the paper: whether CA-PI-SDRi rises both with the tagger's accuracy and with the separator's quality.

Taggers and separators of different quality are combined; each combination is a system, and a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from s5lib.errors import DataError
from s5lib.evaluation.runs import FIGURES, SETS, figure_of, read_runs

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
        DataError: a file is missing or damaged, has not these scores, or is about other scenes than the others.
    """
    # by number, as two systems may have the same names
    read = read_runs({str(number): files for number, (_, _, *files) in enumerate(systems)})
    planes = []
    for kind in SETS:
        points = []
        for (tagger, separator, *files), (predicted, oracle) in zip(systems, read.values(), strict=True):
            accuracy, value = (figure_of(predicted, FIGURES[name], kind) for name in ("source_accuracy", "ca_pi_sdri"))
            separation = figure_of(oracle, FIGURES["pi_sdri"], kind)
            if None in (accuracy, value, separation):
                if kind == "both":
                    raise DataError(
                        f"{files[0]} has no scores of predicted labels, or {files[1]} none of oracle labels."
                    )
                break
            points.append(Point(tagger, separator, accuracy, separation, value))
        else:
            planes.append(Plane(kind, tuple(points)))
    return planes


def plane_table(planes: Sequence[Plane]) -> str:
    """Return Markdown: the rank correlations of each set, then all systems on both sets together."""
    rows = [
        "| rank correlation of CA-PI-SDRi with | " + " | ".join(p.kind for p in planes) + " |",
        "|---|" + "--:|" * len(planes),
    ]
    for axis, title in (
        ("accuracy", "the tagger's accuracy, separator held fixed"),
        ("separation", "the separator's PI-SDRi, tagger held fixed"),
    ):
        values = [plane.rank_correlation(axis) for plane in planes]
        rows.append(f"| {title} | " + " | ".join("-" if v is None else f"{v:.2f}" for v in values) + " |")
    rows += [
        "",
        f"| tagger | separator | source accuracy [%], {planes[-1].kind} | PI-SDRi, oracle labels [dB] | CA-PI-SDRi [dB] |",
        "|---|---|--:|--:|--:|",
    ]
    rows += [
        f"| {p.tagger} | {p.separator} | {p.accuracy:.1f} | {p.separation:.2f} | {p.value:.2f} |"
        for p in planes[-1].points
    ]
    return "\n".join(rows) + "\n"
