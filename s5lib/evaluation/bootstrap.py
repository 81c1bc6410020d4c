"""Percentile bootstrap over scenes (B. Efron 1979): how far would a figure move with other scenes of the same kind?

Scenes are drawn anew with replacement, and the figure is computed for each draw.  It is the only bootstrap here:
intervals of means, of differences scene by scene and of differences of means all come from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Estimate", "Statistic", "blocks", "bootstrap", "bootstrap_ratios", "ratio"]

Statistic = Callable[[np.ndarray], np.ndarray]
"""Maps indices of scenes ``[draws, scenes]`` to values ``[draws]``, NaN where a draw has none."""

_BLOCK = 2**14  # indices drawn at a time: arrays that stay in the processor's cache


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
    drawn = [statistic(index) for index in _draws(scenes, 0 if np.isnan(value) else resamples, seed)]
    return _estimate(value, np.concatenate([[], *drawn]), confidence)


def bootstrap_ratios(
    above: np.ndarray,
    below: np.ndarray,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int | Sequence[int] = 0,
) -> list[Estimate | None]:
    """Return ``sum(above) / sum(below)`` of several figures, both ``[figures, scenes]``, from the same draws.

    A figure is None where its ``below`` is 0, and has no interval where fewer than two scenes are counted in it.
    """
    columns = np.concatenate([above, below]).T
    scenes = len(columns)
    drawn = [columns.sum(0, keepdims=True)]
    for index in _draws(scenes, resamples if np.any(np.count_nonzero(below, 1) > 1) else 0, seed):
        # How often each scene was drawn is enough for sums, and is read in order.
        apart = index + scenes * np.arange(len(index))[:, None]
        drawn.append(np.bincount(apart.ravel(), minlength=index.size).reshape(index.shape) @ columns)
    sums, counts = np.split(np.concatenate(drawn), 2, 1)
    values = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return [
        _estimate(float(of[0]), of[1:] if np.count_nonzero(counted) > 1 else of[:0], confidence)
        for of, counted in zip(values.T, below, strict=True)
    ]


def _draws(scenes: int, resamples: int, seed: int | Sequence[int]) -> Iterator[np.ndarray]:
    """Yield indices of scenes ``[draws, scenes]``, ``resamples`` draws in all."""
    generator = np.random.default_rng(seed)
    for rows in blocks(resamples, scenes):
        yield generator.integers(scenes, size=(rows, scenes))


def _estimate(value: float, drawn: np.ndarray, confidence: float) -> Estimate | None:
    """Return a value with the interval of what was drawn ``[draws]``; None where it is NaN."""
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value):
        return None
    if not len(drawn):
        return Estimate(value)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Estimate(value, float(low), float(high))


def blocks(draws: int, scenes: int) -> Iterator[int]:
    """Yield numbers of draws that together are ``draws``, each few enough for the memory."""
    rows = max(1, _BLOCK // max(1, scenes))
    return (min(rows, draws - start) for start in range(0, draws, rows))
