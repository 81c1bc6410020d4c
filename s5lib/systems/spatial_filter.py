"""Spatial filters derived from separated sources: linear, and for sources that do not move.

Such a source always reaches the channels in the same way, so that at each frequency one weight per channel keeps it and
cancels what comes from elsewhere.  An estimate shows in which time-frequency bins its source is alone and in which it
is absent; the covariances over these bins give the weights of a multichannel Wiener filter.  The filter's output has
other errors than the estimate, and the mean of both has fewer than either.

Souden et al., "On optimal frequency-domain multichannel linear filtering for noise reduction", IEEE Transactions on
Audio, Speech, and Language Processing 18(2), 2010; covariances from masks: Erdogan et al., "Improved MVDR beamforming
using single-channel mask prediction networks", Interspeech 2016.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s5lib.errors import DataError
from s5lib.models.mixture import audible_channels, level
from s5lib.systems.waveform_check import check_rate
from s5lib.untrusted import shown

__all__ = ["spatially_filtered"]

_WINDOW_SECONDS = 0.256  # long against the rooms' early reflections, which the weights then cover
_SHARPNESS = 12  # exponent of the masks: only bins that a source has nearly to itself, or nearly lacks, count
_LOADING = 1e-2  # of the covariance of all else, relative to its mean power
_LEAST_POWER = 1e-8  # relative to the mixture's reference channel


@torch.inference_mode()
def spatially_filtered(mixture: Tensor, estimates: Tensor, sample_rate: int) -> Tensor:
    """Return ``[K, T]``, the mean of each estimate and of the spatial filter that follows from it.

    A gain of ``mixture`` and ``estimates`` is one of the result.  Without a second channel above -60 dB of the first,
    there is nothing to filter, and the estimates are returned.

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
            raise DataError(f"{name} is {shown(value)}; expected a floating-point tensor of two dimensions.")
    if estimates.shape[1] != mixture.shape[1]:
        raise DataError(f"the estimates have {estimates.shape[1]} samples, the mixture has {mixture.shape[1]}.")
    window = _WINDOW_SECONDS * check_rate(sample_rate)
    channels = mixture[audible_channels(mixture[None])[0]]
    if len(channels) < 2 or not len(estimates):
        return estimates
    gain = level(mixture[None])[0]
    n_fft = 2 ** round(math.log2(window))
    options = {"n_fft": n_fft, "hop_length": n_fft // 4, "window": torch.hann_window(n_fft, device=mixture.device)}
    spectra = torch.stft(
        torch.cat([channels, estimates]) / gain, pad_mode="constant", return_complex=True, **options
    ).split([len(channels), len(estimates)])
    heard = spectra[0].transpose(0, 1).contiguous()
    filtered = torch.stack([_filtered(heard, estimate) for estimate in spectra[1]])
    return 0.5 * (estimates + gain * torch.istft(filtered, length=mixture.shape[1], **options))


def _filtered(heard: Tensor, estimate: Tensor) -> Tensor:
    """Filter the mixture ``heard [bins, M, frames]`` for ``estimate [bins, frames]``; returns the latter's shape."""
    reference, amplitude = heard[:, 0], estimate.abs()
    rest = (reference - estimate).abs()
    share = amplitude / (amplitude + rest).clamp(min=torch.finfo(amplitude.dtype).tiny)
    source, others = (_covariance(heard, weights**_SHARPNESS) for weights in (share, 1 - share))
    loading = _LOADING * others.diagonal(dim1=1, dim2=2).real.mean(1) + _LEAST_POWER
    ratio = torch.linalg.solve(others + torch.diag_embed(loading[:, None].expand(heard.shape[:2])), source)
    weights = ratio[:, :, 0] / (1 + ratio.diagonal(dim1=1, dim2=2).real.sum(1, keepdim=True))
    output = (weights.conj()[..., None] * heard).sum(1)
    # As loud as the estimate and in phase with it, over all frames together.
    correlation = (estimate * output.conj()).sum(1, keepdim=True)
    return output * correlation / (output.abs().square().sum(1, keepdim=True) + _LEAST_POWER)


def _covariance(heard: Tensor, weights: Tensor) -> Tensor:
    """Sum ``heard [bins, M, frames]`` with ``weights [bins, frames]`` to ``[bins, M, M]``."""
    return (heard * weights[:, None]) @ heard.mH
