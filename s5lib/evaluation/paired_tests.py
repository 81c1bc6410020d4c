"""Two systems on the same scenes: is one better, or was it luck?

Scenes differ far more from each other than systems do on one scene, so the difference is taken scene by scene.  Two
tests ask how often differences as large arise by chance, if in each scene a coin decides which system is which: the
sign-flip permutation test (R. A. Fisher 1935), of the mean, and Wilcoxon's signed-rank test (1945), of the ranks, which
a few extreme scenes move less.  Right and wrong mixtures are compared by McNemar's exact test (1947).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s5lib.errors import DataError
from s5lib.evaluation.bootstrap import Estimate, blocks, bootstrap, bootstrap_ratios, ratio
from s5lib.metrics import SceneScore

__all__ = ["PairedComparison", "compare", "difference_of_means", "sign_flip_test"]

_TIE = 1e-4  # dB: what rounding alone can make
_EXACT = 12  # scenes up to which all sign flips are tried


@dataclass(frozen=True)
class PairedComparison:
    """How one system did against another on the same scenes; differences are the first's minus the other's."""

    scenes: int
    compared: int
    """Scenes in which both have a value."""
    only_first: int
    """Scenes in which only the first has one: there is no source, it has false positives, the other has none."""
    only_other: int
    difference: Estimate | None
    """Mean difference over the scenes compared, in dB, with its interval; None without any."""
    p_mean: float | None
    """Of the sign-flip permutation test; None with fewer than two scenes."""
    p_ranks: float | None
    """Of Wilcoxon's signed-rank test."""
    better: int
    equal: int
    worse: int
    right_first: int
    """Mixtures whose labels only the first has all right."""
    right_other: int
    p_mixtures: float | None
    """Of McNemar's exact test; None if no mixture is right in one system alone."""


def compare(
    first: Sequence[SceneScore],
    other: Sequence[SceneScore],
    *,
    confidence: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> PairedComparison:
    """Compare the scores of two systems, in the same order of scenes.

    A scene without a value on a side (no source, and none predicted) has no difference in dB; it is counted apart.

    Args:
        first, other: one score for each scene.
        confidence: of the interval of the mean difference, a percentile bootstrap over the scenes.
        resamples: of bootstrap and permutation test.
        seed: of their draws.

    Raises:
        DataError: the numbers of scores differ.

    >>> ours = [SceneScore(value, tp=1) for value in (3.0, 5.0, 4.0, 6.0)]
    >>> theirs = [SceneScore(value, tp=1) for value in (1.0, 4.5, 4.0, 2.0)]
    >>> result = compare(ours, theirs)
    >>> result.difference.value, result.better, result.equal, result.p_mean
    (1.625, 3, 1, 0.25)
    """
    first, other = list(first), list(other)
    if len(first) != len(other):
        raise DataError(f"{len(first)} scores cannot be compared with {len(other)}: the same scenes are needed.")
    values = [(a.value, b.value) for a, b in zip(first, other, strict=True)]
    gain = np.array([a - b for a, b in values if a is not None and b is not None])
    gain[np.abs(gain) < _TIE] = 0
    undefined = [(a is None, b is None) for a, b in values]
    right = [(a.fn + a.fp == 0, b.fn + b.fp == 0) for a, b in zip(first, other, strict=True)]
    right_first, right_other = right.count((True, False)), right.count((False, True))
    return PairedComparison(
        scenes=len(first),
        compared=len(gain),
        only_first=undefined.count((False, True)),
        only_other=undefined.count((True, False)),
        difference=bootstrap_ratios(
            gain[None], np.ones((1, len(gain))), confidence=confidence, resamples=resamples, seed=seed
        )[0],
        p_mean=sign_flip_test(gain, resamples, seed) if len(gain) > 1 else None,
        p_ranks=_signed_ranks(gain) if len(gain) > 1 else None,
        better=int((gain > 0).sum()),
        equal=int((gain == 0).sum()),
        worse=int((gain < 0).sum()),
        right_first=right_first,
        right_other=right_other,
        p_mixtures=_coin(right_first, right_other) if right_first + right_other else None,
    )


def difference_of_means(
    first: Sequence[SceneScore], other: Sequence[SceneScore], *, resamples: int = 2000, seed: int = 0
) -> Estimate | None:
    """Return the mean of ``first`` minus the mean of ``other`` in dB, with a 95 % interval by bootstrap over scenes.

    Each mean is over the scenes that have a value in it.  A scene without a source leaves the mean once nothing is
    found there, which is a gain that differences scene by scene do not show.  None where a side has no value.

    >>> ours, theirs = (SceneScore(4.0), SceneScore(None)), (SceneScore(4.0), SceneScore(0.0, fp=1))
    >>> difference_of_means(ours, theirs, resamples=0).value
    2.0
    """
    means = [
        ratio(np.array([s.value or 0.0 for s in side]), np.array([float(s.value is not None) for s in side]))
        for side in (first, other)
    ]
    return bootstrap(
        lambda index: means[0](index) - means[1](index),
        len(first),
        resamples=resamples if len(first) > 1 else 0,
        seed=seed,
    )


def sign_flip_test(gain: np.ndarray, resamples: int = 9999, seed: int = 0) -> float:
    """Return the two-sided p value of ``gain [N]`` having the mean 0, if a coin decides each sign.

    All ``2**N`` signs are tried up to N = 12, ``resamples`` random ones beyond; the signs observed are one of them.

    >>> sign_flip_test(np.array([1.0, 2.0, 3.0]))
    0.25
    """
    observed = abs(gain.mean()) * (1 - 1e-12)  # equal means in another order of summation are equal
    if len(gain) <= _EXACT:
        means = np.array(list(itertools.product((-1, 1), repeat=len(gain)))) @ gain / len(gain)
        return float((np.abs(means) >= observed).mean())

    generator = np.random.default_rng(seed)
    means = [
        (gain * generator.choice((-1, 1), size=(rows, len(gain)))).mean(1) for rows in blocks(resamples, len(gain))
    ]
    extreme = (np.abs(np.concatenate(means)) >= observed).sum()
    return float((extreme + 1) / (resamples + 1))


def _signed_ranks(gain: np.ndarray) -> float:
    from scipy.stats import wilcoxon  # slow to import

    return float(wilcoxon(gain, zero_method="pratt").pvalue) if gain.any() else 1.0


def _coin(heads: int, tails: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(heads, heads + tails).pvalue)
