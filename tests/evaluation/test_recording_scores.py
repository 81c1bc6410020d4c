"""Scores survive being written to the bit; damaged lines are refused with their number; tables hold any label."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from scene_scores import recording, scene

from s5lib.errors import DataError
from s5lib.evaluation import MetricOptions, RecordingScores, Summary, read_results, results_table, write_results
from s5lib.evaluation.markdown import table
from s5lib.evaluation.recording_scores import KINDS
from s5lib.metrics import FalsePrediction, Pair, SceneScore, label_accuracy
from s5lib.untrusted import as_markdown, printable

finite = st.floats(-200, 200)
texts = st.text(max_size=12)
labels_strategy = st.lists(texts, max_size=4)


@st.composite
def scores_of(draw, labels, follows_labels):
    """Scores of a scene with these references: some paired, some missed, some estimates too many."""
    order = draw(st.permutations(range(len(labels))))
    found = sorted(order[: draw(st.integers(0, len(labels)))])
    extra = draw(st.lists(texts, max_size=3))
    estimates = draw(st.permutations(range(len(found) + len(extra))))
    pairs = tuple(
        Pair(r, e, labels[r], labels[r] if follows_labels else draw(texts), draw(finite), draw(finite))
        for r, e in zip(found, estimates, strict=False)
    )
    missed = tuple(FalsePrediction(r, labels[r], draw(finite)) for r in range(len(labels)) if r not in found)
    wrong = tuple(
        FalsePrediction(e, label, draw(finite)) for e, label in zip(estimates[len(found) :], extra, strict=True)
    )
    parts = [*(pair.sdri for pair in pairs), *(false.penalty for false in missed + wrong)]
    value = math.fsum(parts) / len(parts) if parts else None
    return SceneScore(value, pairs, len(pairs), len(missed), len(wrong), missed, wrong)


@st.composite
def recordings(draw, name=texts):
    labels = draw(labels_strategy)
    kinds = {"mixture", "silence", draw(st.sampled_from(["predicted", "oracle"]))} | draw(
        st.sets(st.sampled_from(KINDS))
    )
    follow = ("predicted", "predicted_ca", "oracle_ca_pi")
    scores = {kind: draw(scores_of(labels, kind in follow)) for kind in sorted(kinds)}
    options = MetricOptions(draw(st.sampled_from(["sdri", "sdr"])), draw(finite), draw(finite))
    other = draw(st.dictionaries(st.sampled_from(sorted(kinds & {"predicted", "oracle"})), st.none() | finite))
    return RecordingScores(draw(name), **scores, options=options, other=other)


@settings(max_examples=60, deadline=None)
@given(recordings())
def test_scores_are_read_back_to_the_bit(scores):
    line = json.dumps(scores.as_dict())
    assert RecordingScores.from_dict(json.loads(line)) == scores
    assert json.dumps(RecordingScores.from_dict(json.loads(line)).as_dict()) == line


@settings(max_examples=8, deadline=None)
@given(st.lists(recordings(), min_size=1, max_size=4, unique_by=lambda scores: scores.id))
def test_the_table_can_be_made_again_from_the_lines(tmp_path_factory, scores):
    options, kinds = scores[0].options, [kind for kind in KINDS if getattr(scores[0], kind)]
    scores = [replace(s, options=options) for s in scores if [k for k in KINDS if getattr(s, k)] == kinds]
    path = tmp_path_factory.mktemp("results") / "RESULTS.md"
    tables = write_results(scores, path, "title")
    read = read_results(path.with_suffix(".jsonl"))
    assert list(read) == scores and results_table(read) == tables and tables in path.read_text()


def test_lines_hold_the_sdr_and_what_another_system_had():
    row = recording("a", ["Dog", "Cat"], [2.0, None], other={"predicted": 0.25}).as_dict()
    assert row["predicted"]["pairs"][0] == {
        "reference": 0,
        "estimate": 0,
        "reference_label": "Dog",
        "estimated_label": "Dog",
        "sdr": 2.5,
        "sdri": 2.0,
    }
    assert row["predicted"]["false_negatives"] == ({"index": 1, "label": "Cat", "penalty": 0.0},)
    assert row["other"] == {"predicted": {"value": 0.25, "difference": 0.75}} and "oracle" not in row


def damage(*place, to=None):
    """Return a line in which the value at ``place`` is replaced by ``to``."""
    row = json.loads(json.dumps(recording("a", ["Dog"], [2.0], [2.0]).as_dict()))
    part = row
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = to
    return json.dumps(row)


GOOD = json.dumps(recording("a", ["Dog"], [2.0]).as_dict())
PAIR = ("predicted", "pairs", 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no scores"),
        ("{}", "line 1"),
        ("[1]", "line 1"),
        ("nonsense", "line 1"),
        ("[" * 100_000, "line 1"),
        (GOOD + "\n\n" + GOOD, "line 3: 'a'"),
        (GOOD + "\n" + GOOD[:-3], "line 2"),
        (damage("id", to=3), "expected text"),
        (damage("mixture"), "line 1"),
        (damage("predicted", "tp", to=2), "counts"),
        (damage("predicted", "tp", to=True), "whole number"),
        (damage("predicted", "false_positives", to=[{"index": 1, "label": "Cat", "penalty": 0.0}]), "counts"),
        (damage("predicted", "value", to=9.0), "not the mean"),
        (damage("predicted", "value", to=0.0), "not the mean"),
        (damage("predicted", "value", to=None), "not the mean"),
        (damage(*PAIR, "sdri", to="x"), "expected a number"),
        (damage(*PAIR, "sdr", to=math.nan), "finite numbers"),
        (damage(*PAIR, "sdr", to=10**400), "line 1"),
        (damage(*PAIR, "reference", to=-1), "whole number"),
        (damage(*PAIR, "estimate", to=1), "estimates are not numbered"),
        (damage(*PAIR, "reference_label", to="Cat"), "labels of a pair"),
        (damage("oracle", "pairs", 0, "reference_label", to="Cat"), "references differ"),
        (damage("options", "pairing", to="sdx"), "pairing"),
        (damage("options", "penalty_fn", to=None), "expected a number"),
        (damage("other", to={"silence!": {"value": 1.0}}), "another system"),
    ],
)
def test_damaged_lines_are_refused_with_their_number(tmp_path, text, message):
    path = tmp_path / "RESULTS.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"(?s)RESULTS.jsonl.*{message}"):
        read_results(path)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "RESULTS.jsonl").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "nowhere.jsonl", tmp_path, tmp_path / "RESULTS.jsonl"):
        with pytest.raises(DataError, match=path.name):
            read_results(path)


def cells(markdown):
    """Return the rows of a table as a Markdown parser that is not ours shows them, as plain text."""
    rows = []
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown):
        assert not token.type.startswith(("html", "code", "fence")), token.content
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            kinds = {child.type for child in token.children}
            assert kinds <= {"text", "text_special", "em_open", "em_close", "strong_open", "strong_close"}, (
                token.content
            )
            rows[-1].append("".join(child.content for child in token.children))
    return rows


HOSTILE = [
    "a|b",
    "<script>alert(1)</script>",
    "x\\|y",
    "**b** `c|d`",
    "[l](http://x)",
    "&lt;",
    "a\nb",
    "caf\udce9",
    "~~s~~",
    "\\",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_stay_text(label, tmp_path):
    write_results([recording("a", [label], [2.0], [2.0])], tmp_path / "R.md", title=label)
    text = (tmp_path / "R.md").read_text()
    (row,) = cells(text.split("\n\n")[3])[1:]
    assert len(row) == 10 and row[0] == printable(label, keep="")
    assert "<script" not in text and read_results(tmp_path / "R.jsonl")[0].labels == (label,)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_any_text_fits_into_a_cell(names):
    shown = cells(table(["name", "number"], [[as_markdown(name), "1"] for name in names]))
    assert [len(row) for row in shown] == [2] * (len(names) + 1) and {row[1] for row in shown[1:]} == {"1"}


def test_summary_leaves_out_what_was_not_scored():
    summary = Summary([recording("a", ["Dog"], [2.0]), recording("b", [], [])])
    assert summary.groups("oracle") == {} and summary.groups("predicted")["set", "all"].scenes == 2
    assert list(summary.names("set", "class")) == [
        ("set", "all"),
        ("set", "NoDupSet"),
        ("set", "zero-target"),
        ("class", "Dog"),
    ]


def test_a_class_that_was_only_predicted_has_its_row():
    scores = [recording("a", ["Dog"], oracle=[1.0], predicted=None)]
    scores = [replace(scores[0], predicted=scene(["Dog"], [1.0], ["Ant"]))]
    assert [row[0] for row in cells(results_table(scores).split("\n\n")[2])[1:]] == ["Ant", "Dog"]


def test_the_most_frequent_label_is_a_floor():
    labels = [["Dog", "Dog"], ["Ant"], ["Cat", "Dog"], [], ["Ant"], ["Ant", "Cat"]]  # three of Dog and of Ant
    scores = [recording(str(i), names, [1.0] * len(names)) for i, names in enumerate(labels)]
    accuracy = sum(label_accuracy(["Ant"], names) for names in labels)
    wanted = f"Always predicting Ant, the most frequent label: {100 * accuracy.source:.1f} % source accuracy."
    assert wanted in results_table(scores)
    assert "Always" not in results_table([recording("a", [], [])])
