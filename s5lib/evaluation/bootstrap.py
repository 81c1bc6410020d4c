"""Percentile bootstrap over scenes (B. Efron 1979): how far would a figure move with other scenes of the same kind?

Scenes are drawn anew with replacement, and the figure is computed for each draw.  It is the only bootstrap here:
intervals of means, of differences scene by scene and of differences of means all come from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Estimate", "Statistic", "blocks", "bootstrap", "bootstrap_ratio", "ratio"]

Statistic = Callable[[np.ndarray], np.ndarray]
"""Maps indices of scenes ``[draws, scenes]`` to values ``[draws]``, NaN where a draw has none."""

_BLOCK = 2**20  # indices drawn at a time: all at once would take gigabytes


@dataclass(frozen=True)
class Estimate:
    """A figure, and its confidence interval."""

    value: float
    low: float | None = None
    """Lower end of the interval; None where too few scenes have a value."""
    high: float | None = None
    """Upper end."""

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate in another unit."""
        low, high = (None if end is None else factor * end for end in (self.low, self.high))
        return Estimate(factor * self.value, low, high)

    def format(self, digits: int = 2, sign: str = "") -> str:
        """Return value and interval as text; ``sign="+"`` shows the sign of positive numbers, too.

        >>> Estimate(1.234, 1.0, 2.0).format(), Estimate(1.234).format(1, "+"), Estimate(-0.001).format()
        ('1.23 (1.00 to 2.00)', '+1.2', '0.00')
        """

        def text(value: float) -> str:
            return f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # never -0.00

        if self.low is None or self.high is None:
            return text(self.value)
        return f"{text(self.value)} ({text(self.low)} to {text(self.high)})"


def ratio(above: np.ndarray, below: np.ndarray) -> Statistic:
    """Return the statistic ``sum(above) / sum(below)``, both ``[scenes]``."""

    def statistic(index: np.ndarray) -> np.ndarray:
        sums = below[index].sum(-1)
        return np.divide(above[index].sum(-1), sums, out=np.full(sums.shape, np.nan), where=sums > 0)

    return statistic


def bootstrap(
    statistic: Statistic, scenes: int, *, confidence: float = 0.95, resamples: int = 1000, seed: int | Sequence[int] = 0
) -> Estimate | None:
    """Return a statistic of all scenes with its interval; None where it has no value.

    Args:
        scenes: how many there are.
        confidence: of the interval, between 0 and 1.
        resamples: number of draws; 0 leaves the interval out.
        seed: of the draws.
    """
    value = float(statistic(np.arange(scenes)[None])[0])
    if np.isnan(value):
        return None
    generator = np.random.default_rng(seed)
    drawn = [statistic(generator.integers(scenes, size=(rows, scenes))) for rows in blocks(resamples, scenes)]
    values = np.concatenate([[], *drawn])
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(value)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return Estimate(value, float(low), float(high))


def bootstrap_ratio(
    above: np.ndarray,
    below: np.ndarray,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int | Sequence[int] = 0,
) -> Estimate | None:
    """Return ``sum(above) / sum(below)``, both ``[scenes]``, None where ``below`` is 0.

    There is no interval where fewer than two scenes are counted in ``below``.
    """
    resamples = resamples if np.count_nonzero(below) > 1 else 0
    return bootstrap(ratio(above, below), len(below), confidence=confidence, resamples=resamples, seed=seed)


def blocks(draws: int, scenes: int) -> Iterator[int]:
    """Yield numbers of draws that together are ``draws``, each few enough for the memory."""
    rows = max(1, _BLOCK // max(1, scenes))
    return (min(rows, draws - start) for start in range(0, draws, rows))
