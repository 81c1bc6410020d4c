"""What a calibration gains, in numbers and in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from s5lib.evaluation import Estimate
from s5lib.evaluation.tuning import Tuned
from s5lib.metrics import SceneScore, ScoreTotal

__all__ = ["describe_gain", "gain_of_mean", "gain_report"]


def gain_of_mean(
    first: tuple[SceneScore, ...], other: tuple[SceneScore, ...], *, resamples: int = 2000, seed: int = 0
) -> Estimate | None:
    """Return the mean of ``first`` minus the mean of ``other`` in dB, with a 95 % interval by bootstrap over scenes.

    Each mean is over the scenes that have a value in it: a scene without a source leaves the mean once nothing is found
    there, which is a gain that differences scene by scene do not show.  None where a side has no value.

    >>> ours, theirs = (SceneScore(4.0), SceneScore(None)), (SceneScore(4.0), SceneScore(0.0, fp=1))
    >>> gain_of_mean(ours, theirs, resamples=0).value
    2.0
    """
    value = np.array([[score.value or 0.0 for score in side] for side in (first, other)])
    count = np.array([[float(score.value is not None) for score in side] for side in (first, other)])
    if not count.sum(1).all():
        return None
    means = value.sum(1) / count.sum(1)
    if len(first) < 2 or not resamples:
        return Estimate(float(means[0] - means[1]))
    index = np.random.default_rng(seed).integers(len(first), size=(resamples, len(first)))
    sums, counts = value[:, index].sum(2), count[:, index].sum(2)
    drawn = sums[:, counts.all(0)] / counts[:, counts.all(0)]
    low, high = np.percentile(drawn[0] - drawn[1], [2.5, 97.5])
    return Estimate(float(means[0] - means[1]), float(low), float(high))


def gain_report(tuned: Tuned) -> dict[str, Any]:
    """Return the numbers of a calibration as plain values: what was tried, and what it gains on held-out recordings."""
    trials = {
        trial.name: {
            **trial.calibration.as_json(),
            "where_tuned": _numbers(trial.tuned),
            "held_out": _numbers(trial.held_out),
            "gain_held_out": _plain(gain_of_mean(trial.held_out, tuned.plain)),
        }
        for trial in tuned.trials
    }
    return {
        "recordings": len(tuned.plain),
        "kept": tuned.kept and tuned.kept.name,
        "plain": _numbers(tuned.plain),
        "tried": trials,
    }


def _plain(estimate: Estimate | None) -> dict[str, float | None] | None:
    return estimate and {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _numbers(scores: tuple[SceneScore, ...]) -> dict[str, float | None]:
    total = sum(scores, ScoreTotal())
    return {
        "ca_pi_sdri": total.mean,
        "source_accuracy": total.labels.source,
        "mixture_accuracy": total.labels.mixture,
    }


def describe_gain(tuned: Tuned) -> str:
    """Return in words what was tuned, what it gains and whether that can be chance."""
    lines = [
        f"{len(tuned.plain)} recordings, {tuned.separations} separations",
        f"{'':<46}{'CA-PI-SDRi':>11}{'sources':>10}{'mixtures right':>16}",
        _row("plain decisions", tuned.plain),
    ]
    for trial in tuned.trials:
        lines.append(_row(f"{trial.name}, where tuned", trial.tuned))
        lines.append(_row(f"{trial.name}, held out", trial.held_out))
    if tuned.kept is None:
        lines.append("Nothing gains on held-out recordings: the decisions stay as they are.")
        return "\n".join(lines)
    calibration, gain = tuned.kept.calibration, gain_of_mean(tuned.kept.held_out, tuned.plain)
    told = "".join(f", {label} {bias:+g}" for label, bias in calibration.classes)
    lines.append(f"Kept: silence {calibration.silence:+g}{told} (above 0: more often chosen).")
    if gain is not None and gain.low is not None:
        chance = "which can be chance" if gain.low <= 0 <= gain.high else "hardly by chance"
        interval = f"95 % confidence interval {gain.low:+.2f} to {gain.high:+.2f} dB"
        lines.append(f"Held-out recordings gain {gain.value:+.2f} dB ({interval}), {chance}.")
    return "\n".join(lines)


def _row(name: str, scores: tuple[SceneScore, ...]) -> str:
    numbers = _numbers(scores)
    source, mixture = (
        "-" if numbers[key] is None else f"{100 * numbers[key]:.1f} %"
        for key in ("source_accuracy", "mixture_accuracy")
    )
    mean = "-" if numbers["ca_pi_sdri"] is None else f"{numbers['ca_pi_sdri']:.2f} dB"
    return f"{name:<46}{mean:>11}{source:>10}{mixture:>16}"
