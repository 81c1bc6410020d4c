"""Two systems on the same scenes: is one better, or was it luck?

Scenes differ far more from each other than systems do on one scene, so the difference is taken scene by scene.  Two
tests ask whether differences as large would come about if it were a coin's matter which system is called which: the
sign-flip permutation test (R. A. Fisher 1935), of the mean, and Wilcoxon's signed-rank test (1945), of the ranks, which
a few extreme scenes move less.  Right and wrong mixtures are compared by McNemar's exact test (1947).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s5lib.errors import DataError
from s5lib.evaluation import Estimate
from s5lib.evaluation.scoring import MetricOptions
from s5lib.metrics import SceneScore
from s5lib.untrusted import read_json_lines, shown

__all__ = ["Comparison", "compare", "read_scores", "sign_flip_test"]

_TIE = 1e-4  # dB: what rounding alone can make
_EXACT = 12  # scenes up to which all sign flips are tried


@dataclass(frozen=True)
class Comparison:
    """How one system did against another on the same scenes; differences are the first's minus the other's."""

    scenes: int
    compared: int
    """Scenes in which both have a value."""
    only_first: int
    """Scenes in which only the first has one; without a source, it invented some, the other rightly found none."""
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
) -> Comparison:
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
    both = [(a.value, b.value) for a, b in zip(first, other, strict=True) if None not in (a.value, b.value)]
    gain = np.array([a - b for a, b in both])
    gain[np.abs(gain) < _TIE] = 0
    undefined = [(a.value is None, b.value is None) for a, b in zip(first, other, strict=True)]
    right = [(a.fn + a.fp == 0, b.fn + b.fp == 0) for a, b in zip(first, other, strict=True)]
    right_first, right_other = right.count((True, False)), right.count((False, True))
    return Comparison(
        scenes=len(first),
        compared=len(gain),
        only_first=undefined.count((False, True)),
        only_other=undefined.count((True, False)),
        difference=_mean(gain, confidence, resamples, seed) if len(gain) else None,
        p_mean=sign_flip_test(gain, resamples, seed) if len(gain) > 1 else None,
        p_ranks=_signed_ranks(gain) if len(gain) > 1 else None,
        better=int((gain > 0).sum()),
        equal=int((gain == 0).sum()),
        worse=int((gain < 0).sum()),
        right_first=right_first,
        right_other=right_other,
        p_mixtures=_coin(right_first, right_other) if right_first + right_other else None,
    )


def _mean(gain: np.ndarray, confidence: float, resamples: int, seed: int) -> Estimate:
    if len(gain) < 2:
        return Estimate(float(gain.mean()))
    means = _in_parts(
        lambda generator, rows: gain[generator.integers(len(gain), size=(rows, len(gain)))], len(gain), resamples, seed
    )
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Estimate(float(gain.mean()), float(low), float(high))


def sign_flip_test(gain: np.ndarray, resamples: int = 9999, seed: int = 0) -> float:
    """Return the two-sided p value of ``gain [N]`` having the mean 0, its signs being a coin's matter.

    All ``2**N`` signs are tried up to N = 12, ``resamples`` random ones beyond; the signs observed are one of them.

    >>> sign_flip_test(np.array([1.0, 2.0, 3.0]))
    0.25
    """
    observed = abs(gain.mean()) * (1 - 1e-12)  # equal means in another order of summation are equal
    if len(gain) <= _EXACT:
        means = np.array(list(itertools.product((-1, 1), repeat=len(gain)))) @ gain / len(gain)
        return float((np.abs(means) >= observed).mean())

    def flipped(generator, rows):
        return gain * generator.choice((-1, 1), size=(rows, len(gain)))

    extreme = (np.abs(_in_parts(flipped, len(gain), resamples, seed)) >= observed).sum()
    return float((extreme + 1) / (resamples + 1))


def _in_parts(draw: Callable, scenes: int, resamples: int, seed: int) -> np.ndarray:
    """Return the mean of each of ``resamples`` draws, made a few at a time: all at once would take gigabytes."""
    generator, rows = np.random.default_rng(seed), max(1, 2**20 // scenes)
    return np.concatenate([draw(generator, min(rows, resamples - n)).mean(1) for n in range(0, resamples, rows)])


def _signed_ranks(gain: np.ndarray) -> float:
    from scipy.stats import wilcoxon  # slow to import

    return float(wilcoxon(gain, zero_method="pratt").pvalue) if gain.any() else 1.0


def _coin(heads: int, tails: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(heads, heads + tails).pvalue)


def read_scores(path: Path, options: MetricOptions) -> dict[str, dict[str, SceneScore]]:
    """Return the scores that ``s5lib score`` left in ``path`` (``.jsonl``): by recording, then by kind; without pairs.

    Raises:
        DataError: the file cannot be read, a line is not one of a recording's scores, or was made with other options.
    """
    found: dict[str, dict[str, SceneScore]] = {}
    for place, row in read_json_lines(path):
        try:
            scores = {kind: _scene(row[kind]) for kind in ("predicted", "oracle") if kind in row}
            if row["id"] in found or not scores:
                raise ValueError("the recording a second time" if scores else "no scores")
            found[row["id"]] = scores
            used = MetricOptions(**row.get("options", {}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{place}: not a line of scores ({shown(error)}); make the file anew.") from None
        if used != options:
            raise DataError(f"{path} was scored with {used}, this is {options}: use the same options for both.")
    return found


def _scene(row: dict) -> SceneScore:
    value = row["value"]
    if value is not None and not np.isfinite(float(value)):
        raise ValueError(f"value {value!r}")
    return SceneScore(None if value is None else float(value), (), int(row["tp"]), int(row["fn"]), int(row["fp"]))
