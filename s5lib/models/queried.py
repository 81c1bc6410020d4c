"""Common parts of the separators: a U-Net that masks the mixture's spectrum, conditioned on the query."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.models.configs import ResUNetConfig
from s5lib.models.frontend import ShortTimeFourier
from s5lib.models.masking import apply_masks
from s5lib.models.query import QueriedSeparator
from s5lib.models.unet import FiLM, UNet

__all__ = ["MaskingUNet", "QueriedUNet", "SpectralUNet", "magnitudes", "query_embedding"]

_LEAST_MAGNITUDE = 1e-5  # of a bin; keeps the gradient of the root finite where there is silence


def query_embedding(inputs: int, outputs: int) -> nn.Sequential:
    """Two layers, each normalised and rectified, from query vectors to the condition of :class:`FiLM`."""
    return nn.Sequential(
        nn.Linear(inputs, outputs),
        nn.LayerNorm(outputs),
        nn.ReLU(),
        nn.Linear(outputs, outputs),
        nn.LayerNorm(outputs),
        nn.ReLU(),
    )


def magnitudes(spectrum: Tensor) -> Tensor:
    """Return the magnitudes ``[...]`` of ``spectrum [..., 2]``, none of them quite 0."""
    return (spectrum[..., 0].square() + spectrum[..., 1].square()).clamp(min=_LEAST_MAGNITUDE**2).sqrt()


class SpectralUNet(UNet):
    """A U-Net from the mixture's spectrum ``[B, M, frames, bins, 2]`` to the sources' ``[B, K, frames, bins, 2]``."""

    def __init__(self, inputs: int, outputs: int, config: ResUNetConfig):
        super().__init__(inputs, outputs, config.n_fft // 2 + 1, config.channels)
        self.fourier = ShortTimeFourier(config.n_fft, config.hop_length)

    def separate(self, mixture: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map ``mixture [B, M, T]`` to ``waveforms [B, K, T]``."""
        filtered = self(torch.view_as_real(self.fourier(mixture)), betas)
        return self.fourier.inverse(torch.view_as_complex(filtered), mixture.shape[-1])


class MaskingUNet(SpectralUNet):
    """A U-Net whose outputs are, per source and channel, a magnitude mask and a phase rotation of the mixture.

    The channels so filtered are summed with trained weights to the source at the reference microphone.
    """

    def __init__(self, config: ResUNetConfig, num_sources: int):
        super().__init__(config.num_channels, num_sources * config.num_channels * 3, config)
        self.num_sources = num_sources
        self.out_conv = nn.Conv2d(config.num_channels, 1, 1)

    def forward(self, spectrum: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map the mixture's ``spectrum [B, M, frames, bins, 2]`` to the sources' ``[B, num_sources, frames, bins, 2]``.

        The last dimension is real and imaginary part.
        """
        outputs = super().forward(magnitudes(spectrum), betas).float().contiguous()
        outputs = outputs.unflatten(1, (self.num_sources, -1, 3))
        filtered = apply_masks(outputs, spectrum[..., :-1, :], self.out_conv.weight[0, :, 0, 0])
        # The highest bin is not filtered: nothing of the mixture comes through, but the bias does.
        return F.pad(filtered, (0, 0, 0, 1)) + cast("Tensor", self.out_conv.bias)


class QueriedUNet(QueriedSeparator):
    """Base of the separators that answer ``slots`` slots of a query in one pass of a :class:`MaskingUNet`."""

    config: ResUNetConfig

    def __init__(self, config: ResUNetConfig, slots: int):
        super().__init__(config)
        self.base = self.make_unet(slots)
        self.label_embedding = query_embedding(slots * config.query_size, config.condition_size)
        self.film = FiLM(config.condition_size, self.base.film_widths())

    def make_unet(self, slots: int) -> SpectralUNet:
        """Return the network that :meth:`separate_slots` uses."""
        return MaskingUNet(self.config, slots)

    @property
    def network(self) -> nn.Module:
        """The part that :func:`s5lib.models.accelerate` compiles: all but Fourier transforms and small layers."""
        return self.base

    @property
    def time_grid(self) -> int:
        """Samples: parts of a recording that begin at multiples of it are split into the same frames as the whole."""
        return self.base.fourier.hop_length * self.base.frames_unit

    def separate_slots(self, mixture: Tensor, vectors: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``vectors [B, slots, query_size]`` to ``waveforms [B, slots, T]``."""
        return self.base.separate(mixture, self.film(self.label_embedding(vectors.flatten(1))))
