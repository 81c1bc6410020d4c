"""The scores of one recording, which write themselves as plain values and read themselves back, to the bit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from s5lib.metrics import FalsePrediction, Pair, SceneScore
from s5lib.untrusted import Record

__all__ = ["FLOORS", "KINDS", "MetricOptions", "RecordingScores"]

FLOORS = ("mixture", "divided", "best_gain", "silence")
"""The names of the scores that need no separation."""
KINDS = (*FLOORS, "predicted", "oracle", "predicted_ca", "predicted_pi", "oracle_ca_pi")
"""The names of the scores of a recording."""
_FOLLOW_LABELS = ("predicted", "predicted_ca", "oracle_ca_pi")  # pairs have one label


@dataclass(frozen=True)
class MetricOptions:
    """Options of :func:`s5lib.metrics.ca_pi_sdri`."""

    pairing: str = "sdri"
    """what the pairs maximise: ``"sdri"``, or ``"sdr"`` as the public DCASE 2026 baseline does"""
    penalty_fn: float = 0.0
    """in dB, of each missed source"""
    penalty_fp: float = 0.0
    """in dB, of each false positive"""


@dataclass(frozen=True)
class RecordingScores:
    """The scores of one recording: of a system, and of four floors, which separate nothing."""

    id: str
    mixture: SceneScore
    """the mixture as every estimate, with oracle labels: 0 dB by definition"""
    silence: SceneScore
    """silence as every estimate, with oracle labels"""
    predicted: SceneScore | None = None
    """CA-PI-SDRi with predicted labels; None: there is no such output"""
    oracle: SceneScore | None = None
    """PI-SDRi with oracle labels; None: there is no such output"""
    predicted_ca: SceneScore | None = None
    """CA-SDRi with predicted labels; same-class sources in the order of the files"""
    predicted_pi: SceneScore | None = None
    """PI-SDRi with predicted labels, which then count for nothing"""
    oracle_ca_pi: SceneScore | None = None
    """CA-PI-SDRi with oracle labels: whether the separator put each class's sources under its label"""
    divided: SceneScore | None = None
    """the mixture divided by the number of sources as every estimate; None: scored by a version without this floor"""
    best_gain: SceneScore | None = None
    """the mixture times the gain that gives each source its best SDR, an oracle; None as :attr:`divided`"""
    options: MetricOptions = MetricOptions()
    """that the scores were made with"""
    system: str | None = None
    """digest of the models and settings that made the estimates; None: not known"""
    other: dict[str, float | None] = field(default_factory=dict)
    """By kind, the values in dB of another system that this one was compared with."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the sources that are there."""
        return tuple(map(str, self.mixture.reference_labels))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as a line of ``RESULTS.jsonl`` holds them; kinds that were not scored are left out."""
        row = {key: value for key, value in _plain(self).items() if value is not None and key != "other"}
        if self.other:
            ours = {kind: row[kind]["value"] for kind in self.other}
            row["other"] = {
                kind: {"value": theirs, "difference": None if None in (ours[kind], theirs) else ours[kind] - theirs}
                for kind, theirs in self.other.items()
            }
        return row

    @classmethod
    def from_dict(cls, row: Any, where: object = "scores") -> RecordingScores:
        """Return the scores that :meth:`as_dict` has written.

        Args:
            row: plain values, of any origin.
            where: their place, with which messages begin.

        Raises:
            DataError: a value is missing or of the wrong kind, or the parts contradict each other.
        """
        record = Record(row, where, advice="Run 's5lib score' again.")
        given = record.record("options")
        pairing = given.text("pairing")
        if pairing not in ("sdri", "sdr"):
            given.reject("pairing", "'sdri' or 'sdr'")
        options = MetricOptions(pairing, given.number("penalty_fn"), given.number("penalty_fp"))
        scores = {kind: _score(record.record(kind), kind) for kind in KINDS if kind in record}
        for kind in ("mixture", "silence"):
            if kind not in scores:
                record.reject(kind, "scores")
        if not {"predicted", "oracle"} & scores.keys():
            record.fail("scores with neither predicted nor oracle labels")
        other = record.record("other") if "other" in record else Record({}, where)
        theirs = {kind: other.record(kind).number("value", None) for kind in other.values}
        system = _string(record, "system") if "system" in record else None
        result = cls(_string(record, "id"), **scores, options=options, system=system, other=theirs)
        if not scores.keys() >= theirs.keys():
            record.fail("values of another system without scores to compare them with")
        if any(score.reference_labels != result.labels for score in scores.values()):
            record.fail("the references differ between the kinds of scores")
        return result


def _plain(value: Any) -> Any:
    """Return dataclasses as dictionaries, without the copies of :func:`dataclasses.asdict`, in a third of its time."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return {key: _plain(part) for key, part in vars(value).items()} if is_dataclass(value) else value


def _score(row: Record, kind: str) -> SceneScore:
    pairs = tuple(
        Pair(
            pair.integer("reference", least=0),
            pair.integer("estimate", least=0),
            _string(pair, "reference_label"),
            _string(pair, "estimated_label"),
            pair.number("sdr"),
            pair.number("sdri"),
        )
        for pair in row.records("pairs")
    )
    missed, false = (
        tuple(
            FalsePrediction(f.integer("index", least=0), _string(f, "label"), f.number("penalty"))
            for f in row.records(name)
        )
        for name in ("false_negatives", "false_positives")
    )
    tp, fn, fp = (row.integer(name) for name in ("tp", "fn", "fp"))
    if (tp, fn, fp) != (len(pairs), len(missed), len(false)):
        row.fail("the counts do not fit the pairs and false predictions")
    for what, indices in (
        ("references", [*(pair.reference for pair in pairs), *(f.index for f in missed)]),
        ("estimates", [*(pair.estimate for pair in pairs), *(f.index for f in false)]),
    ):
        if sorted(indices) != list(range(len(indices))):
            row.fail(f"the {what} are not numbered from 0, once each")
    if kind in _FOLLOW_LABELS and any(pair.reference_label != pair.estimated_label for pair in pairs):
        row.fail("the labels of a pair differ")
    value = row.number("value", None)
    parts = [*(pair.sdri for pair in pairs), *(f.penalty for f in missed + false)]
    mean = math.fsum(parts) / len(parts) if parts else None
    if value != mean and (value is None or mean is None or not math.isclose(value, mean, abs_tol=1e-6)):
        row.fail(f"the value {value} is not the mean of its parts")
    return SceneScore(value, pairs, tp, fn, fp, missed, false)


def _string(record: Record, key: str) -> str:
    """Return a label or an id; it may come from the name of a file, which need not be UTF-8."""
    value = record.get(key)
    if not isinstance(value, str):
        record.reject(key, "text")
    return value
