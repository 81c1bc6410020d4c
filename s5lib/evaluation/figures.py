"""The figures that systems are measured by: one list for tables, pictures, comparisons and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s5lib.evaluation.aggregate import GroupScore, aggregate
from s5lib.evaluation.bootstrap import Estimate
from s5lib.evaluation.recording_scores import RecordingScores
from s5lib.metrics import SceneScore

__all__ = ["FIGURES", "Figure", "Group", "Summary", "paired"]

Group = tuple[str, str]
"""A group of recordings as :class:`~s5lib.evaluation.aggregate.GroupScore` names it: ``("set", "DupSet")``."""


@dataclass(frozen=True)
class Figure:
    """A figure, and where it comes from."""

    title: str
    scores: str
    """one of a recording's scores, see :data:`~s5lib.evaluation.recording_scores.KINDS`"""
    part: str = "sdri"
    """``sdri``, ``source_accuracy`` or ``mixture_accuracy`` of :class:`~s5lib.evaluation.aggregate.GroupScore`"""

    @property
    def unit(self) -> str:
        """``dB`` or ``%``."""
        return "dB" if self.part == "sdri" else "%"

    @property
    def digits(self) -> int:
        """Decimal places shown."""
        return 2 if self.part == "sdri" else 1

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} [{self.unit}]"


FIGURES = {
    "ca_pi_sdri": Figure("CA-PI-SDRi", "predicted"),
    "source_accuracy": Figure("source accuracy", "predicted", "source_accuracy"),
    "mixture_accuracy": Figure("mixture accuracy", "predicted", "mixture_accuracy"),
    "pi_sdri": Figure("PI-SDRi, oracle labels", "oracle"),
    "oracle_ca_pi_sdri": Figure("CA-PI-SDRi, oracle labels", "oracle_ca_pi"),
    "ca_sdri": Figure("CA-SDRi", "predicted_ca"),
    "predicted_pi_sdri": Figure("PI-SDRi, predicted labels", "predicted_pi"),
    "mixture_floor": Figure("floor: mixture", "mixture"),
    "divided_floor": Figure("floor: mixture / K", "divided"),
    "best_gain_floor": Figure("floor: best gain", "best_gain"),
    "silence_floor": Figure("floor: silence", "silence"),
}
"""The figures of tables and comparisons by their keys, such as ``ca_pi_sdri`` and ``source_accuracy``."""


def paired(
    first: Sequence[RecordingScores], other: Sequence[RecordingScores], figure: Figure
) -> list[tuple[SceneScore, SceneScore]]:
    """Return a figure's scores of two systems, whose recordings have the same order; empty where any is missing."""
    pairs = [(getattr(a, figure.scores), getattr(b, figure.scores)) for a, b in zip(first, other, strict=True)]
    return [] if any(None in pair for pair in pairs) else pairs


class Summary:
    """All figures of one system over all groups of recordings, each computed when it is first asked for.

    Args:
        recordings: the system's scores.
        resamples: of the bootstrap; 0 leaves the intervals out.
    """

    def __init__(self, recordings: Sequence[RecordingScores], resamples: int = 1000):
        self.recordings = tuple(recordings)
        self._resamples = resamples
        self._groups: dict[str, dict[Group, GroupScore]] = {}

    def groups(self, kind: str) -> dict[Group, GroupScore]:
        """Return the means of one kind of scores by group; empty where a recording lacks them."""
        if kind not in self._groups:
            scores = [getattr(recording, kind) for recording in self.recordings]
            means = [] if None in scores else aggregate(scores, resamples=self._resamples)
            self._groups[kind] = {(mean.group, mean.name): mean for mean in means}
        return self._groups[kind]

    def names(self, *kinds: str) -> dict[Group, int]:
        """Return the groups of these kinds (``set``, ``sources``, ``class``), and how many recordings each has."""
        predicted = self.groups("predicted")
        found = predicted | self.groups("oracle") | predicted  # classes that were only predicted are in order
        return {group: mean.scenes for group, mean in found.items() if group[0] in kinds}

    def estimate(self, figure: Figure, group: Group) -> Estimate | None:
        """Return a figure of a group, in the figure's unit; None where it has no value."""
        mean = self.groups(figure.scores).get(group)
        value: Estimate | None = getattr(mean, figure.part, None)
        return value and value.scaled(100 if figure.unit == "%" else 1)
