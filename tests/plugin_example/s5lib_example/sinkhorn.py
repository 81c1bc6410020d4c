"""An aligner by optimal transport: a soft assignment that Sinkhorn's iterations make, rounded to pairs.

Inside each class, the scores divided by a temperature are normalised over rows and columns in turn until the matrix is
doubly stochastic.  At temperature zero that is the best permutation; the warmer, the less scores decide.
"""

from __future__ import annotations

import numpy as np

from s5lib.align.search import checked_score
from s5lib.interfaces import Aligner, Assignment


class Sinkhorn(Aligner):
    """Pairs equal labels by a soft assignment.

    Args:
        temperature: in the unit of the scores (dB); small is close to the best permutation, and slow to converge.
        iterations: how often rows and columns are normalised.
    """

    def __init__(self, *, temperature: float = 0.5, iterations: int = 50):
        if not temperature > 0 or iterations < 1:
            raise ValueError(f"temperature is {temperature}, iterations {iterations}; expected both above zero.")
        self.temperature, self.iterations = temperature, iterations

    def align(self, score, reference_labels, estimated_labels) -> Assignment:
        """Assign estimates to references; ``score [R, E]``, larger is better."""
        score = checked_score(score, reference_labels, estimated_labels)
        pairs = []
        for label in dict.fromkeys(reference_labels):
            rows = [r for r, other in enumerate(reference_labels) if other == label]
            columns = [e for e, other in enumerate(estimated_labels) if other == label]
            pairs += [(rows[i], columns[j]) for i, j in self._pairs(score[np.ix_(rows, columns)])]
        paired = [set(side) for side in zip(*pairs, strict=True)] or [set(), set()]
        return Assignment(
            tuple(sorted(pairs)),
            tuple(r for r in range(len(reference_labels)) if r not in paired[0]),
            tuple(e for e in range(len(estimated_labels)) if e not in paired[1]),
        )

    def soft_assignment(self, score: np.ndarray) -> np.ndarray:
        """Return the doubly stochastic matrix ``[N, N]`` of square scores.

        >>> Sinkhorn(temperature=1.0).soft_assignment(np.eye(2) * 20).round(3)
        array([[1., 0.],
               [0., 1.]])
        """
        logits = score / self.temperature
        for _ in range(self.iterations):
            logits = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
            logits = logits - np.logaddexp.reduce(logits, axis=0, keepdims=True)
        return np.exp(logits)

    def _pairs(self, score: np.ndarray) -> list[tuple[int, int]]:
        """Return ``min(R, E)`` pairs: the most certain ones first."""
        rows, columns = score.shape
        size = max(rows, columns)
        square = np.zeros((size, size))  # equal scores for partners that do not exist
        square[:rows, :columns] = score
        soft = self.soft_assignment(square)[:rows, :columns]
        pairs = []
        for _ in range(min(rows, columns)):
            row, column = np.unravel_index(soft.argmax(), soft.shape)
            pairs.append((int(row), int(column)))
            soft[row, :] = soft[:, column] = -1.0
        return pairs
