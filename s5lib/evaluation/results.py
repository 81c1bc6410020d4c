"""``RESULTS.md`` and ``RESULTS.jsonl``: the scores of a test set, as tables and line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from s5lib.errors import ConfigError, DataError
from s5lib.evaluation.bootstrap import Estimate
from s5lib.evaluation.figures import FIGURES, Figure, Group, Summary
from s5lib.evaluation.markdown import table
from s5lib.evaluation.recording_scores import FLOORS, MetricOptions, RecordingScores
from s5lib.provenance.files import write_text
from s5lib.untrusted import as_markdown, read_json_lines, shown, to_json

__all__ = ["MAIN_FIGURES", "options_note", "read_results", "results_table", "write_results"]

MAIN_FIGURES = (
    *("ca_pi_sdri", "source_accuracy", "mixture_accuracy", "pi_sdri"),
    *("mixture_floor", "divided_floor", "best_gain_floor", "silence_floor"),
)
"""The columns of the table of results, keys of :data:`~s5lib.evaluation.figures.FIGURES`."""


def results_table(scores: Sequence[RecordingScores]) -> str:
    """Return the scores as Markdown: by kind of scene, by number of sources, by class.

    Intervals are of 95 %, by bootstrap over the recordings.
    """
    summary = Summary(scores)
    figures = [FIGURES[name] for name in MAIN_FIGURES]
    parts = []
    for kind, title in (("set", "set"), ("sources", "sources in the mixture"), ("class", "class")):
        header = [title, "mixtures", *(figure.heading for figure in figures)]
        rows = [
            [as_markdown(group[1]), str(count), *(_cell(summary, figure, group) for figure in figures)]
            for group, count in summary.names(kind).items()
        ]
        parts.append(table(header, rows))
    return "\n".join(parts + _more_of_predicted(summary))


def _more_of_predicted(summary: Summary) -> list[str]:
    """Return a table of the other metrics and the counts, with a column for each set."""
    sets = {group: mean for group, mean in summary.groups("predicted").items() if group[0] == "set"}
    if not sets:
        return []
    rows = [
        [f"{title} [dB]", *(_cell(summary, FIGURES[key], group) for group in sets)]
        for key, title in (("ca_sdri", "CA-SDRi"), ("predicted_pi_sdri", "PI-SDRi"))
    ]
    counts = [mean.labels for mean in sets.values()]
    rows += [
        ["sources", *(str(count.tp + count.fn) for count in counts)],
        ["found (TP)", *(str(count.tp) for count in counts)],
        ["missed (FN)", *(str(count.fn) for count in counts)],
        ["false positives (FP)", *(str(count.fp) for count in counts)],
    ]
    lines = [table(["predicted labels", *(name for _, name in sets)], rows)]
    lines += _label_floor(summary)
    empty = [r.predicted for r in summary.recordings if r.predicted and not r.labels]
    if empty:
        wrong = sum(score.fp > 0 for score in empty)
        lines.append(f"Mixtures without a source: {len(empty)}, of which {wrong} with a false positive.\n")
    return lines


def _label_floor(summary: Summary) -> list[str]:
    """Return the source accuracy of one label for all mixtures, the most frequent one."""
    counts = Counter(label for recording in summary.recordings for label in recording.labels)
    if not counts:
        return []
    label = min(counts, key=lambda name: (-counts[name], name))
    tp = sum(label in recording.labels for recording in summary.recordings)
    source = tp / (counts.total() + len(summary.recordings) - tp)
    return [f"Always predicting {as_markdown(label)}, the most frequent label: {100 * source:.1f} % source accuracy.\n"]


def _cell(summary: Summary, figure: Figure, group: Group) -> str:
    estimate = summary.estimate(figure, group)
    if estimate is not None and figure.scores in FLOORS:
        estimate = Estimate(estimate.value)  # a floor is given without its interval
    return "-" if estimate is None else estimate.format(figure.digits)


_NOTES = """
- CA-PI-SDRi: the whole system, with labels predicted by the tagger. A missed source or a false positive counts 0 dB,
  unless stated otherwise below. A mixture with neither a source nor a prediction has no value and is left out of the
  mean.
- CA-SDRi pairs same-class sources in the order of the files, which is arbitrary; PI-SDRi with predicted labels ignores
  the labels.
- Source accuracy: TP / (TP + FP + FN). Mixture accuracy: share of mixtures whose labels are all correct.
- PI-SDRi, oracle labels: the separator alone, given the correct labels.
- DupSet: mixtures with several sources of one class; NoDupSet: all classes distinct; zero-target: no source.
- Floors, with oracle labels: every estimate is the mixture, the mixture divided by the number K of sources, the mixture
  at the best gain for each source (an oracle), or silence. SDR rewards the right level alone; only PI-SDRi above the
  best-gain floor is separation.
- In brackets: 95 % confidence intervals, by bootstrap over the mixtures.
"""


def write_results(scores: Sequence[RecordingScores], path: Path, title: str, comparison: str = "") -> str:
    """Write ``path`` (Markdown) and, beside it, a ``.jsonl`` of the same name with a line for each recording.

    Args:
        scores: of the recordings, all with the same options.
        path: of the Markdown.
        title: its heading.
        comparison: Markdown with another system, that goes between tables and notes.

    Returns the tables.

    Raises:
        ConfigError: it cannot be written there.
    """
    tables, notes = results_table(scores), _NOTES
    if note := options_note(scores[0].options if scores else MetricOptions()):
        notes += f"- {note}\n"
    try:
        write_text(path.with_suffix(".jsonl"), "".join(f"{to_json(score.as_dict())}\n" for score in scores))
        write_text(path, f"# {as_markdown(title)}\n\n{tables}{comparison}{notes}")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}. Choose another place by --out.") from None
    return tables


def options_note(options: MetricOptions) -> str:
    """Return a sentence about options that are not the usual ones; of these, nothing."""
    if options == MetricOptions():
        return ""
    return (
        f"Pairs by {options.pairing.upper()}; a missed source counts {options.penalty_fn:g} dB, a false positive "
        f"{options.penalty_fp:g} dB."
    )


def read_results(path: Path) -> tuple[RecordingScores, ...]:
    """Read a ``RESULTS.jsonl``, at least one recording's scores, all of one system and with the same options.

    Raises:
        DataError: the file cannot be read or holds no scores, or a line is damaged or repeats a recording.
    """
    results: dict[str, RecordingScores] = {}
    for place, row in read_json_lines(path, advice="Run 's5lib score' again."):
        scores = RecordingScores.from_dict(row, place)
        if scores.id in results:
            raise DataError(f"{place}: {shown(scores.id)} occurs twice. Run 's5lib score' again.")
        results[scores.id] = scores
        first = next(iter(results.values()))
        if (scores.options, scores.system) != (first.options, first.system):
            raise DataError(
                f"{place}: scored with other options, or of another system, than {shown(first.id)}. Run 's5lib score' "
                "again."
            )
    if not results:
        raise DataError(f"{path} holds no scores; expected a line for each recording, as 's5lib score' writes them.")
    return tuple(results.values())
