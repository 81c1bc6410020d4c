"""The mixture at a gain: closed forms against sums over samples, and where inner products cancel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.metrics import LabelledScene
from s5lib.metrics.sdr import MAX_SDR


def sdr(estimate, reference):
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))


def scene(references, mixture):
    return LabelledScene(references[:0], [], references, ["a"] * len(references), mixture)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.floats(-4, 4), st.floats(-60, 60))
def test_any_gain_and_the_best_one(seed, count, gain, level):
    generator = np.random.default_rng(seed)
    references = generator.standard_normal((count, 500)) * 10 ** generator.uniform(-2, 2, (count, 1))
    mixture = 10 ** (level / 20) * (references.sum(0) + generator.standard_normal(500))
    made = scene(references, mixture)
    assert made.scaled_mixture_sdr(gain) == pytest.approx([sdr(gain * mixture, s) for s in references], abs=1e-6)
    best = made.scaled_mixture_sdr()
    assert best == pytest.approx(
        [sdr(np.linalg.lstsq(mixture[:, None], s, rcond=None)[0] * mixture, s) for s in references], abs=1e-6
    )
    assert (best >= made.scaled_mixture_sdr(gain) - 1e-6).all() and (best >= made.mixture_sdr - 1e-6).all()
    tensors = scene(torch.from_numpy(references), torch.from_numpy(mixture))
    assert tensors.scaled_mixture_sdr() == pytest.approx(best, abs=1e-6)


def test_a_mixture_that_is_the_source_at_another_level():
    source = np.random.default_rng(0).standard_normal((1, 500)).astype(np.float32)
    assert scene(source, 4 * source[0]).scaled_mixture_sdr() == pytest.approx([MAX_SDR])
    # 80 dB below: of inner products in double precision, hardly a digit is left of the residual's
    noise = np.random.default_rng(1).standard_normal(500).astype(np.float32)
    mixture = 4 * (source[0] + 1e-4 * noise)
    exact = scene(source, mixture).scaled_mixture_sdr(0.25)
    assert exact == pytest.approx([sdr(0.25 * mixture.astype(float), source[0].astype(float))], abs=1e-3)


def test_a_silent_mixture_has_no_best_gain():
    assert scene(np.ones((2, 8)), np.zeros(8)).scaled_mixture_sdr() == pytest.approx([0, 0])
