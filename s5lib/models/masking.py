"""Complex masks: a magnitude mask and a phase rotation per source and channel, applied and summed over the channels.

With a network output ``(a, b, c)`` for each bin, the mixture's bin is multiplied by ``sigmoid(a)`` and turned by the
angle of ``tanh(b) + i tanh(c)`` (Kong et al., "Decoupling magnitude and phase estimation with deep ResUNet for music
source separation", https://arxiv.org/abs/2109.05418, section 3).

The gradient is written out, from the network's output alone; automatic differentiation would keep ten tensors of that
size, a good part of a training step's time and memory.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["apply_masks"]

_LEAST_SQUARE = 1e-20  # of the length of a rotation's vector; nothing comes through where there is no direction


def apply_masks(outputs: Tensor, spectrum: Tensor, weight: Tensor) -> Tensor:
    """Return the sources' spectra ``[B, K, frames, bins, 2]``.

    Args:
        outputs: of the network, ``[B, K, M, 3, frames, bins]``, the three as ``(a, b, c)`` above.
        spectrum: of the mixture, ``[B, M, frames, bins, 2]``, real and imaginary part.
        weight: of the channels, ``[M]``.
    """
    x, y = (part[:, None].contiguous() for part in spectrum.unbind(-1))
    arguments = outputs, x, y, weight[:, None, None]
    if torch.compiler.is_compiling() or spectrum.requires_grad:
        return _mask(*arguments)  # a compiler fuses it by itself
    return _Masking.apply(*arguments)


def _mask(outputs: Tensor, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    mask, real, imaginary = outputs.unbind(3)
    real, imaginary = real.tanh(), imaginary.tanh()
    gain = mask.sigmoid() * _inverse_length(real, imaginary) * weight
    real, imaginary = real * gain, imaginary * gain
    return torch.stack([(x * real - y * imaginary).sum(2), (x * imaginary + y * real).sum(2)], -1)


def _inverse_length(real: Tensor, imaginary: Tensor) -> Tensor:
    return torch.addcmul(real * real, imaginary, imaginary).clamp(min=_LEAST_SQUARE).rsqrt()


class _Masking(torch.autograd.Function):
    @staticmethod
    def forward(ctx, outputs, x, y, weight):
        ctx.save_for_backward(outputs, x, y, weight)
        return _mask(outputs, x, y, weight)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        outputs, x, y, weight = ctx.saved_tensors
        mask, real, imaginary = outputs.unbind(3)
        real, imaginary, magnitude = real.tanh(), imaginary.tanh(), mask.sigmoid()
        inverse = _inverse_length(real, imaginary)
        cosine, sine = real * inverse, imaginary * inverse
        # The turned mixture, and the gradient along it and across it: the mask changes the length, the phase the rest.
        turned_x, turned_y = x * cosine - y * sine, x * sine + y * cosine
        g, h = (part[:, :, None].contiguous() for part in gradient.unbind(-1))
        along = (g * turned_x).addcmul_(h, turned_y).mul_(magnitude)
        across = (h * turned_x).addcmul_(g, turned_y, value=-1).mul_(magnitude).mul_(inverse).mul_(weight)
        result = torch.empty_like(outputs)
        by_mask, by_real, by_imaginary = result.unbind(3)
        torch.mul(along, 1 - magnitude, out=by_mask).mul_(weight)
        torch.mul(sine.neg_(), across, out=by_real).addcmul_(by_real.clone(), real.square_(), value=-1)
        torch.mul(cosine, across, out=by_imaginary).addcmul_(by_imaginary.clone(), imaginary.square_(), value=-1)
        return result, None, None, along.sum((0, 1, 3, 4))[:, None, None]
