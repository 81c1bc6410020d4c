"""Complex filters per source and channel, bounded, applied to the mixture's spectrum and summed over its channels.

With a network output ``(a, b)`` for each bin, the filter is ``tanh(a) + i tanh(b)``.  With M channels, the sum can
cancel M - 1 directions.  The gradient is written out, so that only the filters are kept for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["apply_filters"]


def apply_filters(outputs: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part ``[N, K, P]`` of the sources' bins.

    Args:
        outputs: of the network, ``[N, 2, K, M, P]``, the two as ``(a, b)`` above.
        x, y: real and imaginary part of the mixture's bins, ``[N, 1, M, P]``; no gradient reaches them.
    """
    if torch.compiler.is_compiling():
        return _filter(outputs.tanh(), x, y)  # a compiler fuses it by itself
    return _Filtering.apply(outputs, x, y)


def _filter(filters: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    real, imaginary = filters.unbind(1)
    return (x * real).addcmul_(y, imaginary, value=-1).sum(2), (y * real).addcmul_(x, imaginary).sum(2)


class _Filtering(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        filters = outputs.tanh()
        ctx.save_for_backward(filters, x, y)
        return _filter(filters, x, y)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, by_real: Tensor, by_imaginary: Tensor) -> tuple[Tensor, None, None]:
        filters, x, y = ctx.saved_tensors
        g, h = by_real[:, :, None], by_imaginary[:, :, None]
        gradient = torch.empty_like(filters)
        torch.mul(g, x, out=gradient[:, 0]).addcmul_(h, y)
        torch.mul(h, x, out=gradient[:, 1]).addcmul_(g, y, value=-1)
        return torch.ops.aten.tanh_backward(gradient, filters), None, None
