"""Paired comparison: tests against brute force and scipy, scenes without a value, the words."""

import doctest
import itertools
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from scene_scores import recording

from s5lib.errors import DataError
from s5lib.evaluation import MetricOptions, compare, comparison_text, difference_of_means, sign_flip_test
from s5lib.evaluation.significance_text import describe
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
        (gain,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        random_state=0,
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
    assert "2 mixtures without a source" in describe(result, "CA-PI-SDRi", ("a", "b"))


@pytest.mark.parametrize(("count", "words"), [(0, "no mixture"), (1, "the only mixture"), (2, "can be chance")])
def test_few_scenes(count, words):
    result = compare(scores([1.0] * count), scores([0.0] * count))
    assert (result.p_mean is None) == (result.p_ranks is None) == (count < 2)
    assert (result.difference is None) == (count < 1) and result.compared == count
    assert words in describe(result, "CA-PI-SDRi", ("a", "b"))


def test_scenes_without_any_value_have_no_difference():
    result = compare([SceneScore(None)] * 2, [SceneScore(None)] * 2)
    assert (result.difference, result.p_mean, result.compared, result.right_first) == (None, None, 0, 0)


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
    assert "no significant difference" in describe(noise, "CA-PI-SDRi", ("new", "old"))


def systems(ours, theirs, **more):
    """Return the scores of two systems on recordings named a, b, ... of one dog each."""
    return [
        [recording(name, ["Dog"], [value], **more) for name, value in zip("abc", values, strict=False)]
        for values in (ours, theirs)
    ]


def test_text_of_two_systems():
    first, other = systems([3.0, 1.0], [1.0, 1.0])
    other[1] = recording("b", ["Dog"], [None])
    text = comparison_text(first, other[::-1], ("new|er", "<old>"))
    assert "## new\\|er against &lt;old&gt;" in text and "| all | 2 | +1.50" in text
    with pytest.raises(DataError, match="1 are only in one, such as b"):
        comparison_text(first[:1], other, ("new", "old"))
    with pytest.raises(DataError, match="use the same options"):
        comparison_text(first, systems([], [1, 1], options=MetricOptions("sdr"))[1], ("new", "old"))
    with pytest.raises(DataError, match="b has another mixture or other references in old"):
        comparison_text(first, [other[0], recording("b", ["Cat"], [1.0])], ("new", "old"))
    with pytest.raises(DataError, match="no scores of the same kind"):
        comparison_text(first, [recording(name, ["Dog"], oracle=[1.0]) for name in "ab"], ("new", "old"))


def test_difference_of_means_sees_scenes_that_leave_a_mean():
    ours = [SceneScore(4.0, tp=1), SceneScore(None), SceneScore(2.0, tp=1), SceneScore(None)]
    theirs = [SceneScore(4.0, tp=1), SceneScore(0.0, fp=1), SceneScore(1.0, tp=1), SceneScore(None)]
    gain = difference_of_means(ours, theirs)
    assert gain.value == pytest.approx(3 - 5 / 3) and gain.low <= gain.value <= gain.high
    assert difference_of_means(ours, [SceneScore(None)] * 4) is None
    assert difference_of_means(ours[:1], theirs[:1]).low is None


def test_guide():
    guide = Path(__file__).parents[2] / "doc/scoring.md"
    failed, attempted = doctest.testfile(str(guide), module_relative=False)
    assert attempted and not failed
