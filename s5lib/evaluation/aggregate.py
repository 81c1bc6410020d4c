"""Means over a test set: by kind of scene, by number of sources and by class, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s5lib.errors import ConfigError, DataError
from s5lib.evaluation.bootstrap import Estimate, bootstrap_ratios
from s5lib.metrics.scene import LabelAccuracy, SceneScore

__all__ = ["GroupScore", "aggregate", "scene_set"]


@dataclass(frozen=True)
class GroupScore:
    """The results of one group of scenes."""

    group: str
    """``"set"``, ``"sources"`` or ``"class"``."""
    name: str
    """``"all"``, ``"DupSet"``, ``"NoDupSet"``, ``"zero-target"``; the number of sources; the class."""
    scenes: int
    """Scenes in the group; of a class, those in which it was there or was predicted."""
    sdri: Estimate | None
    """In dB; None if no scene has a value.  Of a class: the mean over its sources and predictions, equation (10)."""
    source_accuracy: Estimate | None
    """0 to 1; None if there was neither a source nor a prediction."""
    mixture_accuracy: Estimate
    """0 to 1.  Of a class: the share of these scenes in which its number of sources was right."""
    labels: LabelAccuracy
    """The counts."""


def scene_set(score: SceneScore) -> str:
    """Return the kind of a scene by its references.

    ``"DupSet"`` if two are of one class, ``"NoDupSet"`` if all are of distinct classes, ``"zero-target"`` if there is
    none.

    >>> scene_set(SceneScore(None))
    'zero-target'
    """
    labels = score.reference_labels
    if not labels:
        return "zero-target"
    return "DupSet" if len(set(labels)) < len(labels) else "NoDupSet"


def aggregate(
    scores: Iterable[SceneScore], *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> list[GroupScore]:
    """Sum up the scenes of a test set.

    Args:
        scores: the scenes' results.
        confidence: of the intervals, between 0 and 1.
        resamples: how often the scenes are drawn anew with replacement; 0 leaves the intervals out.
        seed: of these draws; the same scores, in the same order, give the same intervals.

    Returns:
        First the sets ``all``, ``DupSet``, ``NoDupSet``, ``zero-target``, then the numbers of sources, then the classes
        in alphabetical order; groups without a scene are left out.  Scenes without a value are left out of the mean
        SDRi, not of the accuracies.  Without scores, an empty list.

    Raises:
        ConfigError: an option is out of its range.
        DataError: an item is not a SceneScore.

    >>> scores = [SceneScore(9.0, tp=1), SceneScore(3.0, tp=1), SceneScore(None)]
    >>> aggregate(scores, resamples=0)[0].sdri
    Estimate(value=6.0, low=None, high=None)
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence!r}; a number between 0 and 1 is expected, such as 0.95.")
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 0:
        raise ConfigError(f"resamples is {resamples!r}; a whole number of at least 0 is expected.")
    scores = list(scores)
    for index, score in enumerate(scores):
        if not isinstance(score, SceneScore):
            raise DataError(f"scores[{index}] is a {type(score).__name__}; a SceneScore is expected.")
    groups = []
    for position, (group, name, rows) in enumerate(_groups(scores)):
        counts = [[total, count, c.tp, c.tp + c.fn + c.fp, c.correct, 1] for total, count, c in rows]
        columns = np.array(counts, dtype=float).T
        sdri, source_accuracy, mixture_accuracy = bootstrap_ratios(
            columns[::2], columns[1::2], confidence=confidence, resamples=resamples, seed=[seed, position]
        )
        assert mixture_accuracy is not None  # every scene counts
        labels = sum((row[2] for row in rows), LabelAccuracy())
        groups.append(GroupScore(group, name, len(rows), sdri, source_accuracy, mixture_accuracy, labels))
    return groups


# Of one scene in one group: the summed dB, what they are divided by, and the label counts.
_Row = tuple[float, int, LabelAccuracy]


def _groups(scores: Sequence[SceneScore]) -> list[tuple[str, str, list[_Row]]]:
    """Return group, name and rows of all groups that have a scene."""
    sets: dict[str, list[_Row]] = {"all": [], "DupSet": [], "NoDupSet": [], "zero-target": []}
    sources: dict[int, list[_Row]] = {}
    classes: dict[Hashable, list[_Row]] = {}
    for score in scores:
        row = (score.value or 0.0, int(score.value is not None), score.labels)
        sets["all"].append(row)
        sets[scene_set(score)].append(row)
        sources.setdefault(score.tp + score.fn, []).append(row)
        for label, class_row in _class_rows(score).items():
            classes.setdefault(label, []).append(class_row)
    groups = [("set", name, rows) for name, rows in sets.items() if rows]
    groups += [("sources", str(number), rows) for number, rows in sorted(sources.items())]
    # by number where labels are indices, by name where they are names
    in_order: list[Any] = sorted(classes, key=lambda label: (str(type(label)), label))
    return groups + [("class", str(label), classes[label]) for label in in_order]


def _class_rows(score: SceneScore) -> dict[Hashable, _Row]:
    """Return P^c, N^c (equations 10 and 7) and the counts of each class of a scene."""
    parts = [(pair.reference_label, pair.sdri, LabelAccuracy(tp=1)) for pair in score.pairs]
    parts += [(missed.label, missed.penalty, LabelAccuracy(fn=1)) for missed in score.false_negatives]
    parts += [(false.label, false.penalty, LabelAccuracy(fp=1)) for false in score.false_positives]
    rows: dict[Hashable, _Row] = {}
    for label, value, count in parts:
        total, number, counts = rows.get(label, (0, 0, LabelAccuracy()))
        rows[label] = total + value, number + 1, counts + count
    return {
        label: (total, number, counts + LabelAccuracy(mixtures=1, correct=int(counts.fn == counts.fp == 0)))
        for label, (total, number, counts) in rows.items()
    }
