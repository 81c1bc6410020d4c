"""Means over a test set: by kind of scene, by number of sources and by class, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from s5lib.errors import ConfigError, DataError
from s5lib.metrics.scene import LabelAccuracy, SceneScore

__all__ = ["Estimate", "GroupScore", "aggregate", "scene_set"]

_BLOCK = 2**20  # indices drawn at a time


@dataclass(frozen=True)
class Estimate:
    """A mean over scenes, and where it would lie with other scenes of the same kind."""

    value: float
    low: float | None = None
    """Lower end of the confidence interval; None where fewer than two scenes tell nothing about it."""
    high: float | None = None
    """Upper end."""


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
        resamples: how often the scenes are drawn anew with replacement (percentile bootstrap, B. Efron 1979); 0 leaves
            the intervals out.
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
        bootstrap = _Bootstrap(len(rows), confidence, resamples, [seed, position])
        total, count = (np.array(column, dtype=float) for column in zip(*(row[:2] for row in rows), strict=True))
        labels = [row[2] for row in rows]
        tp = np.array([label.tp for label in labels], dtype=float)
        predictions = np.array([label.tp + label.fn + label.fp for label in labels], dtype=float)
        correct, mixtures = np.array([label.correct for label in labels], dtype=float), np.ones(len(rows))
        groups.append(
            GroupScore(
                group,
                name,
                len(rows),
                bootstrap.ratio(total, count),
                bootstrap.ratio(tp, predictions),
                bootstrap.ratio(correct, mixtures),
                sum(labels, LabelAccuracy()),
            )
        )
    return groups


# Of one scene in one group: the summed dB, what they are divided by, and the label counts.
_Row = tuple[float, int, LabelAccuracy]


def _groups(scores: Sequence[SceneScore]) -> list[tuple[str, str, list[_Row]]]:
    """Return group, name and rows of all groups that have a scene."""
    sets: dict[str, list[_Row]] = {"all": [], "DupSet": [], "NoDupSet": [], "zero-target": []}
    sources: dict[int, list[_Row]] = {}
    classes: dict[object, list[_Row]] = {}
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
    in_order = sorted(classes.items(), key=lambda item: (str(type(item[0])), item[0]))
    return groups + [("class", str(label), rows) for label, rows in in_order]


def _class_rows(score: SceneScore) -> dict[object, _Row]:
    """Return P^c, N^c (equations 10 and 7) and the counts of each class of a scene."""
    values: dict[object, list[float]] = {}
    counts: dict[object, LabelAccuracy] = {}
    parts = [(pair.reference_label, pair.sdri, LabelAccuracy(tp=1)) for pair in score.pairs]
    parts += [(missed.label, missed.penalty, LabelAccuracy(fn=1)) for missed in score.false_negatives]
    parts += [(invented.label, invented.penalty, LabelAccuracy(fp=1)) for invented in score.false_positives]
    for label, value, count in parts:
        values.setdefault(label, []).append(value)
        counts[label] = counts.get(label, LabelAccuracy()) + count
    rows = {}
    for label, count in counts.items():
        whole = LabelAccuracy(mixtures=1, correct=int(count.fn == count.fp == 0))
        rows[label] = (sum(values[label]), len(values[label]), count + whole)
    return rows


class _Bootstrap:
    """Ratios of sums over scenes, with percentile intervals; all ratios of a group see the same draws."""

    def __init__(self, scenes: int, confidence: float, resamples: int, seed: list[int]):
        self._scenes, self._confidence, self._resamples, self._seed = scenes, confidence, resamples, seed

    def ratio(self, above: np.ndarray, below: np.ndarray) -> Estimate | None:
        """Return ``sum(above) / sum(below)``, both ``[scenes]``; None where nothing is below."""
        if not below.sum():
            return None
        value = float(above.sum() / below.sum())
        if self._resamples == 0 or np.count_nonzero(below) < 2:
            return Estimate(value)
        generator = np.random.default_rng(self._seed)
        drawn, block = [], max(1, _BLOCK // self._scenes)
        for start in range(0, self._resamples, block):
            rows = min(block, self._resamples - start)
            index = generator.integers(self._scenes, size=(rows, self._scenes))
            sums = below[index].sum(1)
            drawn.append(above[index].sum(1)[sums > 0] / sums[sums > 0])
        tail = 50 * (1 - self._confidence)
        low, high = np.percentile(np.concatenate(drawn), [tail, 100 - tail])
        return Estimate(value, float(low), float(high))
