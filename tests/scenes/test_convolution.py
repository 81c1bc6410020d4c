import numpy as np
import pytest
from scipy.signal import fftconvolve

from s5lib.scenes.convolution import (
    add_filtered,
    block_length,
    block_spectra,
    convolved_energy,
    energy_kernel,
    overlap_add,
    response_spectra,
)


@pytest.mark.parametrize("sound_length", [1, 7, 100, 128, 129, 1000])
@pytest.mark.parametrize("response_length", [1, 2, 100, 128])
@pytest.mark.parametrize("onset", [0, 1, 127, 128, 300])
def test_convolution_and_energy(sound_length, response_length, onset):
    generator = np.random.default_rng([sound_length, response_length, onset])
    sound = generator.standard_normal(sound_length).astype(np.float32)
    responses = generator.standard_normal((4, response_length)).astype(np.float32)
    expected = np.stack([fftconvolve(sound.astype(float), row) for row in responses.astype(float)])
    block = 128
    first, spectra = block_spectra(sound, onset, block)
    filters = response_spectra(responses, block)

    energy = convolved_energy(spectra, energy_kernel(filters, block))
    assert energy == pytest.approx((expected**2).sum(), rel=1e-5)

    blocks = first + len(spectra)
    total = np.zeros((4, blocks, block + 1), np.complex64)
    add_filtered(total, first, spectra, filters)
    wet = overlap_add(total, block)
    assert wet.shape == (4, (blocks + 1) * block)
    placed = np.zeros(wet.shape)
    placed[:, onset : onset + expected.shape[1]] = expected
    np.testing.assert_allclose(wet, placed, atol=2e-6 * np.abs(expected).max())


def test_blocks_behind_the_end_are_left_out():
    total = np.zeros((1, 2, 129), np.complex64)
    _, spectra = block_spectra(np.ones(600, np.float32), 0, 128)
    add_filtered(total, 0, spectra, np.ones((1, 129), np.complex64))
    np.testing.assert_allclose(overlap_add(total, 128)[0, :256], 1, atol=1e-6)
    add_filtered(total, 5, spectra, np.ones((1, 129), np.complex64))  # begins behind the end


def test_block_length_is_never_less_than_the_response():
    assert all(block_length(length) >= length for length in range(1, 500))
