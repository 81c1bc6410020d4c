"""TF-Locoformer blocks: attention over all bands or frames and convolution over near ones, along frequency, then time.

Saijo et al., "TF-Locoformer: transformer with local modeling by convolution for speech separation and enhancement",
https://arxiv.org/abs/2408.03440, section 2; rotary positions: Su et al., https://arxiv.org/abs/2104.09864.

All maps are ``[B, frames, bands, C]`` with the features last in memory.  Matrix products and normalisations want them
there, and so do convolutions, for which this is the memory format "channels last": no path copies its input for them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BANDS", "FRAMES", "Attention", "ConvSwiGLU", "Path", "RMSGroupNorm", "TFBlock", "rotary_table", "rotate"]

FRAMES, BANDS = 1, 2  # the dimensions of a map along which a path goes

_EPSILON = 1e-5


class RMSGroupNorm(nn.Module):
    """Divides each group of a bin's features by its root mean square."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., width]`` to its shape."""
        grouped = x.unflatten(-1, (self.groups, -1))
        inverse = (grouped.square().mean(-1, keepdim=True) + _EPSILON).rsqrt()  # torch's own is slow for short rows
        return (grouped * inverse).flatten(-2) * self.weight


class ConvSwiGLU(nn.Module):
    """A feed-forward network that sees neighbours: convolution, gate, and a transposed convolution back.

    The convolution widens the map by ``kernel_size - 1`` positions, which the transposed one takes off again: each
    position sees as many on either side.
    """

    def __init__(self, width: int, hidden: int, kernel_size: int, along: int):
        super().__init__()
        kernel = (kernel_size, 1) if along == FRAMES else (1, kernel_size)
        padding = (kernel[0] - 1, kernel[1] - 1)
        self.widen = nn.Conv2d(width, 2 * hidden, kernel, padding=padding)
        self.narrow = nn.ConvTranspose2d(hidden, width, kernel, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, frames, bands, width]`` to its shape."""
        value, gate = self.widen(x.permute(0, 3, 1, 2)).chunk(2, 1)
        return self.narrow(value * F.silu(gate)).permute(0, 2, 3, 1)


def rotary_table(length: int, size: int, like: Tensor) -> Tensor:
    """Return ``[2, length, size / 2]``: cosine and sine of the angles by which :func:`rotate` turns each position."""
    frequency = 10000.0 ** (-torch.arange(0, size, 2, device=like.device) / size)
    angle = torch.arange(length, device=like.device)[:, None] * frequency
    return torch.stack([angle.cos(), angle.sin()])


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn each pair of features ``(i, i + size / 2)`` of ``[..., length, heads, size]`` by its position's angle."""
    (cosine, sine), (first, second) = table[:, :, None], x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1).to(x.dtype)


class Attention(nn.Module):
    """Self-attention with rotary positions, of each frame over its bands or of each band over its frames."""

    def __init__(self, width: int, size: int, heads: int, along: int):
        super().__init__()
        self.heads, self.along = heads, along
        self.qkv = nn.Linear(width, 3 * size, bias=False)
        self.output = nn.Linear(size, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, frames, bands, width]`` to its shape."""
        if self.along == FRAMES:
            return self._attend(x.transpose(1, 2)).transpose(1, 2)
        return self._attend(x)

    def _attend(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).flatten(0, 1).unflatten(-1, (3, self.heads, -1))
        length, size = qkv.shape[1], qkv.shape[-1]
        turned = rotate(qkv[:, :, :2].flatten(2, 3), rotary_table(length, size, x)).unflatten(2, (2, -1))
        query, key, value = (part.transpose(1, 2) for part in (*turned.unbind(2), qkv[:, :, 2]))
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.output(attended.transpose(1, 2).flatten(2).unflatten(0, x.shape[:2]))


class Path(nn.Module):
    """Convolutional network, attention and convolutional network in one direction; each normalised first and added."""

    def __init__(self, width: int, attention: int, heads: int, hidden: int, kernel_size: int, groups: int, along: int):
        super().__init__()
        self.steps = nn.ModuleList(
            nn.Sequential(RMSGroupNorm(width, groups), layer)
            for layer in (
                ConvSwiGLU(width, hidden, kernel_size, along),
                Attention(width, attention, heads, along),
                ConvSwiGLU(width, hidden, kernel_size, along),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, frames, bands, width]`` to its shape."""
        for step in self.steps:
            x = x + step(x)
        return x


class TFBlock(nn.Sequential):
    """A path along the bands and a path along the frames."""

    def __init__(self, width: int, attention: int, heads: int, hidden: int, kernel_size: int, groups: int = 4):
        super().__init__(
            *(Path(width, attention, heads, hidden, kernel_size, groups, along) for along in (BANDS, FRAMES))
        )
