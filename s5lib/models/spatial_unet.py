"""ResUNetK that hears directions: its U-Net also sees each channel's phase relative to the reference channel's.

Magnitudes alone lose the sign between first-order Ambisonics' W and its Y, Z and X, so that left and right look alike.
The cross-spectrum with W has it; its real part is the active intensity (Merimaa and Pulkki, "Spatial impulse response
rendering I", J. Audio Eng. Soc. 53(12), 2005).  Of a few neighbouring bins, a patch is made before the first block,
which takes most of a small U-Net's time off it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from s5lib.models.configs import SpatialUNetConfig
from s5lib.models.queried import MaskingUNet, magnitudes
from s5lib.models.resunetk import ResUNetK

__all__ = ["SpatialUNet", "spatial_features"]

_COMPRESSION = 0.3  # exponent of the magnitudes, which span some 60 dB


def spatial_features(spectrum: Tensor) -> Tensor:
    """Return what ``spectrum [B, M, frames, bins, 2]`` shows of levels and directions, ``[B, 3 M - 2, frames, bins]``.

    The compressed magnitude of each channel; then of each channel after the first the real and the imaginary part of
    its bin, turned by the first channel's phase and divided by the norm over channels: -1 to 1.
    """
    x, y = spectrum.unbind(-1)
    magnitude = magnitudes(spectrum)
    norm = torch.linalg.vector_norm(magnitude, dim=1, keepdim=True) * magnitude[:, :1]
    real = (x[:, 1:] * x[:, :1] + y[:, 1:] * y[:, :1]) / norm
    imaginary = (y[:, 1:] * x[:, :1] - x[:, 1:] * y[:, :1]) / norm
    return torch.cat([magnitude.pow(_COMPRESSION), real, imaginary], 1)


class _SpatialMaskingUNet(MaskingUNet):
    @staticmethod
    def num_features(channels: int) -> int:
        return 3 * channels - 2

    def features(self, spectrum: Tensor) -> Tensor:
        return spatial_features(spectrum)


class SpatialUNet(ResUNetK):
    """Extracts all sources of a query in one pass, from levels and directions."""

    config: SpatialUNetConfig
    unet = _SpatialMaskingUNet

    def __init__(self, config: SpatialUNetConfig):
        super().__init__(config)
