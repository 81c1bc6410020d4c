"""The metric against values of the public DCASE 2026 baseline, and of equations (10) to (12).

How ``metric.json`` was made: :func:`scene` gives the inputs.  ``official`` and ``labels`` are the outputs of the
baseline's own metric (tag v1.1.0, torch 2.11, CPU, float32), which pairs by the mean SDR; ``paper`` is equations (10)
to (12) by the search of all permutations for the largest sum of SDRi; null: no source on either side.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from s5lib.metrics import ca_pi_sdri, label_accuracy

FIXTURE = json.loads((Path(__file__).parent / "metric.json").read_text())


def scene(case):
    """Return estimates, labels, references, labels, mixture of a case, as the values were made."""
    generator, samples = np.random.default_rng(case["seed"]), FIXTURE["samples"]
    count, reference, estimated = len(case["reference"]), case["reference"], case["estimated"]
    references = generator.standard_normal((count, samples)) * generator.uniform(0.2, 2, (count, 1))
    references = references.astype(np.float32)
    mixture = references.sum(0) + 0.3 * generator.standard_normal(samples).astype(np.float32)
    estimates = (0.4 * generator.standard_normal((len(estimated), samples))).astype(np.float32)
    for k, label in enumerate(estimated):
        same = [r for r, other in enumerate(reference) if other == label]
        if same:
            estimates[k] += references[same[int(generator.integers(len(same)))]]
    return estimates, list(estimated), references, list(reference), mixture


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: f"{case['estimated']}-{case['reference']}")
@pytest.mark.parametrize(("pairing", "key"), [("sdri", "paper"), ("sdr", "official")])
def test_values(case, pairing, key):
    score = ca_pi_sdri(*scene(case), pairing=pairing)
    assert score.value == (None if case[key] is None else pytest.approx(case[key], abs=1e-4))


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: f"{case['estimated']}-{case['reference']}")
def test_label_counts(case):
    expected = case["labels"]
    counts = label_accuracy(list(case["estimated"]), list(case["reference"]))
    assert (counts.tp, counts.fp, counts.fn) == (expected["tp"], expected["fp"], expected["fn"])
    assert counts.correct == expected["acc"]
    assert ca_pi_sdri(*scene(case)).labels == counts
