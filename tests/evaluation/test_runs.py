"""Tables and planes of several runs, against means, deviations and rank correlations that are worked out by hand."""

from __future__ import annotations

import itertools
import json
import statistics

import pytest
from scene_scores import recording, write

from s5lib.bin.main import main
from s5lib.errors import DataError
from s5lib.evaluation import FIGURES, compare_runs, read_runs
from s5lib.evaluation.accuracy_vs_sdr import Plane, Point, metric_planes
from s5lib.evaluation.runs import figure_of

SCENES = {"a": ["Dog", "Dog"], "b": ["Dog", "Bell"], "c": ["Bell"], "d": []}  # a: DupSet; b, c: NoDupSet; d: no target


def scores(path, oracle=None, predicted=None):
    """Write a run's scores: per scene the SDRi of each source, or None for a source that was missed."""
    return write(
        path,
        [
            recording(name, labels, predicted and predicted[name], oracle and oracle[name])
            for name, labels in SCENES.items()
        ],
    )


def levels(dup, nodup, single):
    return {"a": [dup, dup], "b": [nodup, nodup], "c": [single], "d": []}


@pytest.fixture
def runs(tmp_path):
    """Two losses, two seeds each."""
    return {
        "x": [scores(tmp_path / "x0.jsonl", levels(6, 4, 1)), scores(tmp_path / "x1.jsonl", levels(8, 5, 2))],
        "y": [scores(tmp_path / "y0.jsonl", levels(5, 5, 0)), scores(tmp_path / "y1.jsonl", levels(5, 6, 1))],
    }


def test_values_are_means_over_the_scenes_of_a_set(runs):
    (comparison,) = compare_runs(read_runs(runs))
    assert comparison.values["x"] == {"DupSet": [6, 8], "NoDupSet": [2.5, 3.5], "both": pytest.approx([11 / 3, 5])}


def test_table_has_mean_deviation_and_paired_differences(runs):
    table = compare_runs(read_runs(runs), ["pi_sdri"])[0].table()
    rows = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in table.splitlines()}
    assert rows["PI-SDRi, oracle labels [dB]"] == ["DupSet", "NoDupSet", "both"]
    assert rows["x"][0] == f"7.00 ± {statistics.stdev([6, 8]):.2f}" and rows["y"][0] == "5.00 ± 0.00"
    assert rows["x - y"][:2] == [
        f"+2.00 ± {statistics.stdev([1, 3]):.2f}",
        "+0.00 ± 0.00",
    ]  # seed by seed: 1 and 3; 0 and 0


def test_accuracies_come_from_counts(tmp_path):
    predicted = {"a": [3.0, None], "b": [2.0, 2.0], "c": [None], "d": []}
    results = read_runs({"x": [scores(tmp_path / "x.jsonl", predicted=predicted)]})["x"][0]
    assert figure_of(results, FIGURES["source_accuracy"], "both") == pytest.approx(100 * 3 / 5)
    assert figure_of(results, FIGURES["mixture_accuracy"], "both") == pytest.approx(
        100 / 3
    )  # d has no target: left out
    assert figure_of(results, FIGURES["ca_pi_sdri"], "DupSet") == pytest.approx(1.5)
    assert figure_of(results, FIGURES["pi_sdri"], "both") is None


def test_what_a_run_has_not_is_a_dash(runs, tmp_path):
    runs["z"] = [scores(tmp_path / "z.jsonl", predicted=levels(1, 1, 1))]
    tables = {c.figure.title: c.table() for c in compare_runs(read_runs(runs))}
    assert "| z | - | - | - |" in tables["PI-SDRi, oracle labels"] and "| x | - | - | - |" in tables["CA-PI-SDRi"]
    assert "x - z" not in tables["CA-PI-SDRi"]


def test_every_figure_can_be_asked_for(runs, tmp_path):
    (comparison,) = compare_runs(read_runs(runs), ["mixture_floor"])
    assert comparison.values["x"]["both"] == [0, 0]
    assert [c.figure for c in compare_runs(read_runs(runs))] == [FIGURES["pi_sdri"]]


def test_other_scenes_are_refused(runs, tmp_path):
    lines = runs["x"][0].read_text().splitlines()
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(DataError, match=r"x0.jsonl and .*other.jsonl .* same recordings: 1 are only in one"):
        read_runs({**runs, "other": [other]})


def with_options(path, target, **options):
    """Write a run's scores as if they had been made with other options."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    target.write_text("".join(json.dumps({**row, "options": {**row["options"], **options}}) + "\n" for row in rows))
    return target


@pytest.mark.parametrize("option", [{"penalty_fn": -20.0}, {"penalty_fp": 1.0}, {"pairing": "sdr"}])
def test_scores_with_other_options_are_refused_and_shared_ones_noted(runs, tmp_path, capsys, option):
    first, second = runs["x"]
    other = with_options(second, tmp_path / "other.jsonl", **option)
    with pytest.raises(DataError, match=r"other.jsonl was scored with .*use the same options"):
        read_runs({"x": [first], "other": [other]})
    with pytest.raises(DataError, match="use the same options"):
        metric_planes([("t", "s", first, other)])
    both = [f"{name}={with_options(first, tmp_path / f'{name}.jsonl', **option)}" for name in "ab"]
    assert main(["tabulate", *both, "--out", str(tmp_path / "both.md")]) == 0
    assert "a missed source counts" in (tmp_path / "both.md").read_text()
    lines = other.read_text().splitlines()[:2] + first.read_text().splitlines()[2:]
    other.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="line 3: scored with other options"):
        read_runs({"other": [other]})


@pytest.mark.parametrize("command", [["tabulate", "x={x}"], ["plane", "--system", "t", "s", "{x}", "{x}"]])
def test_table_and_picture_are_two_files(runs, tmp_path, capsys, command):
    command = [word.format(x=runs["x"][0]) for word in command]
    assert main([*command, "--out", str(tmp_path / "out.png")]) == 1
    assert "choose a name in .md" in capsys.readouterr().err and not (tmp_path / "out.png").exists()


def test_command_writes_table_and_picture(runs, tmp_path, capsys):
    words = [f"{name}={path}" for name, paths in runs.items() for path in paths]
    out = tmp_path / "new folder/losses.md"
    assert (
        main(["tabulate", *words, "--figures", "pi_sdri", "--title", "Losses", "--note", "A note.", "--out", str(out)])
        == 0
    )
    text = out.read_text()
    assert text.startswith("# Losses\n") and text.endswith("A note.\n") and "| x | 7.00 ± 1.41 |" in text
    assert "| x | 7.00 ± 1.41 |" in capsys.readouterr().out
    assert out.with_suffix(".png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and len(list(out.parent.iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x0.jsonl"], "'x0.jsonl' is not NAME=FILE.jsonl"),
        (["x={x}", "--figures", "sdr"], "there is no figure 'sdr'. "),
        (
            ["x={x}", "--figures", "ca_pi_sdri"],
            "no run was scored by CA-PI-SDRi.",
        ),
        (["x=nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_wrong_words_are_named(runs, tmp_path, capsys, words, message):
    words = [word.format(x=runs["x"][0]) for word in words]
    assert main(["tabulate", *words, "--out", str(tmp_path / "out.md")]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out.md").exists()


def ranks(values):
    return [sorted(values).index(value) for value in values]


def pearson(x, y):
    return statistics.correlation(x, y)


def test_rank_correlation_holds_the_other_axis_fixed():
    taggers, separators = {"t1": 30.0, "t2": 50.0, "t3": 60.0}, {"s1": 1.0, "s2": 3.0, "s3": 2.5}
    value = {("t1", "s1"): 1, ("t2", "s1"): 2, ("t3", "s1"): 1.5, ("t1", "s2"): 0, ("t2", "s2"): 4, ("t3", "s2"): 5}
    value |= {("t1", "s3"): 3, ("t2", "s3"): 2, ("t3", "s3"): 1}
    points = tuple(
        Point(t, s, taggers[t], separators[s], value[t, s]) for t, s in itertools.product(taggers, separators)
    )
    plane = Plane("both", points)
    for axis, outer, inner, place in (("accuracy", separators, taggers, 0), ("separation", taggers, separators, 1)):
        each = []
        for fixed in outer:
            values = [value[(name, fixed) if place == 0 else (fixed, name)] for name in inner]
            each.append(pearson(ranks(list(inner.values())), ranks(values)))
        assert plane.rank_correlation(axis) == pytest.approx(statistics.mean(each))
    assert Plane("both", points[:1]).rank_correlation("accuracy") is None


def test_plane_takes_both_axes_from_the_scores(tmp_path, capsys):
    systems, words = [], []
    for (t, hits), (s, level) in itertools.product(enumerate([1, 2, 3]), enumerate([2.0, 4.0, 7.0])):
        oracle = scores(tmp_path / f"{s}.jsonl", oracle=levels(level, level, level))
        found = [level if i < hits else None for i in range(5)]
        predicted = {"a": found[:2], "b": found[2:4], "c": found[4:], "d": []}
        both = scores(tmp_path / f"{t}{s}.jsonl", predicted=predicted)
        systems.append((f"t{t}", f"s{s}", both, oracle))
        words += ["--system", f"t{t}", f"s{s}", str(both), str(oracle)]
    planes = metric_planes(systems)
    assert [plane.kind for plane in planes] == ["DupSet", "NoDupSet", "both"]
    assert planes[-1].points[0] == Point("t0", "s0", pytest.approx(20), pytest.approx(2), pytest.approx(1 / 3))
    assert planes[-1].rank_correlation("accuracy") == planes[-1].rank_correlation("separation") == pytest.approx(1)
    assert main(["plane", *words, "--out", str(tmp_path / "plane.md")]) == 0
    text = (tmp_path / "plane.md").read_text()
    assert text.startswith("# CA-PI-SDRi of 9 systems\n") and "| t0 | s0 | 20.0 | 2.00 | 0.33 |" in text
    assert "separator held fixed | 1.00 | " in text
    assert (tmp_path / "plane.png").stat().st_size > 5000
    assert len(metric_planes([systems[0], systems[0]])[-1].points) == 2  # one system under the same names twice
    assert main(["plane", *words[:4], words[3], "--out", str(tmp_path / "none.md")]) == 1
    assert "has no scores of predicted labels, or" in capsys.readouterr().err
