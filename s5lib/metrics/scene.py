"""The result of a metric for one scene, and sums of such results.

Results add up to totals that keep counts instead of ratios, so that no mean of means is taken by mistake:
accuracies come from summed counts, and a scene without a value is left out of the mean instead of counting 0 dB.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

__all__ = ["FalsePrediction", "LabelAccuracy", "Pair", "SceneScore", "ScoreTotal"]


@dataclass(frozen=True)
class Pair:
    """An estimate and the reference it was assigned to."""

    reference: int
    """Index among the references."""
    estimate: int
    """Index among the estimates."""
    reference_label: Hashable
    estimated_label: Hashable
    """The same as ``reference_label``, except in a metric that ignores labels."""
    sdr: float
    """In dB, equation (4)."""
    sdri: float
    """In dB, equation (11): how much better than the mixture."""


@dataclass(frozen=True)
class FalsePrediction:
    """A missed reference (false negative), or an estimate without a reference (false positive)."""

    index: int
    """Among the references, or among the estimates."""
    label: Hashable
    penalty: float = 0.0
    """In dB."""


@dataclass(frozen=True)
class LabelAccuracy:
    """Counts of right and wrong labels; add them up over scenes, then read the accuracies.

    >>> both = LabelAccuracy(tp=2, mixtures=1, correct=1) + LabelAccuracy(tp=1, fn=1, mixtures=1)
    >>> both.source, both.mixture
    (0.75, 0.5)
    """

    tp: int = 0
    """True positives: sources whose label was predicted."""
    fn: int = 0
    """False negatives: sources that were missed."""
    fp: int = 0
    """False positives: predicted labels without a source."""
    correct: int = 0
    """Mixtures with all labels right, including silent ones found silent."""
    mixtures: int = 0

    @property
    def source(self) -> float | None:
        """TP / (TP + FP + FN), 0 to 1; None if there was neither a source nor a prediction."""
        count = self.tp + self.fn + self.fp
        return self.tp / count if count else None

    @property
    def mixture(self) -> float | None:
        """The share of mixtures with all labels right, 0 to 1; None without a mixture."""
        return self.correct / self.mixtures if self.mixtures else None

    def __add__(self, other: LabelAccuracy) -> LabelAccuracy:
        if not isinstance(other, LabelAccuracy):
            return NotImplemented
        return LabelAccuracy(
            self.tp + other.tp,
            self.fn + other.fn,
            self.fp + other.fp,
            self.correct + other.correct,
            self.mixtures + other.mixtures,
        )

    def __radd__(self, other: object) -> LabelAccuracy:
        # sum() begins with 0
        return self if other == 0 else NotImplemented


@dataclass(frozen=True)
class SceneScore:
    """A metric's result for one scene; ``sum(scores)`` or ``a + b`` is a :class:`ScoreTotal`."""

    value: float | None
    """In dB; None, not 0 dB, without a source on either side."""
    pairs: tuple[Pair, ...] = ()
    tp: int = 0
    fn: int = 0
    fp: int = 0
    false_negatives: tuple[FalsePrediction, ...] = ()
    false_positives: tuple[FalsePrediction, ...] = ()

    @property
    def reference_labels(self) -> tuple[Hashable, ...]:
        """The labels of all references, in their order."""
        labels = {pair.reference: pair.reference_label for pair in self.pairs}
        labels |= {missed.index: missed.label for missed in self.false_negatives}
        return tuple(labels[index] for index in sorted(labels))

    @property
    def labels(self) -> LabelAccuracy:
        """The counts of this scene."""
        return LabelAccuracy(self.tp, self.fn, self.fp, correct=int(self.fn == self.fp == 0), mixtures=1)

    def __add__(self, other: SceneScore | ScoreTotal) -> ScoreTotal:
        return ScoreTotal() + self + other

    def __radd__(self, other: object) -> ScoreTotal:
        return ScoreTotal() + self if other == 0 else NotImplemented


@dataclass(frozen=True)
class ScoreTotal:
    """The sum of scenes' results.

    >>> total = SceneScore(6.0, tp=1) + SceneScore(None) + SceneScore(0.0, fn=1)
    >>> total.mean, total.scenes, total.defined, total.labels.source
    (3.0, 3, 2, 0.5)
    >>> print(ScoreTotal().mean)
    None
    """

    total: float = 0.0
    """Sum of the defined values, in dB."""
    defined: int = 0
    """Scenes with a value."""
    labels: LabelAccuracy = field(default_factory=LabelAccuracy)

    @property
    def scenes(self) -> int:
        """All scenes, with a value or without."""
        return self.labels.mixtures

    @property
    def mean(self) -> float | None:
        """Mean in dB over the scenes with a value; None if no scene has one."""
        return self.total / self.defined if self.defined else None

    def __add__(self, other: SceneScore | ScoreTotal) -> ScoreTotal:
        if isinstance(other, SceneScore):
            other = ScoreTotal(other.value or 0.0, int(other.value is not None), other.labels)
        if not isinstance(other, ScoreTotal):
            return NotImplemented
        return ScoreTotal(self.total + other.total, self.defined + other.defined, self.labels + other.labels)

    def __radd__(self, other: object) -> ScoreTotal:
        return self if other == 0 else NotImplemented
