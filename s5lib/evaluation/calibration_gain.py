"""What a calibration gains, in numbers and in words."""

from __future__ import annotations

import operator
from dataclasses import asdict
from functools import reduce
from typing import Any

from s5lib.evaluation.paired_tests import difference_of_means
from s5lib.evaluation.tuning import Tuned
from s5lib.metrics import SceneScore, ScoreTotal

__all__ = ["describe_gain", "gain_report"]


def gain_report(tuned: Tuned) -> dict[str, Any]:
    """Return the trials and their gains on held-out recordings as plain values."""
    trials = {
        trial.name: {
            **trial.calibration.as_json(),
            "where_tuned": _numbers(trial.tuned),
            "held_out": _numbers(trial.held_out),
            "gain_held_out": gain and asdict(gain),
        }
        for trial in tuned.trials
        for gain in [difference_of_means(trial.held_out, tuned.plain)]
    }
    return {
        "recordings": len(tuned.plain),
        "kept": tuned.kept and tuned.kept.name,
        "plain": _numbers(tuned.plain),
        "tried": trials,
    }


def _numbers(scores: tuple[SceneScore, ...]) -> dict[str, float | None]:
    total = reduce(operator.add, scores, ScoreTotal())
    return {"ca_pi_sdri": total.mean, "source_accuracy": total.labels.source, "mixture_accuracy": total.labels.mixture}


def describe_gain(tuned: Tuned) -> str:
    """Describe what was tuned, what it gains, and whether the gain can be chance."""
    lines = [
        f"{len(tuned.plain)} recordings, {tuned.separations} separations",
        f"{'':<46}{'CA-PI-SDRi':>11}{'sources':>10}{'mixtures right':>16}",
        _row("plain decisions", tuned.plain),
    ]
    for trial in tuned.trials:
        lines.append(_row(f"{trial.name}, where tuned", trial.tuned))
        lines.append(_row(f"{trial.name}, held out", trial.held_out))
    if tuned.kept is None:
        lines.append("No gain on held-out recordings: the decisions stay as they are.")
        return "\n".join(lines)
    calibration, gain = tuned.kept.calibration, difference_of_means(tuned.kept.held_out, tuned.plain)
    classes = "".join(f", {label} {bias:+g}" for label, bias in calibration.classes)
    lines.append(f"Kept: silence {calibration.silence:+g}{classes} (above 0: more often chosen).")
    if gain is not None and gain.low is not None and gain.high is not None:
        chance = "which can be chance" if gain.low <= 0 <= gain.high else "hardly by chance"
        interval = f"95 % confidence interval {gain.low:+.2f} to {gain.high:+.2f} dB"
        lines.append(f"Held-out recordings gain {gain.value:+.2f} dB ({interval}), {chance}.")
    return "\n".join(lines)


def _row(name: str, scores: tuple[SceneScore, ...]) -> str:
    mean, *accuracies = _numbers(scores).values()
    value = "-" if mean is None else f"{mean:.2f} dB"
    source, mixture = ("-" if accuracy is None else f"{100 * accuracy:.1f} %" for accuracy in accuracies)
    return f"{name:<46}{value:>11}{source:>10}{mixture:>16}"
