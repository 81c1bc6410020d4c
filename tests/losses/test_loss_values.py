"""The loss against values of the public DCASE 2026 baseline and of equation (3).

How ``loss.json`` was made: :func:`signals` gives the inputs.  ``official`` is the output of the baseline's own loss
(tag v1.1.0, torch 2.11, CPU, float32), which averages over all slots; ``paper`` is equation (3), by the search of all
permutations inside the classes, averaged over the active slots; ``permutation[b][i]`` is the estimate of reference i.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from s5lib.losses import AlignedSDRLoss

CASES = json.loads((Path(__file__).parent / "loss.json").read_text())["cases"]


def signals(case):
    """Return prediction, target [2, K, T] and query [2, K, 6] of a case."""
    labels, seed = case["labels"], case["seed"]
    shape = (2, len(labels[0]), 1, 8000)
    target = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    prediction = (0.5 * np.random.default_rng(seed + 100000).standard_normal(shape)).astype(np.float32)
    order = np.random.default_rng(seed + 200000)
    for b in range(2):
        prediction[b] += target[b][order.permutation(shape[1])]
    query = torch.zeros(*shape[:2], 6)
    for b, row in enumerate(labels):
        for k, label in enumerate(row):
            if label is None:
                prediction[b, k] = target[b, k] = 0
            else:
                query[b, k, label] = 1
    return torch.from_numpy(prediction[:, :, 0]), torch.from_numpy(target[:, :, 0]), query


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["seed"]))
@pytest.mark.parametrize(("average", "key"), [("active", "paper"), ("slots", "official")])
def test_values_and_permutations(case, average, key):
    value, order = AlignedSDRLoss("ca_pi", average).per_item(*signals(case))
    assert value.tolist() == pytest.approx(case[key], abs=1e-4)
    assert order.tolist() == case["permutation"]


def test_batch_mean():
    case = CASES[0]
    assert AlignedSDRLoss()(*signals(case)).item() == pytest.approx(np.mean(case["paper"]), abs=1e-4)
