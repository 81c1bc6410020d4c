"""Results that add up, and their aggregation."""

import numpy as np
import pytest

from s5lib.errors import ConfigError, DataError
from s5lib.evaluation import Estimate, aggregate, scene_set
from s5lib.metrics import LabelAccuracy, SceneScore, ScoreTotal, ca_pi_sdri, label_accuracy

GENERATOR = np.random.default_rng(1)


def score(reference, estimated, generator=GENERATOR):
    """Return the score of a scene with these labels."""
    references = generator.standard_normal((len(reference), 50))
    mixture = references.sum(0) + 0.1 * generator.standard_normal(50)
    estimates = 0.3 * generator.standard_normal((len(estimated), 50))
    for k in range(min(len(reference), len(estimated))):
        estimates[k] += references[k]
    return ca_pi_sdri(estimates, list(estimated), references, list(reference), mixture)


SCORES = [score(*labels) for labels in [("a", "a"), ("ab", "ab"), ("aa", "aab"), ("abb", "ab"), ("", ""), ("", "c")]]


def test_results_are_frozen_and_keep_their_parts():
    one = SCORES[3]
    with pytest.raises(AttributeError):
        one.value = 3.0
    assert (one.tp, one.fn, one.fp) == (2, 1, 0) == (len(one.pairs), len(one.false_negatives), 0)
    assert one.reference_labels == ("a", "b", "b")
    assert one.value == pytest.approx(sum(pair.sdri for pair in one.pairs) / 3)


def test_totals_leave_undefined_scenes_out_of_the_mean_alone():
    total = sum(SCORES)
    assert (total.scenes, total.defined) == (6, 5)
    assert total.mean == pytest.approx(np.mean([s.value for s in SCORES if s.value is not None]))
    assert total.labels == sum((s.labels for s in SCORES), LabelAccuracy())
    assert total.labels == LabelAccuracy(tp=7, fn=1, fp=2, correct=3, mixtures=6)
    assert total.labels.source == 0.7 and total.labels.mixture == 0.5


def test_totals_add_up_in_any_grouping():
    left, right = sum(SCORES[:2], ScoreTotal()), SCORES[2] + SCORES[3]
    assert (left + right + SCORES[4] + SCORES[5]).labels == sum(SCORES).labels
    assert (left + right).mean == pytest.approx(sum(SCORES[:4]).mean)
    assert (SCORES[0] + left).scenes == 3


@pytest.mark.parametrize("scores", [[], [SceneScore(None)], [SceneScore(None)] * 3])
def test_all_undefined_is_none(scores):
    assert sum(scores, ScoreTotal()).mean is None
    assert sum(scores, ScoreTotal()).labels.source is None
    assert LabelAccuracy().mixture is None
    groups = aggregate(scores)
    assert [group.sdri for group in groups] == [None] * len(groups)


@pytest.mark.parametrize("other", ["x", 1.5, LabelAccuracy()])
def test_nothing_else_is_added(other):
    with pytest.raises(TypeError):
        SCORES[0] + other
    with pytest.raises(TypeError):
        other + SCORES[0]


def test_label_accuracy_of_sums_is_not_the_mean_of_ratios():
    total = label_accuracy(["a"], ["a"]) + label_accuracy(["b", "c"], ["a", "c", "c"])
    assert total.source == 2 / 5  # 1 + 1 of 1 + 4, where the mean of ratios is 0.625


@pytest.mark.parametrize(
    ("reference", "name"), [("", "zero-target"), ("a", "NoDupSet"), ("abc", "NoDupSet"), ("aba", "DupSet")]
)
def test_sets(reference, name):
    # by the references, whatever was predicted
    assert scene_set(score(reference, "aa")) == scene_set(score(reference, "")) == name


def test_groups():
    groups = {(g.group, g.name): g for g in aggregate(SCORES, resamples=0)}
    assert list(groups) == [
        ("set", "all"),
        ("set", "DupSet"),
        ("set", "NoDupSet"),
        ("set", "zero-target"),
        ("sources", "0"),
        ("sources", "1"),
        ("sources", "2"),
        ("sources", "3"),
        ("class", "a"),
        ("class", "b"),
        ("class", "c"),
    ]
    for name, members in {"DupSet": [2, 3], "NoDupSet": [0, 1], "zero-target": [4, 5]}.items():
        total, group = sum(SCORES[k] for k in members), groups["set", name]
        assert (group.scenes, group.labels, group.sdri.value) == (2, total.labels, pytest.approx(total.mean))
        assert group.source_accuracy == (None if total.labels.source is None else Estimate(total.labels.source))
        assert group.mixture_accuracy == Estimate(total.labels.mixture)
    assert groups["sources", "2"].sdri == Estimate(pytest.approx((SCORES[1] + SCORES[2]).mean))


def test_classes_are_means_over_their_sources_and_predictions():
    group = {g.name: g for g in aggregate(SCORES) if g.group == "class"}["b"]
    sdri = [pair.sdri for s in SCORES for pair in s.pairs if pair.reference_label == "b"]
    assert group.labels == LabelAccuracy(tp=2, fn=1, fp=1, correct=1, mixtures=3)
    assert group.scenes == 3 and group.sdri.value == pytest.approx(sum(sdri) / 4)
    # the counts of all classes are those of all scenes
    counts = sum((g.labels for g in aggregate(SCORES) if g.group == "class"), LabelAccuracy())
    whole = sum(SCORES).labels
    assert (counts.tp, counts.fn, counts.fp) == (whole.tp, whole.fn, whole.fp)


def test_class_indices_are_sorted_as_numbers():
    scores = [ca_pi_sdri([], [], np.ones((1, 4)), [label], np.ones(4)) for label in (10, 9, 2)]
    assert [g.name for g in aggregate(scores) if g.group == "class"] == ["2", "9", "10"]


def test_intervals_are_those_of_the_mean():
    # 400 normal values: the 95 % interval of their mean is known
    values = np.random.default_rng(2).normal(5, 2, 400)
    scores = [SceneScore(float(value), tp=1) for value in values]
    estimate = aggregate(scores, resamples=2000)[0].sdri
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert (estimate.low, estimate.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    narrow = aggregate(scores, resamples=2000, confidence=0.5)[0].sdri
    assert estimate.low < narrow.low < narrow.value < narrow.high < estimate.high
    assert aggregate(scores) == aggregate(scores) != aggregate(scores, seed=1)


def test_one_scene_has_no_interval():
    assert aggregate(SCORES[:1])[0].sdri == Estimate(pytest.approx(SCORES[0].value))
    assert aggregate([]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [(dict(confidence=95), "confidence is 95"), (dict(resamples=-1), "resamples is -1"), (dict(resamples=1.5), "1.5")],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        aggregate(SCORES, **options)


def test_other_things_are_not_scores():
    with pytest.raises(DataError, match=r"scores\[1\] is a float"):
        aggregate([SCORES[0], 3.0])
