"""``RESULTS.md`` and ``scores.jsonl``: the scores of a test set, as a table and line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from s5lib.errors import ConfigError
from s5lib.evaluation import aggregate
from s5lib.evaluation.aggregate import Estimate, GroupScore
from s5lib.evaluation.scoring import MetricOptions, RecordingScores
from s5lib.metrics import SceneScore
from s5lib.provenance.files import write_text
from s5lib.untrusted import to_json

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
                key[1],
                str((system or oracle).scenes),
                _cell(system and system.sdri),
                _cell(system and system.source_accuracy, 100, 1),
                _cell(system and system.mixture_accuracy, 100, 1),
                _cell(oracle and oracle.sdri),
                _value(mixture and mixture.sdri),
                _value(silence and silence.sdri),
            ]
            parts.append(f"| {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts + _more_of_predicted(scores, groups["predicted"]))


def _more_of_predicted(scores: Sequence[RecordingScores], predicted: dict) -> list[str]:
    """Return a table of the other metrics and the counts, with a column for each set."""
    sets = [key for key in predicted if key[0] == "set"]
    if not sets:
        return []
    other = {name: _groups([getattr(s, name) for s in scores]) for name in ("predicted_ca", "predicted_pi")}
    empty = [s.predicted for s in scores if not s.predicted.reference_labels]
    rows = {
        "CA-SDRi [dB]": [_cell(other["predicted_ca"][key].sdri) for key in sets],
        "PI-SDRi [dB]": [_cell(other["predicted_pi"][key].sdri) for key in sets],
        "sources": [str(predicted[key].labels.tp + predicted[key].labels.fn) for key in sets],
        "found (TP)": [str(predicted[key].labels.tp) for key in sets],
        "missed (FN)": [str(predicted[key].labels.fn) for key in sets],
        "invented (FP)": [str(predicted[key].labels.fp) for key in sets],
    }
    lines = [f"| predicted labels | {' | '.join(name for _, name in sets)} |", f"|---|{'--:|' * len(sets)}"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    if empty:
        wrong = sum(score.fp > 0 for score in empty)
        lines += ["", f"Of {len(empty)} mixtures without a source, {wrong} got an invented one."]
    return [*lines, ""]


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
- CA-PI-SDRi: the whole system, labels predicted by the tagger; a missed or invented source counts 0 dB, unless
  said otherwise below. A mixture with neither a source nor a prediction has no value and is left out of the mean.
- CA-SDRi: same-class sources in the order of the files, which means nothing; PI-SDRi with predicted labels: whatever
  the labels say.
- Source accuracy: TP / (TP + FP + FN); mixture accuracy: mixtures whose labels are all right.
- PI-SDRi, oracle labels: the separator alone, told the right labels.
- DupSet: mixtures with several sources of one class; NoDupSet: all classes distinct; zero-target: no source.
- Floors, with oracle labels: the mixture itself, or silence, as every estimate.
- In brackets: 95 % confidence intervals, by bootstrap over the mixtures.
"""


def write_results(
    scores: Sequence[RecordingScores],
    path: Path,
    title: str,
    options: MetricOptions | None = None,
    comparison: str = "",
    others: Mapping[str, Mapping[str, SceneScore]] | None = None,
) -> str:
    """Write ``path`` (Markdown) and, beside it, a ``.jsonl`` of the same name with a line for each recording.

    Args:
        options: that the scores were made with.
        comparison: Markdown with another system, that goes between table and notes.
        others: that system's scores, by recording and kind; their values and the differences go into the lines.

    Returns the table.

    Raises:
        ConfigError: it cannot be written there.
    """
    options = options or MetricOptions()
    table = results_table(scores)
    of_other = others or {}
    lines = [to_json(_line(s, of_other.get(s.id, {})) | {"options": asdict(options)}) for s in scores]
    notes = _NOTES
    if options != MetricOptions():
        notes += (
            f"- Pairs by {options.pairing.upper()}; a missed source counts {options.penalty_fn:g} dB, an invented one "
            f"{options.penalty_fp:g} dB.\n"
        )
    try:
        write_text(path, f"# {title}\n\n{table}{comparison}{notes}")
        write_text(path.with_suffix(".jsonl"), "\n".join(lines) + "\n")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}. Choose another place by --out.") from None
    return table


def _line(score: RecordingScores, others: Mapping[str, SceneScore]) -> dict:
    row = {"id": score.id}
    for name in (*_COLUMNS, "oracle_ca_pi"):
        scene = getattr(score, name)
        if scene is not None:
            row[name] = {
                "value": scene.value,
                "tp": scene.tp,
                "fn": scene.fn,
                "fp": scene.fp,
                "pairs": [[pair.reference, pair.estimate, pair.reference_label, pair.sdri] for pair in scene.pairs],
            }
    if score.predicted is not None:
        row["predicted"]["false_positives"] = [[false.index, false.label] for false in score.predicted.false_positives]
    if score.predicted_ca is not None:
        row["predicted_ca_sdri"], row["predicted_pi_sdri"] = score.predicted_ca.value, score.predicted_pi.value
    compared = {kind: (row[kind]["value"], other.value) for kind, other in others.items() if kind in row}
    if compared:
        row["other"] = {
            kind: {"value": theirs, "difference": None if None in (ours, theirs) else ours - theirs}
            for kind, (ours, theirs) in compared.items()
        }
    return row
