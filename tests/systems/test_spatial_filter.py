"""The spatial filter against its formula bin by bin, and what it does to sources whose directions are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.errors import DataError
from s5lib.interfaces import ModelConfig
from s5lib.systems import Source, System
from s5lib.systems.spatial_filter import spatially_filtered

RATE = 8000


def scene(seed: int, seconds: float = 4.0, sources: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return ``[4, T]`` and ``[sources, T]``: bursts of noise from directions of their own, and faint noise."""
    rng = np.random.default_rng(seed)
    length = int(seconds * RATE)
    bursts = np.arange(length) // (RATE // 2) % sources == np.arange(sources)[:, None]  # half a second in turn
    dry = rng.standard_normal((sources, length)) * (bursts + 0.1)
    azimuth = rng.uniform(0, 2 * np.pi) + np.arange(sources) * 2 * np.pi / sources
    steering = np.stack([np.ones(sources), np.sin(azimuth), np.zeros(sources), np.cos(azimuth)])
    return (steering @ dry + 0.01 * rng.standard_normal((4, length))).astype("f"), dry.astype("f")


def leaky(dry: np.ndarray, leak: float = 0.3) -> np.ndarray:
    """Return estimates in which each source has some of all others."""
    return (1 - leak) * dry + leak * dry.sum(0)


def filtered(mixture: np.ndarray, estimates: np.ndarray, rate: int = RATE) -> np.ndarray:
    return spatially_filtered(torch.from_numpy(mixture), torch.from_numpy(estimates), rate).numpy()


def sdr(estimate: np.ndarray, source: np.ndarray) -> float:
    return 10 * math.log10((source**2).sum() / ((estimate - source) ** 2).sum())


def bin_by_bin(mixture: np.ndarray, estimates: np.ndarray, n_fft: int) -> np.ndarray:
    """Return the same by the equations, in double precision, with one bin at a time."""
    gain = np.sqrt((mixture[0].astype(float) ** 2).mean())
    options = {"n_fft": n_fft, "hop_length": n_fft // 4, "window": torch.hann_window(n_fft, dtype=torch.float64)}
    x, e = (
        torch.stft(torch.from_numpy(y / gain), pad_mode="constant", return_complex=True, **options).numpy()
        for y in (mixture.astype(float), estimates.astype(float))
    )
    output = np.zeros_like(e)
    for k in range(len(e)):
        for f in range(x.shape[1]):
            of_source, of_others = np.zeros((2, len(x), len(x)), complex)
            for t in range(x.shape[2]):
                own, rest = abs(e[k, f, t]), abs(x[0, f, t] - e[k, f, t])
                share = own / (own + rest)
                outer = np.outer(x[:, f, t], x[:, f, t].conj())
                of_source += share**12 * outer
                of_others += (1 - share) ** 12 * outer
            of_others += (0.01 * np.trace(of_others).real / len(x) + 1e-8) * np.eye(len(x))
            ratio = np.linalg.inv(of_others) @ of_source
            y = (ratio[:, 0] / (1 + np.trace(ratio).real)).conj() @ x[:, f]
            output[k, f] = y * (e[k, f] @ y.conj()) / (y @ y.conj() + 1e-8)
    filtered = torch.istft(torch.from_numpy(output), length=mixture.shape[1], **options).numpy()
    return (estimates + gain * filtered) / 2


def test_equals_the_formula():
    mixture, dry = scene(1, 0.1)
    estimates = leaky(dry)
    expected = bin_by_bin(mixture, estimates, 256)
    np.testing.assert_allclose(filtered(mixture, estimates, rate=1000), expected, atol=2e-4 * abs(expected).max())


@pytest.mark.parametrize("seed", range(4))
def test_directions_take_off_what_leaks(seed):
    mixture, dry = scene(seed)
    before = leaky(dry)
    after = filtered(mixture, before)
    for source, one, other in zip(dry, before, after, strict=True):
        assert sdr(other, source) > sdr(one, source) + 3  # dB; the mean with a perfect filter would give 6


@settings(max_examples=40)
@given(seed=st.integers(0, 999), gain=st.floats(-80, 80), sources=st.integers(1, 3), seconds=st.floats(0.001, 0.5))
def test_properties(seed, gain, sources, seconds):
    mixture, dry = scene(seed, seconds, sources)
    estimates = leaky(dry)
    result = filtered(mixture, estimates)
    assert result.shape == estimates.shape and np.isfinite(result).all()
    tolerance = {"rtol": 0, "atol": 1e-3 * max(1e-9, abs(result).max())}
    factor = np.float32(10 ** (gain / 20))
    np.testing.assert_allclose(filtered(factor * mixture, factor * estimates) / factor, result, **tolerance)
    np.testing.assert_allclose(filtered(mixture, estimates[::-1].copy())[::-1], result, **tolerance)
    turn = np.eye(4, dtype="f")
    turn[1:, 1:] = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    np.testing.assert_allclose(filtered(turn @ mixture, estimates), result, **tolerance)


def test_what_has_no_directions_is_left_alone():
    mixture, dry = scene(0)
    for gains in ([1], [1, 0, 0, 1e-5], [0, 0, 0, 0], [0, 1, 1, 1]):  # the last: without a reference
        channels = mixture[: len(gains)] * np.array(gains, "f")[:, None]
        np.testing.assert_array_equal(filtered(channels, leaky(dry)), leaky(dry))
    assert filtered(mixture, np.zeros((0, mixture.shape[1]), "f")).shape == (0, mixture.shape[1])


def test_a_silent_estimate_stays_silent():
    mixture, dry = scene(0)
    estimates = leaky(dry)
    estimates[0] = 0
    result = filtered(mixture, estimates)
    assert not result[0].any() and result[1].any()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((torch.ones(4, 9), torch.ones(2, 8), RATE), "8 samples, the mixture has 9"),
        ((torch.ones(9), torch.ones(2, 9), RATE), "mixture is"),
        ((torch.ones(4, 9), np.ones((2, 9)), RATE), "estimates is"),
        ((torch.ones(4, 9), torch.ones(2, 9), 0), "sampling rate"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(DataError, match=message):
        spatially_filtered(*arguments)


def test_a_result_can_be_learned_from():
    mixture, dry = (torch.from_numpy(values).half() for values in scene(0))
    scale = torch.ones((), dtype=torch.float16, requires_grad=True)
    result = spatially_filtered(mixture, dry, RATE)
    (scale * result).sum().backward()
    assert result.dtype == torch.float16 and scale.grad is not None


class Leaking(System):
    """Finds the reference channel twice."""

    def __init__(self):
        super().__init__([ModelConfig(num_classes=2, num_sources=2, sample_rate=RATE)], ["Bell", "Dog"])

    def find_sources(self, mixture, labels):
        return [Source(label, 0.5, scale * mixture[0]) for label, scale in (("Bell", 0.9), ("Dog", 0.2))]


def test_any_system_has_it():
    mixture, _ = scene(3)
    system = Leaking()
    plain = system(mixture, RATE)
    system.spatial_filter = True
    refined = system(mixture, RATE)
    assert [(s.label, s.probability) for s in refined] == [("Bell", 0.5), ("Dog", 0.5)]
    expected = filtered(mixture, np.stack([source.waveform for source in plain]))
    for source, waveform in zip(refined, expected, strict=True):
        np.testing.assert_allclose(source.waveform, waveform, atol=1e-6)
