"""3x3 convolutions on the CPU with a quarter of the multiplications: Winograd's minimal filtering.

Lavin and Gray, "Fast algorithms for convolutional neural networks", https://arxiv.org/abs/1509.09308: 4x4 outputs come
from 6x6 inputs, which are transformed, multiplied point by point with the transformed kernel (over the channels, that
is 36 matrix products), and transformed back.  Rows of tiles are done in blocks that stay in the processor's cache; what
would be passes over memory of their own, a bias, a rectifier, a sum, happens there too.

Values differ from those of a direct convolution by about 4e-6 of their size.  Not for few channels, where transforms
cost more than products; not for low precision, because the transforms cancel; not for gradients, which nothing here
records; and not for many processors, on which nobody has measured it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["convolve_3x3", "direct_only", "is_supported"]

_LEAST_CHANNELS = 128
_MOST_THREADS = 4
_TILES = 128  # of a block, per thread
_AROUND = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
).double()
_KERNEL = torch.tensor([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]).double() / 24
_INSIDE = torch.tensor([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]).double()
# For both directions at once: [36, 36], [36, 9] and [16, 36].
_FROM_INPUT, _FROM_KERNEL, _TO_OUTPUT = (torch.kron(one, one).float() for one in (_AROUND, _KERNEL, _INSIDE))

_allowed = True


@contextlib.contextmanager
def direct_only() -> Iterator[None]:
    """Let convolutions be direct inside, so that their operations can be counted as the layers have them."""
    global _allowed
    before, _allowed = _allowed, False
    try:
        yield
    finally:
        _allowed = before


def is_supported(x: Tensor, weight: Tensor) -> bool:
    """Return whether :func:`convolve_3x3` is exact enough and faster than a direct convolution for these."""
    return (
        _allowed
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and min(weight.shape[:2]) >= _LEAST_CHANNELS
        and torch.get_num_threads() <= _MOST_THREADS
    )


def convolve_3x3(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, slope: float = 1.0, onto: Tensor | None = None
) -> Tensor:
    """Convolve ``x [B, inputs, H, W]`` with ``weight [outputs, inputs, 3, 3]``, zeros around it.

    Args:
        x: float32, best with the channels last in memory, as the result has them.
        weight: float32.
        bias: ``[B, outputs]``, added to each recording's result.
        slope: of a leaky rectifier after that.
        onto: ``[B, outputs, H, W]`` with the channels last in memory, to which the result is added in place.

    Returns:
        ``[B, outputs, H, W]``; ``onto``, if given.
    """
    batch, inputs, height, width = x.shape
    kernel = (_FROM_KERNEL @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(36, inputs, len(weight))
    result = onto
    if result is None:
        result = x.new_empty(batch, len(weight), height, width).contiguous(memory_format=torch.channels_last)
    source, target = x.permute(0, 2, 3, 1), result.permute(0, 2, 3, 1)
    rows = 4 * max(1, _TILES * torch.get_num_threads() // -(-width // 4))
    for item in range(batch):
        for top in range(0, height, rows):
            found = _block(source[item], kernel, top, min(top + rows, height))
            if bias is not None:
                found += bias[item]
            if slope != 1.0:
                F.leaky_relu_(found, slope)
            _put(target[item, top : top + rows], found.permute(2, 0, 3, 1, 4), is_sum=onto is not None)
    return result


def _block(source: Tensor, kernel: Tensor, top: int, bottom: int) -> Tensor:
    """Return rows ``top`` to ``bottom`` of the result in whole tiles, ``[4, 4, tiles down, tiles across, outputs]``."""
    height, width, inputs = source.shape
    down, across = -(-(bottom - top) // 4), -(-width // 4)
    around = source.new_zeros(4 * down + 2, 4 * across + 2, inputs)
    first, last = max(0, top - 1), min(bottom + 1, height)
    around[first - top + 1 : last - top + 1, 1 : width + 1] = source[first:last]
    line, column, _ = around.stride()
    tiles = around.as_strided((6, 6, down, across, inputs), (line, column, 4 * line, 4 * column, 1)).reshape(36, -1)
    products = torch.bmm((_FROM_INPUT @ tiles).view(36, -1, inputs), kernel)
    return (_TO_OUTPUT @ products.flatten(1)).view(4, 4, down, across, -1)


def _put(part: Tensor, tiles: Tensor, is_sum: bool) -> None:
    """Write or add ``tiles [down, 4, across, 4, outputs]`` to ``part [H, W, outputs]``, which may be smaller."""
    down, _, across, _, _ = tiles.shape
    if part.shape[:2] == (4 * down, 4 * across):
        part = part.unflatten(1, (across, 4)).unflatten(0, (down, 4))
    else:
        tiles = tiles.flatten(2, 3).flatten(0, 1)[: len(part), : part.shape[1]]
    if is_sum:
        part.add_(tiles)
    else:
        part.copy_(tiles)
