"""The comparison of two systems in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from s5lib.errors import DataError
from s5lib.evaluation.aggregate import scene_set
from s5lib.evaluation.comparable import check_same_set
from s5lib.evaluation.figures import FIGURES, paired
from s5lib.evaluation.markdown import table
from s5lib.evaluation.paired_tests import PairedComparison, compare
from s5lib.evaluation.recording_scores import RecordingScores
from s5lib.metrics import SceneScore
from s5lib.untrusted import as_markdown

__all__ = ["comparison_text", "describe", "with_other"]

_LEVEL = 0.05


def comparison_text(first: Sequence[RecordingScores], other: Sequence[RecordingScores], names: tuple[str, str]) -> str:
    """Return Markdown: the result in words, and a table by kind of scene and number of sources.

    Args:
        first, other: the scores of the two systems.
        names: of the two.

    Raises:
        DataError: see :func:`check_same_set`, or the two have no scores of the same kind.
    """
    check_same_set(first, other, names)
    others = {scores.id: scores for scores in other}
    other = [others[scores.id] for scores in first]
    names = as_markdown(names[0]), as_markdown(names[1])
    parts = [f"## {names[0]} against {names[1]}\n"]
    for figure in (FIGURES["ca_pi_sdri"], FIGURES["pi_sdri"]):
        if not (scores := paired(first, other, figure)):
            continue
        members: dict[str, list[tuple[SceneScore, SceneScore]]] = {}
        for pair in scores:
            for group in _groups_of(pair[0]):
                members.setdefault(group, []).append(pair)
        groups = {name: compare(*zip(*members[name], strict=True)) for name in sorted(members)}
        groups = {"all": compare(*zip(*scores, strict=True))} | groups
        parts += [describe(groups["all"], figure.title, names) + "\n", _table(groups, figure.title)]
    if len(parts) == 1:
        raise DataError(f"{names[0]} and {names[1]} have no scores of the same kind (predicted or oracle labels).")
    return "\n".join([*parts, _NOTE])


def with_other(first: Sequence[RecordingScores], other: Sequence[RecordingScores]) -> list[RecordingScores]:
    """Return the scores of ``first``, which then name the values of ``other`` on the same recordings."""
    others = {scores.id: scores for scores in other}

    def values(ours: RecordingScores) -> dict[str, float | None]:
        found = {kind: (getattr(ours, kind), getattr(others[ours.id], kind)) for kind in ("predicted", "oracle")}
        return {kind: theirs.value for kind, (score, theirs) in found.items() if score and theirs}

    return [replace(ours, other=values(ours)) for ours in first]


def _groups_of(score: SceneScore) -> tuple[str, str]:
    number = score.tp + score.fn
    return scene_set(score), f"{number} source{'' if number == 1 else 's'}"


def describe(result: PairedComparison, figure: str, names: tuple[str, str]) -> str:
    """Describe the result of a comparison, and its limits.

    >>> from s5lib.metrics import SceneScore
    >>> ours = [SceneScore(value, tp=1) for value in (3.0, 5.0, 4.0, 6.0)]
    >>> describe(compare(ours, ours), "CA-PI-SDRi", ("new", "old"))
    'CA-PI-SDRi: new and old are equal on all 4 mixtures.'
    """
    first, other = names
    mean = result.difference
    if mean is None:
        return f"{figure}: no mixture has a value in both systems."
    if result.equal == result.compared:
        return f"{figure}: {first} and {other} are equal on all {result.compared} mixtures."
    if result.p_mean is None or result.p_ranks is None:
        return f"{figure}: {mean.value:+.2f} dB on the only mixture with a value in both, too few to generalise."
    winner = first if mean.value > 0 else other
    numbers = (
        f"{abs(mean.value):.2f} dB on average over {result.compared} mixtures (95 % confidence interval of "
        f"{first} minus {other}: {mean.low:+.2f} to {mean.high:+.2f} dB; sign-flip permutation test p = "
        f"{_p(result.p_mean)}, Wilcoxon p = {_p(result.p_ranks)})"
    )
    if result.p_mean < _LEVEL:
        text = f"{figure}: {winner} is better, by {numbers}."
    else:
        text = f"{figure}: no significant difference. Here {winner} is ahead by {numbers}, which can be chance."
    text += f" {first} is better on {result.better} mixtures, equal on {result.equal}, worse on {result.worse}."
    if (result.p_ranks < _LEVEL) != (result.p_mean < _LEVEL):
        text += " The two tests disagree: look at single mixtures before you rely on either."
    alone = result.only_first + result.only_other
    if alone:
        text += (
            f" Not compared: {alone} mixtures without a source in which only one system correctly found none: "
            f"{first} on {result.only_other}, {other} on {result.only_first}."
        )
    if result.p_mixtures is not None and figure == FIGURES["ca_pi_sdri"].title:
        text += (
            f" All labels are right in {result.right_first} mixtures by {first} alone, in {result.right_other} by "
            f"{other} alone (McNemar's exact test p = {_p(result.p_mixtures)})."
        )
    return text


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if value >= 0.0001 else "below 0.0001"


def _table(groups: Mapping[str, PairedComparison], figure: str) -> str:
    header = ["mixtures", "compared", f"difference in {figure} [dB]", "better", "equal", "worse"]
    rows = []
    for name, result in groups.items():
        difference = result.difference.format(sign="+") if result.difference else "-"
        counts = [str(count) for count in (result.better, result.equal, result.worse)]
        rows.append([name, str(result.compared), difference, *counts, _p(result.p_mean), _p(result.p_ranks)])
    return table([*header, "p, sign flips", "p, Wilcoxon"], rows)


_NOTE = """\
Differences are taken mixture by mixture, where both systems have a value; so their mean need not be the difference of
the means above. The p values below "all" are not corrected for the number of rows: with many of them, some are small
by chance.
"""
