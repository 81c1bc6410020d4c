"""The taggers' head: one softmax output per slot (section 3.1 of the paper)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["TrackHead"]


class TrackHead(nn.Module):
    """Class logits per slot ("track") from the features of a whole recording."""

    def __init__(
        self, features: int, num_sources: int, num_outputs: int, head_dim: int, track_dim: int, dropout: float
    ):
        super().__init__()
        self.m2d_out_norm = nn.BatchNorm1d(features, affine=False)
        self.linear = nn.Sequential(
            nn.Linear(features, num_sources * head_dim), nn.LayerNorm(num_sources * head_dim), nn.ReLU()
        )
        self.tracks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(head_dim, track_dim), nn.LayerNorm(track_dim), nn.ReLU(), nn.Linear(track_dim, num_outputs)
            )
            for _ in range(num_sources)
        )
        self.dropout = dropout

    def forward(self, features: Tensor, kept: Tensor | None = None) -> Tensor:
        """Map ``[B, features]`` to logits ``[B, num_sources, num_outputs]``; where ``kept`` is 0, features are missing.

        Missing features are zeros after the normalisation.
        """
        norm = self.m2d_out_norm
        if (
            self.training and len(features) == 1
        ):  # one example has no variance; the last batch of an epoch must not fail
            x = F.batch_norm(features, norm.running_mean, norm.running_var, eps=norm.eps)
        else:
            x = norm(features)
        if kept is not None:
            x = x * kept
        x = self.linear(F.dropout(x, self.dropout, self.training))
        x = F.dropout(x, self.dropout, self.training).unflatten(-1, (len(self.tracks), -1))
        return torch.stack([track(x[:, slot]) for slot, track in enumerate(self.tracks)], 1)
