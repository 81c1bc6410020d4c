"""JSON and CSV say what the results and the tables say."""

import csv
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_scores import recording

from s5lib.errors import ConfigError
from s5lib.evaluation import FIGURES, Summary, results_table
from s5lib.evaluation.exports import plain_summary, write_csv

finite = st.floats(-60, 60)
labels = st.lists(st.sampled_from(["Dog", "Cat", "a|b"]), max_size=3)


@st.composite
def scored_sets(draw):
    scores = []
    for index in range(draw(st.integers(1, 6))):
        names = draw(labels)
        sdri = [[draw(finite | st.none()) for _ in names], [draw(finite) for _ in names]]
        scores.append(recording(f"s{index}", names, *sdri))
    return scores


def read(path):
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


@settings(max_examples=25, deadline=None)
@given(scored_sets())
def test_all_groups_and_figures(scores):
    found = json.loads(json.dumps(plain_summary(scores)))
    summary = Summary(scores)
    assert [(g["group"], g["name"]) for g in found["groups"]] == list(summary.names("set", "sources", "class"))
    for group in found["groups"]:
        for key, figure in group["figures"].items():
            estimate = summary.estimate(FIGURES[key], (group["group"], group["name"]))
            assert figure == (estimate and {**estimate.__dict__, "unit": FIGURES[key].unit})
    overall = found["groups"][0]
    assert overall["counts"]["tp"] == sum(r.predicted.tp for r in scores)
    value = overall["figures"]["ca_pi_sdri"]
    assert value is None or f"{value['value'] + 0.0:.2f}".lstrip("-") in results_table(scores)


@settings(max_examples=25, deadline=None)
@given(scored_sets())
def test_rows_hold_the_values_to_the_bit(tmp_path_factory, scores):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    write_csv(scores, path)
    for row, score in zip(read(path), scores, strict=True):
        for key, kind in (("ca_pi_sdri", "predicted"), ("pi_sdri", "oracle"), ("silence_floor", "silence")):
            value = getattr(score, kind).value
            assert row[key] == ("" if value is None else repr(value))
        assert row["labels"] == ";".join(score.labels) and int(row["sources"]) == len(score.labels)
        assert [int(row[key]) for key in ("tp", "fn", "fp")] == [
            score.predicted.tp,
            score.predicted.fn,
            score.predicted.fp,
        ]


def test_columns_that_were_not_scored_are_left_out_and_any_name_survives(tmp_path):
    name = os.fsdecode(b'caf\xe9,\n"x"')
    write_csv([recording(name, ["Dog"], oracle=[1.0])], tmp_path / "rows.csv")
    (row,) = read(tmp_path / "rows.csv")
    assert row["id"] == name and row["pi_sdri"] == "1.0" and not {"ca_pi_sdri", "tp", "other_pi_sdri"} & row.keys()
    with pytest.raises(ConfigError, match="--csv"):
        write_csv([], tmp_path)
