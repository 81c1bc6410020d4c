"""Metrics against the equations as written, and the symmetries that the equations have."""

import naive_metric
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.metrics import ca_pi_sdri, ca_sdri, label_accuracy, pi_sdri

SAMPLES = 48


def make_scene(seed, reference_labels, estimated_labels):
    """Return a noisy scene whose estimates are near references, mixed up among them or of nothing."""
    generator = np.random.default_rng(seed)
    references = generator.standard_normal((len(reference_labels), SAMPLES))
    references *= 10 ** generator.uniform(-1, 1, (len(references), 1))
    mixture = references.sum(0) + 0.2 * generator.standard_normal(SAMPLES)
    estimates = generator.standard_normal((len(estimated_labels), SAMPLES))
    for estimate in estimates:
        if len(references) and generator.random() < 0.8:
            estimate *= 10 ** generator.uniform(-2, 0)
            estimate += references[generator.integers(len(references))]
    return estimates, estimated_labels, references, reference_labels, mixture


@st.composite
def scenes(draw, distinct=False):
    """0 to 5 sources a side, 1 to 4 classes."""
    classes = "abcd"[: draw(st.integers(1, 4))]
    labels = st.lists(st.sampled_from(classes), max_size=4 if distinct else 5, unique=distinct)
    return make_scene(draw(st.integers(0, 2**32)), draw(labels), draw(labels))


@settings(max_examples=600, deadline=None)
@given(scenes(), st.sampled_from(["sdri", "sdr"]), st.sampled_from([(0.0, 0.0), (-3.0, 1.5)]))
def test_equations_as_written(scene, pairing, penalties):
    p_fn, p_fp = penalties
    score = ca_pi_sdri(*scene, pairing=pairing, penalty_fn=p_fn, penalty_fp=p_fp)
    expected = naive_metric.ca_pi_sdri(*scene, choose=getattr(naive_metric, pairing), p_fn=p_fn, p_fp=p_fp)
    assert score.value == (None if expected is None else pytest.approx(expected, abs=1e-9))
    assert score.labels == label_accuracy(scene[1], scene[3])


@settings(max_examples=200, deadline=None)
@given(scenes())
def test_pi_sdri_is_one_class_for_all(scene):
    estimates, estimated_labels, references, reference_labels, mixture = scene
    one = naive_metric.ca_pi_sdri(estimates, "a" * len(estimates), references, "a" * len(references), mixture)
    score = pi_sdri(*scene)
    assert score.value == (None if one is None else pytest.approx(one, abs=1e-9))
    assert [pair.reference_label for pair in score.pairs] == [reference_labels[pair.reference] for pair in score.pairs]
    assert [pair.estimated_label for pair in score.pairs] == [estimated_labels[pair.estimate] for pair in score.pairs]
    assert pi_sdri(estimates, None, references, None, mixture).value == score.value


@settings(max_examples=200, deadline=None)
@given(scenes(distinct=True))
def test_equals_ca_sdri_where_labels_are_distinct(scene):
    assert ca_pi_sdri(*scene).value == ca_sdri(*scene).value == ca_sdri(*scene, order="random", seed=1).value


@settings(max_examples=200, deadline=None)
@given(scenes(), st.randoms(use_true_random=False), st.sampled_from([1e-12, 0.03, 7.0, 1e12]))
def test_orders_names_and_gain_do_not_matter(scene, random, gain):
    estimates, estimated_labels, references, reference_labels, mixture = scene
    e, r = list(range(len(estimates))), list(range(len(references)))
    random.shuffle(e)
    random.shuffle(r)
    names = dict(zip("abcd", random.sample("wxyz", 4), strict=True))
    value = ca_pi_sdri(*scene).value
    changed = ca_pi_sdri(
        gain * estimates[e],
        [names[estimated_labels[k]] for k in e],
        gain * references[r],
        [names[reference_labels[k]] for k in r],
        gain * mixture,
    ).value
    assert changed == (None if value is None else pytest.approx(value, abs=1e-9))


def test_class_aware_metric_depends_on_order_where_labels_repeat():
    scene = make_scene(3, ["a", "a"], ["a", "a"])
    swapped = (scene[0][::-1], *scene[1:])
    assert ca_sdri(*scene).value != pytest.approx(ca_sdri(*swapped).value, abs=0.1)
    assert max(ca_sdri(*scene).value, ca_sdri(*swapped).value) == pytest.approx(ca_pi_sdri(*scene).value)
    drawn = {ca_sdri(*scene, order="random", seed=seed).value for seed in range(20)}
    assert drawn == {ca_sdri(*scene).value, ca_sdri(*swapped).value}
    generator = np.random.default_rng(0)
    assert {ca_sdri(*scene, order="random", seed=generator).value for _ in range(20)} == drawn


def test_pairing_rules_differ_where_a_class_is_underpredicted():
    # The mixture is nearer to the first reference: as an SDR the first pair is better, as an improvement the second.
    references = np.eye(2, 4) * [[10.0], [1.0]]
    mixture = references.sum(0)
    estimates = np.array([[10.0, 1.0, 0.5, 0.0]])
    scene = (estimates, ["a"], references, ["a", "a"], mixture)
    by_sdri, by_sdr = ca_pi_sdri(*scene), ca_pi_sdri(*scene, pairing="sdr")
    assert (by_sdri.pairs[0].reference, by_sdr.pairs[0].reference) == (1, 0)
    assert by_sdri.value > by_sdr.value
    assert by_sdri.false_negatives[0].index == 0


@pytest.mark.parametrize("count", [6, 16, 64])
def test_many_sources_of_one_class(count):
    # Estimate k is reference k in noise: every other pair is worse, so the order is known.
    generator = np.random.default_rng(count)
    references = generator.standard_normal((count, 2000))
    estimates = references + 0.1 * generator.standard_normal(references.shape)
    order = generator.permutation(count)
    score = ca_pi_sdri(estimates[order], ["a"] * count, references, ["a"] * count, references.sum(0))
    assert [order[pair.estimate] for pair in score.pairs] == list(range(count))
    expected = [naive_metric.sdri(e, r, references.sum(0)) for e, r in zip(estimates, references, strict=True)]
    assert score.value == pytest.approx(np.mean(expected), abs=1e-9)
