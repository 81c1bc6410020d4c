"""Overlap-add convolution on one grid of blocks, so that sounds are summed as spectra before a single inverse FFT.

With impulse responses of L samples, the time axis is cut into blocks of B >= L samples.  A block padded to F = 2 B
samples and multiplied by a response's spectrum gives that block's linear convolution, whose second half belongs to the
next block.  Responses of a common length share B, whatever the length of the scene, so a spectrum computed once serves
all scenes and takes little memory; and a sound costs only the blocks that it covers.

The energy of a convolution is needed before it is computed, to scale the sound.  It is sum_tau r_x(tau) r_h(tau) over
|tau| < L, of the autocorrelations of sound and response (summed over channels).  r_x(tau) for 0 <= tau <= B comes
without wrap from the blocks' spectra, as sum_b conj(X_b) (X_b + (-1)^k X_{b+1}): the bracket is the spectrum of block b
followed by block b+1, the sign being the shift by B = F/2.  The response's side is :func:`energy_kernel`.

Not for a single short convolution: ``scipy.signal.fftconvolve`` is simpler and as fast there.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

__all__ = [
    "add_filtered",
    "block_length",
    "block_spectra",
    "convolved_energy",
    "energy_kernel",
    "overlap_add",
    "response_spectra",
]


def block_length(response_length: int) -> int:
    """Return B, the smallest length of at least ``response_length`` for which FFTs of 2 B samples are fast.

    >>> block_length(12800), block_length(12801)
    (12800, 12960)
    """
    return fft.next_fast_len(response_length, real=True)


def response_spectra(responses: np.ndarray, block: int) -> np.ndarray:
    """Return the spectra ``[..., block + 1]`` of impulse responses ``[..., L]``, ``L <= block``."""
    return fft.rfft(responses, n=2 * block, axis=-1)


def energy_kernel(spectra: np.ndarray, block: int) -> np.ndarray:
    """Return the response's side of the energy, ``[block + 1]`` complex64, from its spectra ``[M, block + 1]``.

    It is the spectrum of r_h(0), 2 r_h(1), ..., 2 r_h(B - 1), times Parseval's weights.
    """
    power = np.square(spectra.view(np.float32)).sum(axis=0)
    lags = fft.irfft(power[0::2] + power[1::2], n=2 * block)
    lags[1:block] *= 2
    lags[block:] = 0
    kernel = fft.rfft(lags) / block
    kernel[[0, -1]] /= 2  # the bins at 0 Hz and at half the sample rate stand once in a full spectrum, the others twice
    return kernel


def block_spectra(sound: np.ndarray, onset: int, block: int) -> tuple[int, np.ndarray]:
    """Cut ``sound [N]``, which begins at sample ``onset`` of the scene, at the scene's block boundaries.

    Returns:
        The index of the first block, and the spectra ``[blocks, block + 1]`` complex64.
    """
    first, offset = divmod(onset, block)
    blocks = -(-(offset + len(sound)) // block)
    padded = np.zeros(blocks * block, np.float32)
    padded[offset : offset + len(sound)] = sound
    return first, fft.rfft(padded.reshape(blocks, block), n=2 * block, axis=-1)


def convolved_energy(spectra: np.ndarray, kernel: np.ndarray) -> float:
    """Return the energy, summed over samples and channels, of a sound convolved with a response.

    Args:
        spectra: of the sound, ``[blocks, B + 1]``, from :func:`block_spectra`.
        kernel: of the response, ``[B + 1]``, from :func:`energy_kernel`.
    """
    correlation = np.zeros(spectra.shape[1], np.complex64)
    product = np.empty_like(correlation)
    for index, row in enumerate(spectra):  # row by row: what fits into the processor's cache is twice as fast
        np.conj(row, out=product)
        if index + 1 < len(spectra):
            followed = spectra[index + 1].copy()
            followed[1::2] *= -1
            followed += row
            product *= followed
        else:
            product *= row
        correlation += product
    return float(np.sum(correlation.view(np.float32) * kernel.view(np.float32), dtype=np.float64))


def add_filtered(total: np.ndarray, first: int, spectra: np.ndarray, filters: np.ndarray) -> None:
    """Add a sound's spectra, filtered for each channel, to those of a scene; blocks behind its end are left out.

    Args:
        total: of the scene, ``[M, blocks, B + 1]``, changed in place.
        first: block of the scene that the sound begins in.
        spectra: of the sound, ``[b, B + 1]``.
        filters: ``[M, B + 1]``.
    """
    product = np.empty(spectra.shape[1], np.complex64)
    for row, target in zip(spectra, range(first, total.shape[1]), strict=False):
        for channel, response in enumerate(filters):
            np.multiply(row, response, out=product)
            total[channel, target] += product


def overlap_add(spectra: np.ndarray, block: int) -> np.ndarray:
    """Turn spectra of consecutive blocks ``[..., blocks, B + 1]`` into samples ``[..., (blocks + 1) * B]``.

    The spectra are overwritten.
    """
    halves = fft.irfft(spectra, n=2 * block, axis=-1, overwrite_x=True)
    samples = np.empty((*halves.shape[:-2], halves.shape[-2] + 1, block), np.float32)
    samples[..., :-1, :] = halves[..., :block]
    samples[..., -1, :] = 0
    samples[..., 1:, :] += halves[..., block:]
    return samples.reshape(*samples.shape[:-2], -1)
