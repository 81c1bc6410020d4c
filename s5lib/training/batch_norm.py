"""Batch normalisation over the mixtures of a whole step, on any number of processes.

If each process normalised over its own mixtures, a step would have other gradients on two devices than on one.  Here
sums are added up over the processes, in the forward pass and (as they depend on all mixtures) in the backward pass, as
in Ioffe and Szegedy, https://arxiv.org/abs/1502.03167, with the step as the batch.  torch.nn.SyncBatchNorm does the
same, but only on GPUs and not for layers that extend batch normalisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["normalise_over_processes"]


def _summed(*vectors: Tensor) -> Tensor:
    """Return the sums over the processes, one row for each vector."""
    table = torch.stack(vectors)
    torch.distributed.all_reduce(table)
    return table


def _sum(x: Tensor) -> Tensor:
    """Return the sums of ``x [B, channels, ...]``, one for each channel."""
    return x.sum([d for d in range(x.ndim) if d != 1])


def _exact(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _wide(vector: Tensor, x: Tensor) -> Tensor:
    return vector.view(1, -1, *[1] * (x.ndim - 2))


class _Normalise(torch.autograd.Function):
    """``(x - mean) / sqrt(variance + eps)`` by the statistics of all processes; gives these and the count, too."""

    @staticmethod
    def forward(ctx, x: Tensor, eps: float):
        values = _exact(x)
        total = _sum(values)
        total, count = _summed(total, torch.full_like(total, x.numel() / x.shape[1]))
        mean = total / count
        variance = _summed(_sum((values - _wide(mean, x)).square()))[0] / count
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, mean, scale, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return ((values - _wide(mean, x)) * _wide(scale, x)).to(x.dtype), mean, variance, count

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor, *_):
        x, mean, scale, count = ctx.saved_tensors
        normalised, grad_values = (_exact(x) - _wide(mean, x)) * _wide(scale, x), _exact(grad)
        # What each value does to the mean and to the variance, and by them to all others.
        by_mean, by_scale = _summed(_sum(grad_values), _sum(grad_values * normalised)) / count
        result = grad_values - _wide(by_mean, x) - normalised * _wide(by_scale, x)
        return (result * _wide(scale, x)).to(x.dtype), None


if TYPE_CHECKING:
    _Base = _BatchNorm
else:
    _Base = object  # the layer's own class brings it


class _OverProcesses(_Base):
    """Stands between a layer's class and the batch normalisation that it extends."""

    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.track_running_stats):
            return super().forward(x)
        result, mean, variance, count = _Normalise.apply(x, self.eps)
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1).clamp(min=1)), momentum)
        if self.affine:
            result = result * _wide(self.weight, x) + _wide(self.bias, x)
        return result.to(x.dtype)


class _OverProcesses1d(_OverProcesses, nn.BatchNorm1d):
    pass


class _OverProcesses2d(_OverProcesses, nn.BatchNorm2d):
    pass


class _OverProcesses3d(_OverProcesses, nn.BatchNorm3d):
    pass


_BY_DIMENSIONS = {nn.BatchNorm1d: _OverProcesses1d, nn.BatchNorm2d: _OverProcesses2d, nn.BatchNorm3d: _OverProcesses3d}


def normalise_over_processes(model: nn.Module) -> None:
    """Let the batch normalisations of ``model``, and what extends them, use the statistics of all processes.

    Names and values of parameters and buffers stay.  All processes have to run every layer as often as the others.
    """
    for layer in model.modules():
        if not isinstance(layer, _BatchNorm) or isinstance(layer, _OverProcesses):
            continue
        for plain, over_processes in _BY_DIMENSIONS.items():
            if type(layer) is plain:
                layer.__class__ = over_processes
            elif isinstance(layer, plain):
                # Between the layer's own class and BatchNorm in the order of inheritance: its super().forward is ours.
                own = type(layer)
                layer.__class__ = type(own.__name__, (own, over_processes), {"__module__": own.__module__})
