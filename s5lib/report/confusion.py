"""Which class was taken for which, also where several sources of a scene went wrong at once.

Labels come as sets, so that nothing says which invented source stands for which missed one.  In a scene with ``m``
missed and ``n`` invented sources, ``min(m, n)`` of them are confusions, shared equally by all combinations; what is
left of either side is missed, or invented, for good.  So every row adds up to the references of its class, every
column to the estimates; with one missed and one invented source there is nothing to share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from s5lib.metrics import SceneScore

__all__ = ["Confusion", "confusion"]


@dataclass(frozen=True)
class Confusion:
    """Counts, which may be fractions where a scene leaves open who was confused with whom."""

    labels: tuple[str, ...]
    counts: np.ndarray
    """``[C + 1, C + 1]``: rows are references, columns estimates; the last column holds missed sources, the last row
    invented ones."""


def confusion(scores: Iterable[SceneScore]) -> Confusion:
    """Count confusions of all scenes.

    >>> from s5lib.metrics import FalsePrediction
    >>> scene = SceneScore(0.0, (), 0, 1, 1, (FalsePrediction(0, "Dog"),), (FalsePrediction(0, "Cat"),))
    >>> float(confusion([scene]).counts[1, 0])  # Dog, taken for Cat
    1.0
    """
    scores = list(scores)
    labels = sorted(
        {str(label) for score in scores for label in score.reference_labels}
        | {str(invented.label) for score in scores for invented in score.false_positives}
    )
    index = {label: position for position, label in enumerate(labels)}
    counts = np.zeros((len(labels) + 1, len(labels) + 1))
    for score in scores:
        for pair in score.pairs:
            counts[index[pair.reference_label], index[pair.estimated_label]] += 1
        missed = [index[item.label] for item in score.false_negatives]
        invented = [index[item.label] for item in score.false_positives]
        confused = min(len(missed), len(invented))
        for row in missed:
            for column in invented:
                counts[row, column] += confused / (len(missed) * len(invented))
            counts[row, -1] += (len(missed) - confused) / len(missed)
        for column in invented:
            counts[-1, column] += (len(invented) - confused) / len(invented)
    return Confusion(tuple(labels), counts)
