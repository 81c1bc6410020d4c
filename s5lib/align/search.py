"""The best pairs of one score matrix, exact: all permutations where they are few, linear assignment beyond.

Exhaustive search gives the lexicographically first of equal solutions; ``scipy.optimize.linear_sum_assignment`` (a
shortest augmenting path algorithm, https://doi.org/10.1109/TAES.2016.140952) is deterministic as well.  Both are exact,
so the limit between them is a matter of speed, and of importing scipy only where it is needed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from s5lib.errors import DataError

if TYPE_CHECKING:
    from s5lib.interfaces.aligner import Score

__all__ = ["LARGEST_EXHAUSTIVE", "best_pairs", "checked_score"]

LARGEST_EXHAUSTIVE = 4
"""Up to this many sources on the larger side, all (at most 24) permutations are compared."""


def checked_score(
    score: Score, reference_labels: Sequence[Hashable], estimated_labels: Sequence[Hashable]
) -> np.ndarray:
    """Return ``score [R, E]``, a numpy array or a tensor of any device, as a float64 array.

    Raises:
        DataError: its shape is not that of the labels, or a score is NaN or infinite.
    """
    if hasattr(score, "detach"):
        score = score.detach().cpu().double().numpy()
    array = np.asarray(score, dtype=np.float64)
    expected = (len(reference_labels), len(estimated_labels))
    if array.shape != expected:
        raise DataError(
            f"score has shape {list(array.shape)}; {expected[0]} reference labels and {expected[1]} estimated labels "
            f"need [R, E] = {list(expected)}."
        )
    if not np.isfinite(array).all():
        r, e = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"score[{r}, {e}] (reference {r}, estimate {e}) is {array[r, e]}; scores must be finite.")
    return array


@cache
def _choices(size: int, count: int) -> np.ndarray:
    """Return all ordered choices of ``count`` out of ``size`` indices, ``[P, count]``, in lexicographic order."""
    return np.array(list(permutations(range(size), count)), dtype=np.intp)


def best_pairs(score: np.ndarray) -> list[tuple[int, int]]:
    """Return the ``min(R, E)`` pairs (row, column) of finite ``score [R, E]`` whose sum is largest, by row.

    >>> best_pairs(np.array([[1.0, 5.0], [0.0, 3.0], [2.0, 0.0]]))
    [(0, 1), (2, 0)]
    """
    rows, columns = score.shape
    chosen: Iterable[tuple[int, int]]
    if max(rows, columns) > LARGEST_EXHAUSTIVE:
        from scipy.optimize import linear_sum_assignment

        chosen = zip(*linear_sum_assignment(score, maximize=True), strict=True)
    elif rows <= columns:
        choices = _choices(columns, rows)
        chosen = enumerate(choices[score[np.arange(rows), choices].sum(1).argmax()])
    else:
        choices = _choices(rows, columns)
        best = choices[score[choices, np.arange(columns)].sum(1).argmax()]
        chosen = ((row, column) for column, row in enumerate(best))
    return sorted((int(row), int(column)) for row, column in chosen)
