"""ResUNetK that hears directions: its U-Net also sees each channel's phase relative to the reference channel's.

Magnitudes alone lose the sign between first-order Ambisonics' W and its Y, Z and X, so that left and right look alike.
The cross-spectrum with W has it; its real part is the active intensity (Merimaa and Pulkki, "Spatial impulse response
rendering I", J. Audio Eng. Soc. 53(12), 2005).  The sources are complex filters of all channels.

Neighbouring bins enter and leave the U-Net as patches, because a small one spends most of its time on moving maps of
single bins through memory.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.models.configs import SpatialUNetConfig
from s5lib.models.filters import apply_filters
from s5lib.models.queried import SpectralUNet, magnitudes
from s5lib.models.resunetk import ResUNetK

__all__ = ["FilteringUNet", "SpatialUNet", "spatial_features"]

_COMPRESSION = 0.3  # exponent of the magnitudes, which span some 60 dB


def spatial_features(spectrum: Tensor) -> Tensor:
    """Return what ``spectrum [B, M, frames, bins, 2]`` shows of levels and directions, ``[B, 3 M - 2, frames, bins]``.

    The compressed magnitude of each channel; then of each channel after the first the real and the imaginary part of
    its bin, turned by the first channel's phase and divided by the norm over channels: -1 to 1.
    """
    x, y = spectrum.unbind(-1)
    magnitude = magnitudes(spectrum)
    norm = magnitude.square().sum(1, keepdim=True).sqrt() * magnitude[:, :1]
    real = (x[:, 1:] * x[:, :1] + y[:, 1:] * y[:, :1]) / norm
    imaginary = (y[:, 1:] * x[:, :1] - x[:, 1:] * y[:, :1]) / norm
    return torch.cat([magnitude.pow(_COMPRESSION), real, imaginary], 1)


class FilteringUNet(SpectralUNet):
    """A U-Net on patches of bins, whose outputs are a complex filter per source and channel.

    It starts as half of the reference channel for every source.
    """

    after_conv: nn.Linear  # type: ignore[assignment]  # of a patch's features, which lie side by side

    def __init__(self, config: SpatialUNetConfig, num_sources: int):
        channels, patch, width = config.num_channels, config.patch_bins, config.channels[0]
        super().__init__(3 * channels - 2, 1, config)
        self.pre_conv = nn.Conv2d(3 * channels - 2, width, (1, patch), stride=(1, patch))
        self.after_conv = nn.Linear(width, 2 * num_sources * channels * patch)
        self.filters = 2, num_sources, channels, patch
        for layer in (self.pre_conv, self.after_conv):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(cast("Tensor", layer.bias))
        with torch.no_grad():
            self.after_conv.weight.mul_(0.1)
            self.after_conv.bias.view(self.filters)[0, :, 0] = math.atanh(0.5)

    def forward(self, spectrum: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map the mixture's ``spectrum [B, M, frames, bins, 2]`` to the sources' ``[B, num_sources, frames, bins, 2]``.

        The last dimension is real and imaginary part.
        """
        outputs = super().forward(spatial_features(spectrum), betas).float()  # [B, frames, patches, 2 K M P]
        parts = spectrum[..., :-1, :].permute(4, 0, 2, 3, 1).unflatten(3, (-1, self.filters[-1]))
        x, y = parts.transpose(4, 5).flatten(1, 3).contiguous()[:, :, None].unbind(0)
        sources = torch.stack(apply_filters(outputs.reshape(-1, *self.filters), x, y), -1)
        sources = sources.unflatten(0, outputs.shape[:3]).permute(0, 3, 1, 2, 4, 5).flatten(3, 4)
        return F.pad(sources, (0, 0, 0, 1))  # the highest bin is left out

    def _outputs(self, x: Tensor, frames: int) -> Tensor:
        return self.after_conv(x[:, :, :frames].permute(0, 2, 3, 1))


class SpatialUNet(ResUNetK):
    """Extracts all sources of a query in one pass, from levels and directions."""

    config: SpatialUNetConfig

    def make_unet(self, slots: int) -> FilteringUNet:
        """Return the network that :meth:`separate_slots` uses."""
        return FilteringUNet(self.config, slots)
