"""Paired comparison: tests against brute force and scipy, scenes without a value, the words."""

import doctest
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from s5lib.errors import DataError
from s5lib.evaluation.paired_tests import compare, read_scores, sign_flip_test
from s5lib.evaluation.scoring import MetricOptions, RecordingScores
from s5lib.evaluation.significance_text import comparison_text, describe
from s5lib.metrics import SceneScore


def scores(values, fn=0):
    return [SceneScore(value, tp=1, fn=fn) for value in values]


def test_sign_flips_are_exact_where_scenes_are_few():
    gain = np.random.default_rng(0).normal(0.5, 1, 8)
    means = [
        abs(np.mean([s * g for s, g in zip(signs, gain, strict=True)]))
        for signs in itertools.product((1, -1), repeat=8)
    ]
    assert sign_flip_test(gain) == np.mean(np.array(means) >= abs(gain.mean()) - 1e-12)


def test_sign_flips_drawn_agree_with_scipys():
    gain = np.random.default_rng(1).normal(0.25, 1, 40)
    other = scipy.stats.permutation_test(
        (gain,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", vectorized=True, n_resamples=9999
    )
    assert sign_flip_test(gain) == pytest.approx(other.pvalue, abs=0.02)


def test_chance_alone_is_seldom_significant():
    generator = np.random.default_rng(2)
    p = [sign_flip_test(generator.standard_t(3, 20), resamples=399, seed=i) for i in range(300)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09


def test_all_figures():
    generator = np.random.default_rng(3)
    ours, theirs = generator.normal(5, 3, (2, 60))
    ours[:5] = theirs[:5]
    result = compare(scores(ours), scores(theirs))
    gain = ours - theirs
    assert result.difference.value == pytest.approx(gain.mean())
    error = gain.std(ddof=1) / np.sqrt(60)
    assert result.difference.low == pytest.approx(gain.mean() - 1.96 * error, abs=0.3 * error)
    assert result.difference.high == pytest.approx(gain.mean() + 1.96 * error, abs=0.3 * error)
    assert (result.better, result.equal, result.worse) == ((gain > 0).sum(), 5, (gain < 0).sum())
    assert result.p_ranks == pytest.approx(scipy.stats.wilcoxon(ours, theirs, zero_method="pratt").pvalue)
    assert compare(scores(theirs), scores(ours)).difference.value == pytest.approx(-gain.mean())


def test_scenes_without_a_value_are_counted_apart():
    ours = [SceneScore(3.0, tp=1), SceneScore(None), SceneScore(None), SceneScore(0.0, fp=1), SceneScore(2.0, tp=1)]
    theirs = [
        SceneScore(1.0, tp=1),
        SceneScore(None),
        SceneScore(0.0, fp=2),
        SceneScore(None),
        SceneScore(2.0, tp=1, fn=1),
    ]
    result = compare(ours, theirs)
    assert (result.scenes, result.compared, result.only_first, result.only_other) == (5, 2, 1, 1)
    assert result.difference.value == 1.0
    assert (result.right_first, result.right_other) == (2, 1)
    assert result.p_mixtures == pytest.approx(scipy.stats.binomtest(2, 3).pvalue)
    assert "Left out are 2 mixtures without a source" in describe(result, "CA-PI-SDRi", ("a", "b"))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_scenes(count):
    result = compare(scores([1.0] * count), scores([0.0] * count))
    assert (result.p_mean is None) == (count < 2)
    assert isinstance(describe(result, "CA-PI-SDRi", ("a", "b")), str)
    assert compare([SceneScore(None)] * 2, [SceneScore(None)] * 2).difference is None


def test_numbers_of_scenes_must_agree():
    with pytest.raises(DataError, match="1 scores cannot be compared with 2"):
        compare(scores([1.0]), scores([1.0, 2.0]))


def test_words():
    generator = np.random.default_rng(4)
    base = generator.normal(5, 3, 40)
    clear = compare(scores(base + 1 + 0.1 * generator.standard_normal(40)), scores(base))
    assert "new is better, by 1.0" in describe(clear, "CA-PI-SDRi", ("new", "old"))
    assert "old is better, by 1.0" in describe(compare(scores(base), scores(base + 1)), "CA-PI-SDRi", ("new", "old"))
    noise = compare(scores(base + generator.standard_normal(40)), scores(base))
    assert "which of the two is better is open" in describe(noise, "CA-PI-SDRi", ("new", "old"))


def recording(name, value):
    nothing = SceneScore(None)
    return RecordingScores(name, SceneScore(value, tp=1), None, nothing, nothing)


def line(name, value, **more):
    return json.dumps({"id": name, "predicted": {"value": value, "tp": 1, "fn": 0, "fp": 0, "pairs": []}, **more})


def test_file_of_scores(tmp_path):
    path = tmp_path / "R.jsonl"
    path.write_text(line("a", 1.0) + "\n" + line("b", None) + "\n")
    others = read_scores(path, MetricOptions())
    text = comparison_text([recording("a", 3.0), recording("b", 1.0)], others, ("new", "old"))
    assert "+2.00 dB on the only mixture with a value in both" in text and "| all | 1 | +2.00 |" in text
    with pytest.raises(DataError, match="1 are only in one, as b"):
        comparison_text([recording("a", 3.0)], others, ("new", "old"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "line 1: not JSON"),
        ('{"id": "a"}', "no scores"),
        (line("a", 1.0) + "\n" + line("a", 1.0), "line 2: .* a second time"),
        (line("a", "x"), "line 1: not a line of scores"),
        ("[1]", "line 1: not a line of scores"),
        (line("a", 1.0, options={"pairing": "sdr"}), "use the same options for both"),
        (line("a", 1.0, options={"other": 1}), "line 1: not a line of scores"),
    ],
)
def test_bad_file_of_scores(tmp_path, content, message):
    path = tmp_path / "R.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_scores(path, MetricOptions())


def test_guide():
    guide = Path(__file__).parents[2] / "doc/scoring.md"
    failed, attempted = doctest.testfile(str(guide), module_relative=False)
    assert attempted and not failed
