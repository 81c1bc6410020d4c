"""Which class was taken for which, also where several sources of a scene went wrong at once.

Labels come as sets, so that nothing says which false positive stands for which missed source.  In a scene with ``m``
missed sources and ``n`` false positives, ``min(m, n)`` of them are confusions, shared equally by all combinations; what
is left of either side stays missed, or a false positive.  So every row adds up to the references of its class, every
column to the estimates; with one missed source and one false positive there is nothing to share.
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
    false positives."""


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
        | {str(false.label) for score in scores for false in score.false_positives}
    )
    index = {label: position for position, label in enumerate(labels)}
    counts = np.zeros((len(labels) + 1, len(labels) + 1))
    for score in scores:
        for pair in score.pairs:
            counts[index[str(pair.reference_label)], index[str(pair.estimated_label)]] += 1
        missed = [index[str(item.label)] for item in score.false_negatives]
        false = [index[str(item.label)] for item in score.false_positives]
        confused = min(len(missed), len(false))
        for row in missed:
            for column in false:
                counts[row, column] += confused / (len(missed) * len(false))
            counts[row, -1] += (len(missed) - confused) / len(missed)
        for column in false:
            counts[-1, column] += (len(false) - confused) / len(false)
    return Confusion(tuple(labels), counts)
