"""A tagger of residual convolutions on log-mel spectrograms, for corpora too small for a transformer.

Two 3x3 convolutions a block, a shortcut, and a halving of frames and bands (He et al., "Deep residual learning for
image recognition", https://arxiv.org/abs/1512.03385); all channels enter together, so that the network can compare
them.  Mean and maximum over bands and over time go to the same head as M2D's.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.interfaces import Tagger
from s5lib.models.checks import check_mixture
from s5lib.models.configs import ResNetConfig
from s5lib.models.frontend import LogMel
from s5lib.models.mixture import audible_channels, draw_channels, level
from s5lib.models.track_head import TrackHead

__all__ = ["ResNetTagger"]

_FLOOR = 1e-3  # of a mel band's energy, far below the noise of a mixture whose RMS is 1


class ResNetTagger(Tagger):
    """Residual convolutions on the log-mel spectrograms of all channels, then a head with one output per slot."""

    config: ResNetConfig

    def __init__(self, config: ResNetConfig):
        super().__init__(config)
        f_range = config.f_min, config.highest_frequency
        self.log_mel = LogMel(config.n_mels, config.n_fft, config.hop_length, config.sample_rate, *f_range, _FLOOR)
        widths = [config.used_channels, *config.widths]
        self.norm = nn.BatchNorm2d(config.used_channels)
        self.blocks = nn.Sequential(*(ResidualBlock(inputs, outputs) for inputs, outputs in pairwise(widths)))
        self.head = TrackHead(
            2 * widths[-1],
            config.num_sources,
            config.num_classes + 1,
            config.head_dim,
            config.track_dim,
            config.dropout,
        )

    @property
    def network(self) -> nn.Module:
        """The part that :func:`s5lib.models.accelerate` compiles."""
        return self.blocks

    def forward(self, mixture: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` to ``logits [B, K, C + 1]``; class C is silence.

        Raises:
            DataError: see :func:`s5lib.models.checks.check_mixture`.
        """
        return self.classify(self.features(mixture))

    def features(self, mixture: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` to log-mel energies ``[B, used_channels, frames, n_mels]``; nothing here trains.

        Those of missing channels are minus infinity, if the model can do without.
        """
        config = self.config
        check_mixture(mixture, config)
        if config.normalize_level:
            mixture = mixture / level(mixture)
        channels = mixture[:, : config.used_channels]
        channels = F.pad(channels, (0, 0, 0, config.used_channels - channels.shape[1]))
        energies = self.log_mel(channels).transpose(-1, -2)
        if not config.channel_dropout:
            return energies
        return energies.masked_fill(~audible_channels(channels)[..., None, None], -torch.inf)

    def classify(self, features: Tensor) -> Tensor:
        """Map the output of :meth:`features` to ``logits [B, K, C + 1]``.

        This is where training mixtures lose channels, so that cached features are those of all channels.
        """
        missing = features[..., :1, :1].isneginf()
        x = self.norm(features.masked_fill(missing, 0.0))
        if self.config.channel_dropout:
            if self.training:
                kept = draw_channels(len(x), self.config, x.device)[:, : self.config.used_channels]
                missing = missing | ~kept[..., None, None]
            x = x * ~missing
        x = F.pad(x, (0, 0, 0, -x.shape[2] % 2 ** len(self.config.widths)))  # a block takes pairs of frames
        x = self.blocks(x.contiguous(memory_format=torch.channels_last))
        x = x.mean(-1) + x.amax(-1)
        return self.head(torch.cat([x.mean(-1), x.amax(-1)], 1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 one, and a halving of frames and bands."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, frames, bands]`` to ``[B, outputs, frames // 2, bands // 2]``."""
        hidden = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.avg_pool2d(F.relu(self.bn2(self.conv2(hidden)) + self.shortcut(x)), 2)
