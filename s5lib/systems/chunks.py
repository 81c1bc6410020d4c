"""Long recordings in overlapping chunks: as good as in one piece, in memory that does not grow with the length.

Chunks begin where the separator's own grid allows, so that what is far from a chunk's ends is what the whole recording
would have given; over the overlap, one chunk fades into the next by weights that add up to 1.  Which of two sources of
one class comes first is open in every chunk, so the slots of each are matched with those before by what they have in
common in the overlap.  Not for recordings that fit in memory whole: these need no chunks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from s5lib.align import ClassAwarePermutationInvariant
from s5lib.errors import ConfigError
from s5lib.interfaces import Separator

__all__ = ["separate_chunks", "separate_long"]


def separate_long(
    separator: Separator,
    mixture: Tensor | np.ndarray,
    query: Tensor,
    chunk_seconds: float = 10.0,
    overlap_seconds: float = 2.0,
) -> Tensor:
    """Separate a recording of any length.

    Args:
        separator: in eval mode; it gets chunks on its own device.
        mixture: ``[B, M, T]``, a tensor or an array, which may be mapped from a file.
        query: ``[B, K, C]``, for the whole recording.
        chunk_seconds: what the separator sees at once.
        overlap_seconds: what neighbouring chunks share; at most half a chunk.

    Returns:
        ``[B, K, T]`` float32 on the host.

    Raises:
        ConfigError: the lengths do not fit together.
        DataError: the separator refuses the mixture or the query.
    """
    waveforms = torch.empty(mixture.shape[0], query.shape[1], mixture.shape[-1])
    start = 0
    for block in separate_chunks(separator, mixture, query, chunk_seconds, overlap_seconds):
        waveforms[..., start : start + block.shape[-1]] = block
        start += block.shape[-1]
    return waveforms


@torch.no_grad()
def separate_chunks(
    separator: Separator,
    mixture: Tensor | np.ndarray,
    query: Tensor,
    chunk_seconds: float = 10.0,
    overlap_seconds: float = 2.0,
) -> Iterator[Tensor]:
    """Yield the result of :func:`separate_long` block by block ``[B, K, n]``, as they become final."""
    grid = getattr(separator, "time_grid", 1)
    chunk, overlap = _lengths(separator, grid, chunk_seconds, overlap_seconds)
    total = mixture.shape[-1]
    parameter = next(separator.parameters(), torch.empty(0))
    query = query.to(parameter.device)
    labels = torch.where((query != 0).any(-1), query.argmax(-1), -1)
    fade = _fade_in(overlap).to(parameter.device)
    tail = None
    for start in _starts(total, chunk, overlap):
        # The last chunk reaches back as far as it takes to be as long as the others.
        earlier = min(start, max(0, start + chunk - total) // grid * grid)
        part = torch.as_tensor(mixture[..., start - earlier : start + chunk]).to(parameter.device)
        waveforms = separator(part, query)[..., earlier:].float()
        if tail is not None:
            waveforms = _match(tail, waveforms, labels)
            waveforms[..., :overlap] = torch.lerp(tail, waveforms[..., :overlap], fade)
        is_last = start + chunk >= total
        final = waveforms.shape[-1] - (0 if is_last else overlap)
        tail = waveforms[..., final:]
        yield waveforms[..., :final].cpu()


def _lengths(separator: Separator, grid: int, chunk_seconds: float, overlap_seconds: float) -> tuple[int, int]:
    """Return the lengths of chunk and overlap in samples, both multiples of the separator's grid."""
    if not 0 < overlap_seconds <= chunk_seconds / 2:
        raise ConfigError(
            f"chunks of {chunk_seconds:g} s cannot overlap by {overlap_seconds:g} s; expected more than 0 and at most "
            f"half of a chunk ({chunk_seconds / 2:g} s)."
        )
    rate = separator.config.sample_rate
    overlap = grid * math.ceil(overlap_seconds * rate / grid)
    return max(grid * math.ceil(chunk_seconds * rate / grid), 2 * overlap), overlap


def _starts(total: int, chunk: int, overlap: int) -> Iterator[int]:
    """Yield where chunks begin; from the last of them on, more than the overlap is left."""
    start = 0
    while True:
        yield start
        if start + chunk >= total:
            return
        start += chunk - overlap


def _fade_in(length: int) -> Tensor:
    """Return the weights of the later chunk over the overlap: half a period of a raised cosine."""
    return 0.5 - 0.5 * torch.cos(torch.pi * (torch.arange(length) + 0.5) / length)


def _match(tail: Tensor, waveforms: Tensor, labels: Tensor) -> Tensor:
    """Reorder slots of the same class so that ``waveforms`` continue ``tail`` with the smallest squared error.

    The error is least where the correlation is largest; an error also tells which slot goes on being silent.
    """
    head = waveforms[..., : tail.shape[-1]]
    product = tail @ head.transpose(1, 2)
    error = tail.square().sum(-1)[:, :, None] + head.square().sum(-1)[:, None] - 2 * product
    order = ClassAwarePermutationInvariant().permute(-error, labels)
    return waveforms.gather(1, order[..., None].expand_as(waveforms))
