"""Scores for other programs: all means as plain values for JSON, and a table of the recordings as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s5lib.errors import ConfigError
from s5lib.evaluation.aggregate import scene_set
from s5lib.evaluation.figures import FIGURES, Summary, paired
from s5lib.evaluation.paired_tests import compare
from s5lib.evaluation.recording_scores import MetricOptions, RecordingScores
from s5lib.provenance.files import atomic_write

__all__ = ["plain_summary", "write_csv"]

_SDRI = {key: figure.scores for key, figure in FIGURES.items() if figure.part == "sdri"}


def plain_summary(scores: Sequence[RecordingScores], others: Sequence[RecordingScores] = ()) -> dict[str, Any]:
    """Return the means of a test set as plain values.

    Args:
        scores: of the recordings.
        others: of another system on the same recordings, in the same order; empty: there is none.

    Returns:
        ``options`` of the metric; ``groups``, a list with ``group`` and ``name`` as in
        :class:`~s5lib.evaluation.aggregate.GroupScore`, ``mixtures``, ``figures`` (by the keys of
        :data:`~s5lib.evaluation.figures.FIGURES`: ``value``, ``low``, ``high``, ``unit``; null without a value) and
        ``counts`` of the predicted labels; with ``others`` also ``comparison``, by figure the fields of
        :class:`~s5lib.evaluation.paired_tests.PairedComparison`.
    """
    summary = Summary(scores)
    groups = []
    for group, count in summary.names("set", "sources", "class").items():
        figures: dict[str, Any] = {}
        for key, figure in FIGURES.items():
            if summary.groups(figure.scores):
                estimate = summary.estimate(figure, group)
                figures[key] = estimate and {**asdict(estimate), "unit": figure.unit}
        predicted = summary.groups("predicted").get(group)
        counts = predicted and {key: getattr(predicted.labels, key) for key in ("tp", "fn", "fp")}
        groups.append({"group": group[0], "name": group[1], "mixtures": count, "figures": figures, "counts": counts})
    options = scores[0].options if scores else MetricOptions()
    result: dict[str, Any] = {"options": asdict(options), "groups": groups}
    if others:
        result["comparison"] = {}
        for key in ("ca_pi_sdri", "pi_sdri"):
            if pairs := paired(scores, others, FIGURES[key]):
                result["comparison"][key] = asdict(compare(*zip(*pairs, strict=True)))
    return result


def write_csv(scores: Sequence[RecordingScores], path: Path) -> None:
    """Write a row for each recording: its labels, its SDRi in dB by the keys of ``FIGURES``, its label counts.

    Cells are empty where there is no value, columns left out where nothing was scored.  With another system, its values
    are in columns ``other_ca_pi_sdri`` and ``other_pi_sdri``.

    Raises:
        ConfigError: it cannot be written there.
    """
    kinds = {key: kind for key, kind in _SDRI.items() if any(getattr(r, kind) for r in scores)}
    others = {f"other_{key}": kind for key, kind in kinds.items() if any(kind in r.other for r in scores)}
    predicted = "ca_pi_sdri" in kinds
    header = ["id", "set", "sources", "labels", *kinds, *others]
    header += ["tp", "fn", "fp", "missed", "false_positives"] if predicted else []
    try:
        # names of files need not be UTF-8: their bytes are kept
        with (
            atomic_write(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for r in scores:
                values = [score.value if (score := getattr(r, kind)) else None for kind in kinds.values()]
                theirs = [r.other.get(kind) for kind in others.values()]
                row = [r.id, scene_set(r.mixture), len(r.labels), ";".join(r.labels), *values, *theirs]
                if predicted and r.predicted:
                    p = r.predicted
                    wrong = [";".join(str(f.label) for f in side) for side in (p.false_negatives, p.false_positives)]
                    row += [p.tp, p.fn, p.fp, *wrong]
                writer.writerow(row)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}. Choose another place by --csv.") from None
