"""Whether scores can be compared: made of the same recordings, in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from s5lib.errors import DataError
from s5lib.evaluation.recording_scores import MetricOptions, RecordingScores

__all__ = ["check_comparable", "check_same_set"]

_SAME_DB = 1e-3  # processors and thread counts differ by far less, other recordings by more


def check_comparable(
    labels: Mapping[str, Sequence[str]],
    options: MetricOptions,
    other: Sequence[RecordingScores],
    names: tuple[object, object],
) -> None:
    """Check that scores are of recordings with these labels, made with these options.

    Args:
        labels: of the references, by recording.
        options: of the first scores.
        other: the other scores.
        names: of the two, for messages.

    Raises:
        DataError: they are not.
    """
    apart = sorted(labels.keys() ^ {scores.id for scores in other})
    if apart:
        raise DataError(
            f"{names[0]} and {names[1]} were not scored on the same recordings: {len(apart)} are only in one, "
            f"such as {apart[0]}."
        )
    for scores in other:
        if scores.options != options:
            raise DataError(
                f"{names[1]} was scored with {scores.options}, {names[0]} with {options}; use the same options."
            )
        if sorted(scores.labels) != sorted(labels[scores.id]):
            raise _other_references(scores.id, names)


def check_same_set(
    first: Sequence[RecordingScores], other: Sequence[RecordingScores], names: tuple[object, object]
) -> None:
    """Check that two systems were scored on one test set with the same options; ``names`` are for messages.

    What silence scores tells recordings of one name apart.

    Raises:
        DataError: they were not.
    """
    check_comparable({scores.id: scores.labels for scores in first}, first[0].options, other, names)
    silence = {scores.id: scores.silence.value for scores in first}
    for scores in other:
        if abs((scores.silence.value or 0.0) - (silence[scores.id] or 0.0)) > _SAME_DB:
            raise _other_references(scores.id, names)


def _other_references(recording: str, names: tuple[object, object]) -> DataError:
    return DataError(
        f"{recording} has another mixture or other references in {names[1]} than in {names[0]}: compare systems on one "
        "test set."
    )
