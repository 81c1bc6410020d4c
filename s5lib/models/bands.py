"""A spectrum split into bands that widen with frequency, each mapped to the same number of features, and back.

Luo and Yu, "Music source separation with band-split RNN", https://arxiv.org/abs/2209.15174, sections 3.1 and 3.3.
Bands of the same width share one batched matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BandMerge", "BandSplit", "band_groups", "cut", "join"]

_EDGES = 1000, 2000, 4000, 8000  # Hz


def band_groups(widths: Sequence[int], n_fft: int, sample_rate: int) -> list[tuple[int, int]]:
    """Return ``(number of bands, bins per band)`` from the lowest band on; the last one may reach beyond the last bin.

    Args:
        widths: five numbers of bins per band: below 1, 2, 4 and 8 kHz, and above.
        n_fft: length of the Fourier transform.
        sample_rate: in Hz.

    >>> band_groups((2, 4, 12, 24, 48), 2048, 32000)
    [(32, 2), (16, 4), (11, 12), (10, 24), (11, 48)]
    """
    bins = n_fft // 2 + 1
    groups, start = [], 0
    for width, edge in zip(widths, (*_EDGES, sample_rate), strict=True):
        stop = edge * n_fft / sample_rate
        count = math.ceil((bins - start) / width) if stop >= bins else max(0, round((stop - start) / width))
        if count > 0:
            groups.append((count, width))
            start += count * width
    return groups


def cut(x: Tensor, groups: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Cut ``[B, frames, bins, features]`` into ``[B, frames, bands, bins per band, features]`` for each group."""
    sizes = [count * bins for count, bins in groups]
    parts = F.pad(x, (0, 0, 0, sum(sizes) - x.shape[2])).split(sizes, 2)
    return [part.unflatten(2, group) for part, group in zip(parts, groups, strict=True)]


def join(parts: Sequence[Tensor], bins: int) -> Tensor:
    """Undo :func:`cut` for a spectrum of so many ``bins``."""
    return torch.cat([part.flatten(2, 3) for part in parts], 2)[:, :, :bins]


class _PerBand(nn.Module):
    """A linear layer for each of ``bands``."""

    def __init__(self, bands: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(bands, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(bands, outputs))
        nn.init.uniform_(self.weight, -(inputs**-0.5), inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, frames, bands, inputs]`` to ``[B, frames, bands, outputs]``."""
        columns = x.permute(2, 0, 1, 3).flatten(1, 2)
        outputs = torch.baddbmm(self.bias[:, None], columns, self.weight)
        return outputs.unflatten(1, x.shape[:2]).permute(1, 2, 0, 3)


class BandSplit(nn.Module):
    """From the features of each bin to those of each band."""

    def __init__(self, groups: Sequence[tuple[int, int]], features: int, width: int):
        super().__init__()
        self.groups = list(groups)
        self.layers = nn.ModuleList(_PerBand(count, bins * features, width) for count, bins in groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, frames, bins, features]`` to ``[B, frames, bands, width]``."""
        parts = zip(self.layers, cut(x, self.groups), strict=True)
        return torch.cat([layer(part.flatten(3)) for layer, part in parts], 2)


class BandMerge(nn.Module):
    """From the features of each band to gated outputs for each bin, which are near ``start`` at first."""

    def __init__(self, groups: Sequence[tuple[int, int]], width: int, start: Sequence[float]):
        super().__init__()
        self.groups, self.outputs = list(groups), len(start)
        layers = [_PerBand(count, width, 2 * bins * self.outputs) for count, bins in groups]
        with torch.no_grad():
            for layer, (count, bins) in zip(layers, groups, strict=True):
                layer.weight.mul_(0.1)
                layer.bias.view(count, 2, bins, -1)[:, 0] = 2 * torch.tensor(start)  # of which the gate halves all
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map ``[B, frames, bands, width]`` to ``[B, frames, bands, bins per band, outputs]`` for each group."""
        parts = zip(self.layers, x.split([count for count, _ in self.groups], 2), strict=True)
        return [F.glu(layer(part), -1).unflatten(-1, (-1, self.outputs)) for layer, part in parts]
