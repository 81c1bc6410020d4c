"""A separator and a joint model that work on waveforms: encoder, dilated convolutions, masks, decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s5lib.interfaces import JointModel, Separator
from s5lib.models import prepare_mixture
from s5lib_example.configs import TCNConfig


class Block(nn.Module):
    """Depthwise convolution between two pointwise ones, with a residual; what is asked for scales and shifts it."""

    def __init__(self, config: TCNConfig, dilation: int, condition: int):
        super().__init__()
        width, hidden = config.width, config.hidden
        self.widen = nn.Sequential(nn.Conv1d(width, hidden, 1), nn.PReLU(), nn.GroupNorm(1, hidden))
        self.condition = nn.Linear(condition, 2 * hidden) if condition else None
        self.depthwise = nn.Conv1d(hidden, hidden, 3, padding=dilation, dilation=dilation, groups=hidden)
        self.narrow = nn.Sequential(nn.PReLU(), nn.GroupNorm(1, hidden), nn.Conv1d(hidden, width, 1))

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map ``x [B, width, frames]`` to the same shape; ``condition [B, size]``."""
        y = self.widen(x)
        if self.condition is not None:
            scale, shift = self.condition(condition).unsqueeze(-1).chunk(2, dim=1)
            y = y * (1 + scale) + shift
        return x + self.narrow(self.depthwise(y))


class TCN(nn.Module):
    """The network that both models share."""

    def __init__(self, config: TCNConfig, condition: int = 0):
        super().__init__()
        stride = config.kernel // 2
        self.config = config
        self.encoder = nn.Conv1d(config.num_channels, config.filters, config.kernel, stride, bias=False)
        self.enter = nn.Sequential(nn.GroupNorm(1, config.filters), nn.Conv1d(config.filters, config.width, 1))
        self.blocks = nn.ModuleList(Block(config, 2**i, condition) for i in range(config.blocks))
        self.masks = nn.Conv1d(config.width, config.num_sources * config.filters, 1)
        self.decoder = nn.ConvTranspose1d(config.filters, 1, config.kernel, stride, bias=False)

    def forward(self, mixture: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map ``mixture [B, M, T]`` to waveforms ``[B, K, T]`` and features ``[B, width]``, averaged over time."""
        mixture, level = prepare_mixture(mixture, self.config, self.training)
        samples, stride = mixture.shape[-1], self.config.kernel // 2
        padded = nn.functional.pad(mixture, (stride, stride + -samples % stride))
        code = self.encoder(padded).relu()
        x = self.enter(code)
        for block in self.blocks:
            x = block(x, condition)
        masks = self.masks(x).sigmoid().unflatten(1, (self.config.num_sources, -1))
        waveforms = self.decoder((masks * code.unsqueeze(1)).flatten(0, 1)).unflatten(0, masks.shape[:2]).squeeze(2)
        return level * waveforms[..., stride : stride + samples].float(), x.mean(-1)


class TCNSeparator(Separator):
    """Separates by labels; every block gets the whole query."""

    def __init__(self, config: TCNConfig):
        super().__init__(config)
        self.tcn = TCN(config, condition=config.num_sources * config.num_classes)

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``."""
        return self.tcn(mixture, query.flatten(1))[0] * query.sum(-1, keepdim=True)


class TCNJoint(JointModel):
    """Separates without labels and gives one to each slot."""

    def __init__(self, config: TCNConfig):
        super().__init__(config)
        self.tcn = TCN(config)
        self.labels = nn.Linear(config.width, config.num_sources * (config.num_classes + 1))

    def forward(self, mixture: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``mixture [B, M, T]`` to ``(logits [B, K, C + 1], waveforms [B, K, T])``."""
        waveforms, features = self.tcn(mixture)
        logits = self.labels(torch.relu(features)).float()
        return logits.unflatten(-1, (self.config.num_sources, -1)), waveforms
