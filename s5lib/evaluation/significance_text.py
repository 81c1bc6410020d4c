"""The comparison of two systems in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from s5lib.errors import DataError
from s5lib.evaluation import scene_set
from s5lib.evaluation.paired_tests import Comparison, compare
from s5lib.evaluation.scoring import RecordingScores
from s5lib.metrics import SceneScore

__all__ = ["comparison_text", "describe"]

_MEASURES = {"predicted": "CA-PI-SDRi", "oracle": "PI-SDRi with oracle labels"}
_LEVEL = 0.05


def comparison_text(
    scores: Sequence[RecordingScores], others: Mapping[str, Mapping[str, SceneScore]], names: tuple[str, str]
) -> str:
    """Return Markdown: what the comparison says in words, and a table by kind of scene and number of sources.

    Args:
        scores: of the first system.
        others: of the other one, by recording and then by ``"predicted"`` or ``"oracle"``.
        names: of the two.

    Raises:
        DataError: the two have not been scored on the same recordings, or with labels of different kinds.
    """
    ids = {score.id for score in scores}
    if ids != set(others):
        apart = sorted(ids ^ set(others))
        raise DataError(
            f"{names[0]} and {names[1]} were not scored on the same recordings: {len(apart)} are only in one, "
            f"as {apart[0]}."
        )
    parts = [f"## {names[0]} against {names[1]}\n"]
    for kind, measure in _MEASURES.items():
        pairs = [(getattr(score, kind), others[score.id].get(kind)) for score in scores]
        if any(first is None or other is None for first, other in pairs):
            continue
        of = [_groups_of(first) for first, _ in pairs]
        groups = {"all": compare(*zip(*pairs, strict=True))}
        for group in sorted({name for names_of in of for name in names_of}):
            groups[group] = compare(
                *zip(*[p for p, names_of in zip(pairs, of, strict=True) if group in names_of], strict=True)
            )
        parts += [describe(groups["all"], measure, names) + "\n", _table(groups, measure)]
    if len(parts) == 1:
        raise DataError(f"{names[0]} and {names[1]} have no output of the same kind (predicted, oracle labels).")
    return "\n".join([*parts, _NOTE])


def _groups_of(score: SceneScore) -> tuple[str, str]:
    number = score.tp + score.fn
    return scene_set(score), f"{number} source{'' if number == 1 else 's'}"


def describe(result: Comparison, measure: str, names: tuple[str, str]) -> str:
    """Return in words what a comparison says, and what it does not.

    >>> from s5lib.metrics import SceneScore
    >>> ours = [SceneScore(value, tp=1) for value in (3.0, 5.0, 4.0, 6.0)]
    >>> describe(compare(ours, ours), "CA-PI-SDRi", ("new", "old"))
    'CA-PI-SDRi: new and old are equal on all 4 mixtures.'
    """
    first, other = names
    if not result.compared:
        return f"{measure}: no mixture has a value in both systems."
    if result.equal == result.compared:
        return f"{measure}: {first} and {other} are equal on all {result.compared} mixtures."
    mean = result.difference
    if result.p_mean is None:
        return (
            f"{measure}: {mean.value:+.2f} dB on the only mixture with a value in both, which tells nothing of others."
        )
    figures = (
        f"{abs(mean.value):.2f} dB on average over {result.compared} mixtures (95 % confidence interval of "
        f"{first} minus {other}: {mean.low:+.2f} to {mean.high:+.2f} dB; sign-flip permutation test p = "
        f"{_p(result.p_mean)}, Wilcoxon p = {_p(result.p_ranks)})"
    )
    winner = first if mean.value > 0 else other
    if result.p_mean < _LEVEL:
        text = f"{measure}: {winner} is better, by {figures}."
    else:
        text = (
            f"{measure}: which of the two is better is open. Here {winner} is ahead by {figures}, which can be chance."
        )
    text += f" {first} is better on {result.better} mixtures, equal on {result.equal}, worse on {result.worse}."
    if result.p_ranks is not None and (result.p_ranks < _LEVEL) != (result.p_mean < _LEVEL):
        text += " The two tests disagree: look at the single mixtures before you rely on either."
    alone = result.only_first + result.only_other
    if alone:
        text += (
            f" Left out are {alone} mixtures without a source in which one of the two rightly found none: "
            f"{first} on {result.only_other}, {other} on {result.only_first}."
        )
    if result.p_mixtures is not None and measure == _MEASURES["predicted"]:
        text += (
            f" All labels are right in {result.right_first} mixtures by {first} alone, in {result.right_other} by "
            f"{other} alone (McNemar's exact test p = {_p(result.p_mixtures)})."
        )
    return text


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "below 0.0001"


def _table(groups: Mapping[str, Comparison], measure: str) -> str:
    lines = [
        f"| mixtures | compared | difference, {measure} [dB] | better | equal | worse | p, sign flips | p, Wilcoxon |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, result in groups.items():
        mean, cell = result.difference, "-"
        if mean is not None:
            cell = f"{mean.value:+.2f}" + (f" ({mean.low:+.2f} to {mean.high:+.2f})" if mean.low is not None else "")
        tests = ["-" if p is None else _p(p) for p in (result.p_mean, result.p_ranks)]
        counts = [str(n) for n in (result.better, result.equal, result.worse)]
        lines.append(f"| {name} | {result.compared} | {cell} | {' | '.join([*counts, *tests])} |")
    return "\n".join(lines) + "\n"


_NOTE = """\
Differences are taken mixture by mixture; where one of the two has no value there is none, so that they need not be the
differences of the means above. The p values below "all" are not corrected for the number of rows: with many of them,
some are small by chance.
"""
