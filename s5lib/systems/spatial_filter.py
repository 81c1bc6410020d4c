"""Spatial filters derived from separated sources: linear, and for sources that do not move.

Such a source always reaches the channels in the same way, so that at each frequency one weight per channel keeps it and
cancels what comes from elsewhere.  An estimate shows in which time-frequency bins its source is alone and in which it
is absent; the covariances over these bins give the weights of a multichannel Wiener filter.  The filter's output has
other errors than the estimate, and the mean of both usually has fewer than either.

Souden et al., "On optimal frequency-domain multichannel linear filtering for noise reduction", IEEE Transactions on
Audio, Speech, and Language Processing 18(2), 2010; covariances from masks: Erdogan et al., "Improved MVDR beamforming
using single-channel mask prediction networks", Interspeech 2016.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from s5lib.errors import DataError
from s5lib.models.mixture import audible_channels, level
from s5lib.systems.waveform_check import check_rate
from s5lib.untrusted import shown

__all__ = ["directional_channels", "share_of", "spatially_filtered", "stft_options"]

_WINDOW_SECONDS = 0.256  # long against the rooms' early reflections, which the weights then cover
_SHARPNESS = 12  # exponent of the masks: only bins that a source has nearly to itself, or nearly lacks, count
_LOADING = 1e-2  # of the covariance of all else, relative to its mean power
_LEAST_POWER = 1e-8  # keeps divisions finite; the mixture has a mean square of 1


@torch.no_grad()
def spatially_filtered(mixture: Tensor, estimates: Tensor, sample_rate: int) -> Tensor:
    """Return ``[K, T]``, the mean of each estimate and the output of its spatial filter.

    A gain of ``mixture`` and ``estimates`` is one of the result.  Without a second channel above -60 dB of the first,
    there is nothing to filter, and the estimates are returned.  Estimates with an SDR of more than about 20 dB get
    worse.

    Args:
        mixture: ``[M, T]``, the reference channel first.
        estimates: ``[K, T]``, of the sources at the reference channel; a silent one stays silent.
        sample_rate: in Hz.

    Raises:
        DataError: one of the first two is no floating-point tensor of that shape, or the sampling rate is none.

    >>> mixture, estimates = torch.randn(4, 8000), torch.zeros(2, 8000)
    >>> estimates[0] = mixture[0]
    >>> filtered = spatially_filtered(mixture, estimates, 16000)
    >>> filtered.shape, filtered[1].any().item()
    (torch.Size([2, 8000]), False)
    """
    for name, value in (("mixture", mixture), ("estimates", estimates)):
        if not (isinstance(value, Tensor) and value.ndim == 2 and value.is_floating_point()):
            what = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else shown(value)
            raise DataError(f"{name} is {what}; expected a floating-point tensor of two dimensions.")
    if estimates.shape[1] != mixture.shape[1]:
        raise DataError(f"the estimates have {estimates.shape[1]} samples, the mixture has {mixture.shape[1]}.")
    options = stft_options(_WINDOW_SECONDS, check_rate(sample_rate), mixture.device)
    kept = directional_channels(mixture)
    if not kept.any() or not len(estimates):
        return estimates
    channels = mixture[kept]
    gain = level(mixture[None])[0]
    spectra = torch.stft(
        torch.cat([channels, estimates]) / gain, pad_mode="constant", return_complex=True, **options
    ).split([len(channels), len(estimates)])
    heard = spectra[0].transpose(0, 1).contiguous()
    filtered = torch.stack([_filtered(heard, estimate) for estimate in spectra[1]])
    output = gain * torch.istft(filtered, length=mixture.shape[1], **options)
    return (0.5 * (estimates + output)).to(estimates.dtype)


def directional_channels(mixture: Tensor) -> Tensor:
    """Return ``[M]``, which channels of ``mixture [M, T]`` tell directions: the audible ones, none without a second."""
    kept = audible_channels(mixture[None])[0]
    return kept & kept[0] & (kept.sum() > 1)


def stft_options(seconds: float, sample_rate: int, device: torch.device | None = None) -> dict[str, Any]:
    """Return the options of ``torch.stft`` and ``istft`` for a Hann window of about ``seconds``, a power of two."""
    n_fft = 2 ** max(2, round(math.log2(seconds * sample_rate)))
    return {"n_fft": n_fft, "hop_length": n_fft // 4, "window": torch.hann_window(n_fft, device=device)}


def share_of(estimate: Tensor, reference: Tensor) -> Tensor:
    """Return an estimate's share of each bin, 0 to 1: of its amplitude and that of what it leaves of the reference."""
    amplitude = estimate.abs()
    return amplitude / (amplitude + (reference - estimate).abs()).clamp(min=torch.finfo(amplitude.dtype).tiny)


def _filtered(heard: Tensor, estimate: Tensor) -> Tensor:
    """Filter the mixture ``heard [bins, M, frames]`` for ``estimate [bins, frames]``; returns the latter's shape."""
    share = share_of(estimate, heard[:, 0])
    source, others = (_scatter(heard, weights**_SHARPNESS) for weights in (share, 1 - share))
    loading = _LOADING * others.diagonal(dim1=1, dim2=2).real.mean(1) + _LEAST_POWER
    ratio = torch.linalg.solve(others + torch.diag_embed(loading[:, None].expand(heard.shape[:2])), source)
    weights = ratio[:, :, 0] / (1 + ratio.diagonal(dim1=1, dim2=2).real.sum(1, keepdim=True))
    output = (weights.conj()[..., None] * heard).sum(1)
    # In place of the Wiener filter's gain, that of the estimate: over all frames together, as loud and in phase.
    correlation = (estimate * output.conj()).sum(1, keepdim=True)
    return output * correlation / (output.abs().square().sum(1, keepdim=True) + _LEAST_POWER)


def _scatter(heard: Tensor, weights: Tensor) -> Tensor:
    """Return ``[bins, M, M]``: products of channels of ``heard [bins, M, frames]``, summed with ``[bins, frames]``."""
    return (heard * weights[:, None]) @ heard.mH
