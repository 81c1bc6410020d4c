"""The scores of each recording, read back from the ``.jsonl`` that ``s5lib score`` writes.

A line holds what was counted; here it becomes a :class:`~s5lib.metrics.SceneScore` again, so that means and intervals
come from :func:`s5lib.evaluation.aggregate`, as those of the table of results, and are the same to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from s5lib.errors import DataError
from s5lib.metrics import FalsePrediction, Pair, SceneScore
from s5lib.systems.outputs import read_record
from s5lib.untrusted import read_json_lines, shown

__all__ = ["SceneResult", "read_labels", "read_results"]

_MOST_SOURCES = 10_000  # of a recording


@dataclass(frozen=True)
class SceneResult:
    """What one system made of one recording."""

    id: str
    references: tuple[str, ...]
    """Labels of the sources that are there."""
    predicted: SceneScore | None
    """CA-PI-SDRi with predicted labels; None where that was not scored."""
    oracle: SceneScore | None
    """PI-SDRi with oracle labels; None where that was not scored."""
    mixture: SceneScore | None
    """The floor: the mixture as every estimate."""
    silence: SceneScore | None
    """The floor: silence as every estimate."""
    oracle_ca_pi: SceneScore | None = None
    """CA-PI-SDRi with oracle labels; None where that was not scored."""
    labels_known: bool = True
    """Whether the labels of invented sources are known; if not, they are the empty string."""

    @property
    def value(self) -> float | None:
        """In dB: of the whole system or, where there is none, of the separator alone."""
        score = self.predicted or self.oracle
        return score and score.value


def read_results(path: Path, labels: Mapping[str, tuple[str, ...]]) -> tuple[SceneResult, ...]:
    """Read a ``RESULTS.jsonl``.

    Args:
        path: the file.
        labels: by the recording's name, the labels of the estimates; those of invented sources are taken from here
            where the line has none.

    Raises:
        DataError: the file is empty, or a line is not what ``s5lib score`` writes, with its number.
    """
    results, seen = [], set()
    for place, row in read_json_lines(path):
        try:
            result = _result(row, labels)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise DataError(
                f"{place}: not a recording's scores ({shown(error)}). Write the file again with 's5lib score'."
            ) from None
        if result.id in seen:
            raise DataError(f"{place}: {shown(result.id)} comes twice. Write the file again with 's5lib score'.")
        seen.add(result.id)
        results.append(result)
    if not results:
        raise DataError(f"{path} holds no scores: expected a line of JSON for each recording, as 's5lib score' writes.")
    return tuple(results)


def read_labels(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the labels of the estimates of each recording, from what ``s5lib infer`` has left in ``folder``.

    Files that are damaged or no recording's are passed over.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = tuple(str(source["label"]) for source in read_record(path)["sources"])
        except DataError:
            continue
    return found


def _result(row: dict, labels: Mapping[str, tuple[str, ...]]) -> SceneResult:
    name = str(row["id"])
    references = _references(row)
    kinds = ("oracle", "mixture", "silence", "oracle_ca_pi")
    scores = {kind: _score(row[kind], references) for kind in kinds if row.get(kind)}
    predicted, known = None, True
    if row.get("predicted"):
        predicted, known = _predicted(row["predicted"], references, labels.get(name), row.get("options") or {})
    return SceneResult(name, references, predicted, *(scores.get(kind) for kind in kinds), known)


def _references(row: dict) -> tuple[str, ...]:
    """Return the labels of all references: where labels are given, each reference has its estimate."""
    for kind in ("mixture", "silence", "oracle"):
        if row.get(kind):
            labels = {_index(pair[0]): str(pair[2]) for pair in row[kind]["pairs"]}
            if sorted(labels) != list(range(len(labels))) or len(labels) != _count(row[kind], "tp"):
                raise ValueError(f"the pairs of {kind} do not name each reference once")
            return tuple(labels[index] for index in range(len(labels)))
    raise KeyError("mixture")


def _score(part: dict, references: tuple[str, ...]) -> SceneScore:
    pairs = tuple(_pair(pair, references) for pair in part["pairs"])
    tp, fn, fp = (_count(part, name) for name in ("tp", "fn", "fp"))
    if len(pairs) != tp or len({pair.reference for pair in pairs}) != tp or tp + fn != len(references):
        raise ValueError("the counts do not fit the pairs")
    return SceneScore(_number(part["value"], optional=True), pairs, tp, fn, fp)


def _predicted(part: dict, references, estimated, options: dict) -> tuple[SceneScore, bool]:
    """Return the score with the labels of what was missed and invented, and whether these are known.

    The line names the invented sources; one of an earlier version does not, then ``estimated`` does if it fits.
    """
    score = _score(part, references)
    paired, taken = ({getattr(pair, side) for pair in score.pairs} for side in ("reference", "estimate"))
    missed = [index for index in range(len(references)) if index not in paired]
    count = score.tp + score.fp
    invented = {index: "" for index in range(count) if index not in taken}
    if "false_positives" in part:
        named = {_index(index): str(label) for index, label in part["false_positives"]}
        if named.keys() != invented.keys():
            raise ValueError("the false positives are not the estimates without a pair")
        invented, known = named, True
    else:
        known = (
            estimated is not None
            and len(estimated) == count
            and all(estimated[pair.estimate] == pair.reference_label for pair in score.pairs)
        )
        if known:
            invented = {index: estimated[index] for index in invented}
    penalty_fn, penalty_fp = (_number(options.get(f"penalty_{kind}", 0.0)) for kind in ("fn", "fp"))
    negatives = tuple(FalsePrediction(index, references[index], penalty_fn) for index in missed)
    positives = tuple(FalsePrediction(index, label, penalty_fp) for index, label in invented.items())
    total = sum(pair.sdri for pair in score.pairs) + penalty_fn * score.fn + penalty_fp * score.fp
    parts = score.tp + score.fn + score.fp
    if (score.value is None) != (parts == 0) or (parts and not math.isclose(score.value, total / parts, abs_tol=1e-6)):
        raise ValueError(f"the value {score.value} is not the mean of the pairs and penalties")
    return (
        SceneScore(score.value, score.pairs, score.tp, score.fn, score.fp, negatives, positives),
        known or not invented,
    )


def _pair(pair, references: tuple[str, ...]) -> Pair:
    reference, estimate, label, sdri = pair[:4]
    if references[_index(reference)] != label:
        raise ValueError(f"reference {reference} is {references[reference]!r} and {label!r}")
    return Pair(reference, _index(estimate), label, label, math.nan, _number(sdri))


def _index(value) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no index")
    return value


def _count(part: dict, name: str) -> int:
    if _index(part[name]) > _MOST_SOURCES:
        raise ValueError(f"{name} is {part[name]}")
    return part[name]


def _number(value, optional: bool = False) -> float | None:
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)
