"""The vision transformer of Masked Modeling Duo: patches of a spectrogram in, a feature per patch out.

Dosovitskiy et al., "An image is worth 16x16 words", https://arxiv.org/abs/2010.11929; Niizumi et al., "Masked
Modeling Duo", https://arxiv.org/abs/2404.06095.  Module names are those of the published weights.
"""

from __future__ import annotations

import contextlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["VisionTransformer", "sinusoidal_positions"]


def sinusoidal_positions(bands: int, frames: int, width: int) -> Tensor:
    """Return the fixed position embedding ``[1, 1 + bands * frames, width]``: zeros for the class token, then the grid.

    Half of the width holds the position in time, half that in frequency, each by sines and cosines of wavelengths from
    2 pi to 10000 * 2 pi (He et al., "Masked autoencoders", https://arxiv.org/abs/2111.06377, appendix A).
    """
    if torch.empty(0).is_meta:  # only the shape is wanted; torch would import its compiler for the arithmetic
        return torch.empty(1, 1 + bands * frames, width)
    rates = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))

    def waves(count: int) -> Tensor:
        angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], 1)

    in_time = waves(frames)[None].expand(bands, -1, -1)
    in_frequency = waves(bands)[:, None].expand(-1, frames, -1)
    grid = torch.cat([in_time, in_frequency], 2).reshape(bands * frames, width)
    return torch.cat([torch.zeros(1, width), grid.float()])[None]


class Attention(nn.Module):
    """Multi-head self-attention by torch's fused kernel."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, N, width]`` to the same shape."""
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., width]`` to the same shape."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A transformer block, normalised before each half."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = FeedForward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, N, width]`` to the same shape."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    """Cuts a spectrogram into square patches and maps each to a vector."""

    def __init__(self, size: int, width: int):
        super().__init__()
        self.proj = nn.Conv2d(1, width, size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, mels, frames]`` to ``[B, bands, frames // size, width]``, bands = mels // size."""
        return self.proj(x[:, None]).permute(0, 2, 3, 1)


class VisionTransformer(nn.Module):
    """The backbone of M2D: ``1 + depth + 1`` layers (patch embedding, blocks, normalisation).

    The first ``frozen_layers`` of them run without recording gradients; see :meth:`freeze`.
    """

    pos_embed: Tensor
    norm_stats: Tensor

    def __init__(
        self, n_mels: int, chunk_frames: int, patch_size: int, width: int, depth: int, heads: int, mlp_ratio: float
    ):
        super().__init__()
        self.bands, self.frames, self.frozen_layers = n_mels // patch_size, chunk_frames // patch_size, 0
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("pos_embed", sinusoidal_positions(self.bands, self.frames, width))
        self.register_buffer("norm_stats", torch.zeros(2))
        self.patch_embed = PatchEmbedding(patch_size, width)
        self.blocks = nn.ModuleList([Block(width, heads, int(width * mlp_ratio)) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        nn.init.normal_(self.cls_token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.patch_embed.proj.weight.flatten(1))

    def freeze(self, frozen_layers: int) -> None:
        """Freeze the first ``frozen_layers``: no gradients, and eval mode whatever :meth:`train` is called with."""
        self.frozen_layers = frozen_layers
        for index, layer in enumerate([self.patch_embed, *self.blocks, self.norm]):
            layer.requires_grad_(index >= frozen_layers)
        self.cls_token.requires_grad_(frozen_layers == 0)
        self.train(self.training)

    def train(self, mode: bool = True) -> VisionTransformer:
        """Set training mode as :meth:`torch.nn.Module.train` does, but keep what is frozen in eval mode."""
        super().train(mode)
        for layer in [self.patch_embed, *self.blocks, self.norm][: self.frozen_layers]:
            layer.eval()
        return self

    def _embed(self, x: Tensor) -> Tensor:
        patches = self.patch_embed(x)
        positions = self.pos_embed[:, 1:].unflatten(1, (self.bands, self.frames))[:, :, : patches.shape[2]]
        token = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        return torch.cat([token, (patches + positions).flatten(1, 2)], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised log-mel energies ``[B, n_mels, frames]`` to features ``[B, frames // size, bands * width]``.

        A time step's features are its patches' from the lowest band to the highest, side by side.  At most
        ``chunk_frames`` frames; what is left beyond a multiple of ``patch_size`` is not seen.
        """
        for index, layer in enumerate([self._embed, *self.blocks, self.norm]):
            with torch.no_grad() if index < self.frozen_layers else contextlib.nullcontext():
                x = layer(x)
        return x[:, 1:].unflatten(1, (self.bands, -1)).transpose(1, 2).flatten(2)
