"""The paper's tagger: an M2D backbone on every channel, then a head with one softmax output per slot (section 3.1).

The channels are folded into the batch; their features, averaged over time, are put side by side for the head.  Give it
the published weights of M2D (:func:`s5lib.models.load_backbone`) unless there are plenty of data.
"""

from __future__ import annotations

import re
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.errors import ConfigError
from s5lib.interfaces import Tagger
from s5lib.models.checks import check_mixture
from s5lib.models.configs import M2DConfig
from s5lib.models.frontend import LogMel
from s5lib.models.mixture import audible_channels, draw_channels, level
from s5lib.models.track_head import TrackHead
from s5lib.models.vit import VisionTransformer

__all__ = ["M2DTagger"]


class M2DTagger(Tagger):
    """M2D with a track-wise head; the names of its parameters are those of the official 1-channel checkpoint."""

    config: M2DConfig

    def __init__(self, config: M2DConfig):
        super().__init__(config)
        f_range = config.f_min, config.highest_frequency
        self.log_mel = LogMel(config.n_mels, config.n_fft, config.hop_length, config.sample_rate, *f_range)
        self.backbone = VisionTransformer(
            config.n_mels,
            config.chunk_frames,
            config.patch_size,
            config.embed_dim,
            config.depth,
            config.num_heads,
            config.mlp_ratio,
        )
        self.backbone.norm_stats.copy_(torch.tensor([config.norm_mean, config.norm_std]))
        features = config.used_channels * config.embed_dim * config.n_mels // config.patch_size
        self.head = TrackHead(
            features, config.num_sources, config.num_classes + 1, config.head_dim, config.track_dim, config.dropout
        )

    @property
    def network(self) -> nn.Module:
        """The part that :func:`s5lib.models.accelerate` compiles: all but Fourier transforms and small layers."""
        return self.backbone

    def features(self, mixture: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` to what the head sees, ``[B, channels * bands * embed_dim]``.

        Those of missing channels are minus infinity, if the model can do without.
        """
        check_mixture(mixture, self.config)
        if self.config.normalize_level:
            mixture = mixture / level(mixture)
        channels = mixture[:, : self.config.used_channels]
        mean, deviation = self.backbone.norm_stats
        total, steps = mixture.new_zeros(()), 0
        for log_mel in self.log_mel.in_parts(channels.flatten(0, 1), self.config.chunk_frames):
            chunk = (log_mel - mean) / deviation
            if chunk.shape[-1] < self.backbone.frames * self.config.patch_size:  # what lacks of the last patch
                chunk = F.pad(chunk, (0, -chunk.shape[-1] % self.config.patch_size))
            encoded = self.backbone(chunk)
            total, steps = total + encoded.sum(1), steps + encoded.shape[1]
        found = (total / steps).unflatten(0, channels.shape[:2])
        if self.config.channel_dropout:
            found = found.masked_fill(~audible_channels(channels)[..., None], -torch.inf)
            found = F.pad(found, (0, 0, 0, self.config.used_channels - channels.shape[1]), value=-torch.inf)
        return found.flatten(1)

    def forward(self, mixture: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` to ``logits [B, K, C + 1]``; class C is silence."""
        return self.classify(self.features(mixture))

    def classify(self, features: Tensor) -> Tensor:
        """Map the output of :meth:`features` to ``logits [B, K, C + 1]``.

        This is where training mixtures lose channels, so that cached features are those of all channels.
        """
        if not self.config.channel_dropout:
            return self.head(features)
        # Missing channels get the mean features, zeros after the normalisation: here, as these means are learned.
        means = cast("Tensor", self.head.m2d_out_norm.running_mean).to(features.dtype)
        features = torch.where(features.isneginf(), means, features)
        if not self.training:
            return self.head(features)
        kept = draw_channels(len(features), self.config, features.device)[:, : self.config.used_channels]
        return self.head(features, kept.repeat_interleave(features.shape[1] // kept.shape[1], 1))

    def set_trainable(self, layers: str) -> None:
        """Train only ``layers``: ``"head"``, ``"lastN"`` (head, last N blocks, final normalisation) or ``"all"``.

        Frozen layers stay in eval mode, whatever :meth:`train` is called with, and get no gradients.

        Raises:
            ConfigError: ``layers`` is none of these.
        """
        depth = len(self.backbone.blocks)
        last = re.fullmatch(r"last([1-9]\d*)", layers)
        if layers not in ("head", "all") and not (last and int(last[1]) <= depth):
            raise ConfigError(f"trainable layers {layers!r}; expected 'head', 'last1' to 'last{depth}' or 'all'.")
        self.requires_grad_(True)
        self.backbone.freeze({"head": depth + 2, "all": 0}[layers] if last is None else depth + 1 - int(last[1]))
