"""The paper's separator (section 3.2): a residual U-Net that is asked for all labels at once.

Slots may ask for the same class; which of that class's sources each gives is then open, and the loss has to allow it
(:class:`s5lib.losses.AlignedSDRLoss`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.interfaces import Separator
from s5lib.models.checks import check_mixture, check_query
from s5lib.models.configs import ResUNetConfig, ResUNetKConfig
from s5lib.models.frontend import ShortTimeFourier
from s5lib.models.masking import apply_masks
from s5lib.models.unet import FiLM, UNet

__all__ = ["MaskingUNet", "ResUNetK", "query_embedding"]

_LEAST_MAGNITUDE = 1e-5  # of a bin; keeps the gradient of the root finite where there is silence


def query_embedding(inputs: int, outputs: int) -> nn.Sequential:
    """Two layers, each normalised and rectified, from query vectors to the condition of :class:`FiLM`."""
    return nn.Sequential(
        nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU(),
        nn.Linear(outputs, outputs), nn.LayerNorm(outputs), nn.ReLU(),
    )  # fmt: skip


class MaskingUNet(UNet):
    """A U-Net whose outputs are, per source and channel, a magnitude mask and a phase rotation of the mixture.

    The channels so filtered are summed with trained weights to the source at the reference microphone.
    """

    def __init__(self, config: ResUNetConfig, num_sources: int):
        super().__init__(
            config.num_channels, num_sources * config.num_channels * 3, config.n_fft // 2 + 1, config.channels
        )
        self.num_sources = num_sources
        self.out_conv = nn.Conv2d(config.num_channels, 1, 1)
        self.fourier = ShortTimeFourier(config.n_fft, config.hop_length)

    def separate(self, mixture: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map ``mixture [B, M, T]`` to ``waveforms [B, num_sources, T]``."""
        filtered = self(torch.view_as_real(self.fourier(mixture)), betas)
        return self.fourier.inverse(torch.view_as_complex(filtered), mixture.shape[-1])

    def forward(self, spectrum: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map the mixture's ``spectrum [B, M, frames, bins, 2]`` to the sources' ``[B, num_sources, frames, bins, 2]``.

        The last dimension is real and imaginary part.
        """
        magnitude = (spectrum[..., 0].square() + spectrum[..., 1].square()).clamp(min=_LEAST_MAGNITUDE**2).sqrt()
        outputs = super().forward(magnitude, betas).float().contiguous()
        outputs = outputs.unflatten(1, (self.num_sources, -1, 3))
        filtered = apply_masks(outputs, spectrum[..., :-1, :], self.out_conv.weight[0, :, 0, 0])
        # The highest bin is not filtered: nothing of the mixture comes through, but the bias does.
        return F.pad(filtered, (0, 0, 0, 1)) + self.out_conv.bias


class ResUNetK(Separator):
    """Gives all sources of a query in one pass; parameter names are those of the official checkpoint."""

    def __init__(self, config: ResUNetKConfig):
        super().__init__(config)
        self.base = MaskingUNet(config, config.num_sources)
        self.label_embedding = query_embedding(config.num_sources * config.num_classes, config.condition_size)
        self.film = FiLM(config.condition_size, self.base.film_widths())

    @property
    def network(self) -> nn.Module:
        """The part that :func:`s5lib.models.accelerate` compiles: all but Fourier transforms and small layers."""
        return self.base

    @property
    def time_grid(self) -> int:
        """In samples: parts of a recording that begin at multiples of it are seen in the same frames as in the whole."""
        return self.base.fourier.hop_length * self.base.frames_unit

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``; a silent slot's is exactly zero.

        Raises:
            DataError: the mixture's or the query's shape is not the configuration's; outside of training also where a
                query's row is neither one-hot nor zero.
        """
        check_mixture(mixture, self.config.num_channels)
        check_query(query, len(mixture), self.config, values=not self.training)
        betas = self.film(self.label_embedding(query.flatten(1)))
        return self.base.separate(mixture, betas).masked_fill((query == 0).all(-1, keepdim=True), 0.0)
