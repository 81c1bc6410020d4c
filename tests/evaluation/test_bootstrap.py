"""Intervals of several figures at once are those of each figure alone."""

import numpy as np
import pytest

from s5lib.evaluation import bootstrap as module
from s5lib.evaluation.bootstrap import bootstrap, bootstrap_ratios, ratio


@pytest.mark.parametrize("block", [1, 50, 2**20])
@pytest.mark.parametrize("scenes", [1, 2, 37])
def test_from_counts_as_from_indices(scenes, block, monkeypatch):
    rng = np.random.default_rng(scenes)
    above, below = rng.standard_normal((4, scenes)), (rng.random((4, scenes)) < 0.6).astype(float)
    below[2], below[3] = 0, [1, *(scenes - 1) * [0]]
    expected = [bootstrap(ratio(a, b), scenes, resamples=200, seed=[7, 1]) for a, b in zip(above, below, strict=True)]
    monkeypatch.setattr(module, "_BLOCK", block)
    found = bootstrap_ratios(above, below, resamples=200, seed=[7, 1])
    assert found[2] is None and found[3].low is None
    for own, one, counted in zip(found, expected, below.sum(1), strict=True):
        if counted > 1:
            assert (own.value, own.low, own.high) == pytest.approx((one.value, one.low, one.high), abs=1e-12)
        elif counted:
            assert own.value == pytest.approx(one.value, abs=1e-12)
