"""``RESULTS.md`` and ``scores.jsonl``: the scores of a test set, as a table and line by line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from s5lib.metrics import aggregate
from s5lib.metrics.aggregate import Estimate, GroupScore
from s5lib.report.scoring import RecordingScores

__all__ = ["results_table", "write_results"]

_COLUMNS = ("predicted", "oracle", "mixture", "silence")


def results_table(scores: Sequence[RecordingScores]) -> str:
    """Return the scores as Markdown: by kind of scene, by number of sources, by class.

    Intervals are of 95 %, by bootstrap over the recordings.
    """
    groups = {name: _groups([getattr(s, name) for s in scores]) for name in _COLUMNS}
    names = dict.fromkeys(key for column in groups.values() for key in column)
    parts = []
    for group, title in (("set", "set"), ("sources", "sources in the mixture"), ("class", "class")):
        parts.append(
            f"| {title} | mixtures | CA-PI-SDRi [dB] | source accuracy [%] | mixture accuracy [%] "
            "| PI-SDRi, oracle labels [dB] | floor: mixture [dB] | floor: silence [dB] |\n"
            "|---|--:|--:|--:|--:|--:|--:|--:|"
        )
        for key in names:
            if key[0] != group:
                continue
            system, oracle, mixture, silence = (groups[name].get(key) for name in _COLUMNS)
            cells = [
                key[1], str((system or oracle).scenes),
                _cell(system and system.sdri), _cell(system and system.source_accuracy, 100, 1),
                _cell(system and system.mixture_accuracy, 100, 1), _cell(oracle and oracle.sdri),
                _value(mixture and mixture.sdri), _value(silence and silence.sdri),
            ]
            parts.append(f"| {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts)


def _groups(scores) -> dict[tuple[str, str], GroupScore]:
    if any(score is None for score in scores):
        return {}
    return {(group.group, group.name): group for group in aggregate(scores)}


def _cell(estimate: Estimate | None, scale: float = 1, digits: int = 2) -> str:
    if estimate is None:
        return "-"
    text = f"{scale * estimate.value:.{digits}f}"
    if estimate.low is not None:
        text += f" ({scale * estimate.low:.{digits}f} to {scale * estimate.high:.{digits}f})"
    return text


def _value(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.2f}"


_NOTES = """
- CA-PI-SDRi: the whole system, labels predicted by the tagger; a missed or invented source counts 0 dB. A mixture with
  neither a source nor a prediction has no value and is left out of the mean.
- Source accuracy: TP / (TP + FP + FN); mixture accuracy: mixtures whose labels are all right.
- PI-SDRi, oracle labels: the separator alone, told the right labels.
- DupSet: mixtures with several sources of one class; NoDupSet: all classes distinct; zero-target: no source.
- Floors, with oracle labels: the mixture itself, or silence, as every estimate.
- In brackets: 95 % confidence intervals, by bootstrap over the mixtures.
"""


def write_results(scores: Sequence[RecordingScores], path: Path, title: str) -> str:
    """Write ``path`` (Markdown) and, beside it, a ``.jsonl`` of the same name with a line for each recording.

    Returns the table.
    """
    table = results_table(scores)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(_line(score)) for score in scores]
    for target, text in (
        (path, f"# {title}\n\n{table}{_NOTES}"),
        (path.with_suffix(".jsonl"), "\n".join(lines) + "\n"),
    ):
        temporary = target.with_name(f".{target.name}.part")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    return table


def _line(score: RecordingScores) -> dict:
    row = {"id": score.id}
    for name in _COLUMNS:
        scene = getattr(score, name)
        if scene is not None:
            row[name] = {
                "value": scene.value, "tp": scene.tp, "fn": scene.fn, "fp": scene.fp,
                "pairs": [[pair.reference, pair.estimate, pair.reference_label, pair.sdri] for pair in scene.pairs],
            }
    return row
