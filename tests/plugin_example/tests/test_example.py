"""The example keeps s5lib's contracts; what a third party's tests look like."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from s5lib.plugins import create
from s5lib.testing import conformance

SMALL = {"kernel": 64, "filters": 16, "width": 8, "hidden": 16, "blocks": 3}


@conformance("separator", "tcn", **SMALL)
def test_separator(check):
    check()


@conformance("joint_model", "tcn", **SMALL)
def test_joint_model(check):
    check()


@conformance("aligner", "sinkhorn")
def test_aligner(check):
    check()


def test_a_cold_sinkhorn_is_close_to_the_best_permutation():
    random = np.random.default_rng(0)
    aligner, entropy = create("aligner", "sinkhorn", temperature=0.2, iterations=200), 4 * np.log(4)
    for _ in range(50):
        score = random.normal(0, 10, (4, 4))
        rows, columns = linear_sum_assignment(score, maximize=True)
        made = sum(score[r, e] for r, e in aligner.align(score, "aaaa", "aaaa").pairs)
        assert made >= score[rows, columns].sum() - 0.2 * entropy  # what regularising can cost


def test_a_soft_assignment_is_doubly_stochastic():
    soft = create("aligner", "sinkhorn", temperature=5.0).soft_assignment(np.random.default_rng(1).normal(0, 5, (5, 5)))
    np.testing.assert_allclose(soft.sum(0), 1, atol=1e-6)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)


def test_equal_labels_get_other_waveforms_after_training_steps():
    torch.manual_seed(0)
    model = create("separator", "tcn", num_classes=4, **SMALL)
    query = torch.zeros(1, 3, 4)
    query[0, :2, 2] = 1
    waveforms = model(torch.randn(1, 4, 3200), query)
    assert not torch.allclose(waveforms[0, 0], waveforms[0, 1])
    assert not waveforms[0, 2].any()
