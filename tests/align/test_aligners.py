"""Aligners against all assignments tried one by one."""

from itertools import permutations

import numpy as np
import pytest
import torch

from s5lib.align import ClassAware, ClassAwarePermutationInvariant, PermutationInvariant, resolve
from s5lib.errors import ConfigError, DataError, PluginError
from s5lib.interfaces import Aligner

OPTIMAL = [ClassAwarePermutationInvariant(), PermutationInvariant()]
ALL = [*OPTIMAL, ClassAware(), ClassAware(order="given")]


def names(aligner):
    return type(aligner).__name__ + getattr(aligner, "order", "")


def all_pairings(references, estimates, class_aware):
    """Yield every set of allowed pairs with as many pairs as there can be."""
    size = max(len(references), len(estimates))
    found = []
    for order in permutations(range(size)):
        pairs = [(r, e) for r, e in enumerate(order) if r < len(references) and e < len(estimates)]
        found.append([(r, e) for r, e in pairs if not class_aware or references[r] == estimates[e]])
    most = max(map(len, found))
    return [pairs for pairs in found if len(pairs) == most]


@pytest.mark.parametrize("aligner", OPTIMAL, ids=names)
@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_best_of_all_pairings(aligner, convert):
    generator = np.random.default_rng(0)
    class_aware = isinstance(aligner, ClassAwarePermutationInvariant)
    for trial in range(80):
        counts = generator.integers(0, 7 if trial < 20 else 5, 2)  # beyond 4 by linear assignment
        references, estimates = ("".join(generator.choice(list("abc"), count)) for count in counts)
        score = generator.normal(0, 10, counts)
        made = aligner.align(convert(score), references, estimates)
        best = max(sum(score[r, e] for r, e in pairs) for pairs in all_pairings(references, estimates, class_aware))
        assert sum(score[r, e] for r, e in made.pairs) == pytest.approx(best)
        check_bookkeeping(made, *counts)


def check_bookkeeping(made, references, estimates):
    assert list(made.pairs) == sorted(made.pairs)
    assert sorted([r for r, _ in made.pairs] + list(made.unmatched_references)) == list(range(references))
    assert sorted([e for _, e in made.pairs] + list(made.unmatched_estimates)) == list(range(estimates))


@pytest.mark.parametrize("aligner", ALL, ids=names)
@pytest.mark.parametrize(("references", "estimates"), [("aab", "abb"), ("aaa", "a"), ("a", "aaaaaa"), ("ab", "cd")])
def test_only_pi_crosses_classes(aligner, references, estimates):
    score = np.where(np.array(list(references))[:, None] == np.array(list(estimates)), -100.0, 100.0)
    made = aligner.align(score, references, estimates)
    check_bookkeeping(made, *score.shape)
    if isinstance(aligner, PermutationInvariant):
        assert len(made.pairs) == min(score.shape)
    else:
        assert len(made.pairs) == sum(min(references.count(c), estimates.count(c)) for c in set(references))
        assert all(references[r] == estimates[e] for r, e in made.pairs)


@pytest.mark.parametrize("count", [16, 64])
def test_exact_up_to_many_sources(count):
    # Of points on a line and a squared distance, the best pairs are those of equal rank: known without any search.
    generator = np.random.default_rng(count)
    left, right = generator.normal(size=(2, count))
    score = -((left[:, None] - right) ** 2)
    labels = generator.integers(0, 3, count)
    expected = {}
    for label in range(3):
        rows = np.flatnonzero(labels == label)
        expected |= dict(zip(rows[left[rows].argsort()], rows[right[rows].argsort()], strict=True))
    assert dict(OPTIMAL[0].align(score, labels.tolist(), labels.tolist()).pairs) == expected
    order = OPTIMAL[0].permute(torch.tensor(score)[None], torch.tensor(labels)[None])
    assert order[0].tolist() == [expected[r] for r in range(count)]
    everything = dict(zip(left.argsort(), right.argsort(), strict=True))
    assert dict(OPTIMAL[1].align(score, labels.tolist(), labels.tolist()).pairs) == everything


@pytest.mark.parametrize("aligner", OPTIMAL, ids=names)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_ties_keep_the_order(aligner, count):
    score, labels = np.zeros((count, count)), ["a"] * count
    assert aligner.align(score, labels, labels).pairs == tuple((k, k) for k in range(count))
    order = aligner.permute(torch.zeros(2, count, count), torch.zeros(2, count, dtype=torch.int64))
    assert order.tolist() == [list(range(count))] * 2


@pytest.mark.parametrize("aligner", OPTIMAL, ids=names)
@pytest.mark.parametrize("slots", [0, 1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_permute_is_align_item_by_item(aligner, slots, dtype):
    generator = torch.Generator().manual_seed(slots)
    score = torch.randn(40, slots, slots, generator=generator).to(dtype)
    labels = torch.randint(-1, 3, (40, slots), generator=generator)
    expected = Aligner.permute(aligner, score, labels)
    assert aligner.permute(score.requires_grad_(), labels).tolist() == expected.tolist()
    assert aligner.permute(score, labels.int()).dtype == torch.int64


@pytest.mark.parametrize("slots", [1, 2, 3, 6])
@pytest.mark.parametrize("order", ["random", "given"])
def test_class_aware_permute_stays_inside_classes(slots, order):
    generator = torch.Generator().manual_seed(slots)
    labels = torch.randint(-1, 3, (60, slots), generator=generator)
    made = ClassAware(order=order).permute(torch.zeros(60, slots, slots), labels)
    assert made.sort(-1).values.tolist() == [list(range(slots))] * 60
    assert torch.equal(labels.gather(1, made), labels)
    slot = torch.arange(slots).expand_as(labels)
    assert torch.equal(made[labels < 0], slot[labels < 0])
    assert torch.equal(made, slot) == (order == "given" or slots == 1)


def test_random_mappings_are_uniform_and_follow_the_seed():
    score, labels = torch.zeros(6000, 3, 3), torch.full((6000, 3), 4)
    rows, counts = ClassAware().permute(score, labels).unique(dim=0, return_counts=True)
    assert len(rows) == 6 and counts.min() > 850 and counts.max() < 1150  # 1000 expected, deviation 29
    by_align = [ClassAware(seed=seed).align(np.zeros((2, 3)), "aa", "aaa").pairs for seed in range(600)]
    counts = [by_align.count(pairs) for pairs in sorted(set(by_align))]
    assert len(counts) == 6 and min(counts) > 60 and max(counts) < 140
    missed = [ClassAware(seed=seed).align(np.zeros((3, 1)), "aaa", "a").unmatched_references for seed in range(100)]
    assert len(set(missed)) == 3
    one, other = ClassAware(seed=5), ClassAware(seed=np.random.default_rng(5))
    first, second = (one.permute(score, labels) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, other.permute(score, labels)) and torch.equal(second, other.permute(score, labels))


@pytest.mark.parametrize("aligner", ALL, ids=names)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("slots", [2, 5])
def test_scores_that_are_not_finite_are_refused_with_their_place(aligner, value, slots):
    score, labels = np.zeros((slots, slots)), ["a"] * slots
    score[1, 0] = value
    with pytest.raises(DataError, match=rf"score\[1, 0\] \(reference 1, estimate 0\) is {value}"):
        aligner.align(score, labels, labels)
    batch = torch.zeros(3, slots, slots)
    batch[2, 1, 0] = value
    with pytest.raises(DataError, match=rf"score\[2, 1, 0\] \(item 2, reference 1, estimate 0\) is {value}"):
        aligner.permute(batch, torch.zeros(3, slots, dtype=torch.int64))


@pytest.mark.parametrize("aligner", ALL, ids=names)
def test_shapes_are_checked(aligner):
    with pytest.raises(DataError, match=r"shape \[2, 2\].*\[R, E\] = \[3, 2\]"):
        aligner.align(np.zeros((2, 2)), "aaa", "aa")
    with pytest.raises(DataError, match=r"shape \[2, 3, 3\] and labels \[2, 2\]"):
        aligner.permute(torch.zeros(2, 3, 3), torch.zeros(2, 2, dtype=torch.int64))
    with pytest.raises(DataError, match="labels are torch.float32"):
        aligner.permute(torch.zeros(2, 3, 3), torch.zeros(2, 3))


def test_resolve():
    assert [type(resolve(name)) for name in ("ca_pi", "pi", "ca")] == [type(aligner) for aligner in ALL[:3]]
    assert resolve(ALL[3]) is ALL[3]
    with pytest.raises(PluginError, match="ca_pi"):
        resolve("ca-pi-sdr")
    with pytest.raises(ConfigError, match="aligner is 3"):
        resolve(3)
    with pytest.raises(ConfigError, match="order is 'rnd'.*random"):
        ClassAware(order="rnd")
