"""SDR as a training loss, under any aligner; the paper's CA-PI-SDR, CA-SDR and PI-SDR differ only in the aligner.

One pass over the waveforms computes the Gram matrix and from it all SDRs; the aligner picks among them.  The gradient
of a residual's energy, ``2 (e - s)``, is written out instead of recorded by autograd, so that only the inputs are kept
for the backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from s5lib.align import Aligner, resolve
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.metrics.checks import check_tensors
from s5lib.metrics.gram_torch import gram

__all__ = ["AlignedSDRLoss"]

_FLOOR = 1e-10  # of the target's energy, added to the residual's: SDR ends at 100 dB, and its gradient stays finite
_FLOOR_FLOAT32 = 1e-6  # where the device has no float64
_SILENT = 1e-20  # energy below which a target counts as silent; float32 gradients would overflow not far from there


class _ResidualEnergy(torch.autograd.Function):
    """``|s_k - e_order(k)|^2``, whose value is known already; gives it its gradient with respect to the prediction."""

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor, order: Tensor, energy: Tensor) -> Tensor:
        ctx.save_for_backward(prediction, target, order)
        return energy.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        prediction, target, order = ctx.saved_tensors
        inverse = order.argsort(-1)[..., None]  # the target of each prediction
        dtype = torch.promote_types(prediction.dtype, torch.float32)
        factor = (2 * grad)[..., None].gather(1, inverse).to(dtype)
        difference = target.gather(1, inverse.expand_as(target)).to(dtype).neg_().add_(prediction)
        return difference.mul_(factor).to(prediction.dtype), None, None, None


class AlignedSDRLoss(nn.Module):
    """Negative SDR in dB of the aligned slots, equations (3) and (4) of arXiv 2601.22504; smaller is better.

    ``loss(prediction [B, K, T], target [B, K, T], query [B, K, C])`` is a scalar, the mean over the batch.  Slots of
    equal rows in ``query`` have the same class; a row of zeros is a silent slot, which stays where it is and counts 0.

    Args:
        aligner: ``"ca_pi"`` (the paper's CA-PI-SDR), ``"ca"`` (CA-SDR), ``"pi"`` (PI-SDR), a plugin's name, or an
            :class:`~s5lib.interfaces.Aligner`.
        average: ``"active"``, over an item's active slots as in equation (3), 0 if it has none; or ``"slots"``, over
            all K, as the public DCASE 2026 baseline does.

    Finite for every finite input, and so is its gradient: a residual counts at least 1e-10 of the target's energy (an
    SDR of 100 dB, reached by a perfect prediction).  A target that is silent (energy up to 1e-20) although its slot
    has a label has no SDR: it counts as a silent slot.  Sums are taken in float64 from inputs of any float dtype, also
    under autocast; the result has the prediction's dtype, at least float32.  For K up to 4 nothing waits for a GPU.

    Raises:
        ConfigError: an option has an unknown value.
        DataError: (when called) the shapes disagree, or the target requires a gradient, which it does not get; on the
            CPU also where a value is NaN or infinite, which on a GPU makes the loss NaN.

    >>> target = torch.eye(2, 8)[None]
    >>> loss = AlignedSDRLoss("ca_pi")
    >>> swapped, same_class = 0.9 * target.flip(1), torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    >>> round(loss(swapped, target, same_class).item(), 3)
    -20.0
    """

    def __init__(self, aligner: str | Aligner = "ca_pi", average: str = "active"):
        super().__init__()
        if average not in ("active", "slots"):
            raise ConfigError(f"average is {average!r} for the SDR loss. {nearest(average, ['active', 'slots'])}")
        self.aligner = resolve(aligner)
        self.average = average

    def forward(self, prediction: Tensor, target: Tensor, query: Tensor) -> Tensor:
        """Return the loss in dB, a scalar."""
        return self.per_item(prediction, target, query)[0].mean()

    def per_item(self, prediction: Tensor, target: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each item ``[B]`` in dB, and ``[B, K]``: the index of each target's prediction."""
        _check(prediction, target, query)
        with torch.no_grad():
            labels = _labels(query)
            residual, energy = _residuals(target, prediction)
            counted = (labels >= 0) & ~_silent(energy)
            order = self.aligner.permute(_sdr(residual, energy[..., None]), labels)
            chosen = residual.gather(-1, order[..., None]).squeeze(-1)
        live: Tensor = _ResidualEnergy.apply(prediction, target, order, chosen)  # type: ignore[no-untyped-call]  # untyped in torch
        sdr = torch.where(counted, _sdr(live, energy), 0)
        count = counted.sum(-1).clamp(min=1) if self.average == "active" else prediction.shape[1]
        dtype = torch.promote_types(prediction.dtype, torch.float32)
        return (-sdr.sum(-1) / count).to(dtype), order


def _residuals(target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``|s_r - e_e|^2``, ``[B, K, K]``, and ``|s_r|^2``, ``[B, K]``."""
    products, count = gram(target, prediction), target.shape[1]
    energies = products.diagonal(dim1=-2, dim2=-1)
    energy = energies[:, :count]
    residual = energy[:, :, None] + energies[:, None, count:] - 2 * products[:, :count, count:]
    return residual.clamp(min=0), energy


def _sdr(residual: Tensor, energy: Tensor) -> Tensor:
    """Return the SDR in dB; 0 where the target is silent, and no gradient there."""
    floor = _FLOOR if residual.dtype == torch.float64 else _FLOOR_FLOAT32
    silent = _silent(energy)
    ratio = torch.where(silent, 1, residual) / torch.where(silent, 1, energy) + floor
    return torch.where(silent, 0, ratio.log() * (-10 / math.log(10)))


def _silent(energy: Tensor) -> Tensor:
    # NaN is not silence: it must reach the loss
    return energy <= _SILENT


def _labels(query: Tensor) -> Tensor:
    """Return ``[B, K]``: for each slot the first slot with the same row, -1 for a row of zeros."""
    same = (query[:, :, None] == query[:, None]).all(-1)
    return torch.where((query != 0).any(-1), same.int().argmax(-1), -1)


def _check(prediction: Tensor, target: Tensor, query: Tensor) -> None:
    if not torch.compiler.is_compiling():
        check_tensors(prediction=prediction, target=target, query=query)
    if prediction.ndim != 3 or prediction.shape != target.shape or prediction.numel() == 0:
        raise DataError(
            f"prediction has shape {list(prediction.shape)} and target {list(target.shape)}; both must be [B, K, T], "
            "and not empty."
        )
    if query.ndim != 3 or query.shape[:2] != target.shape[:2]:
        raise DataError(
            f"query has shape {list(query.shape)}; for targets of shape {list(target.shape)} it must be "
            f"[B, K, C] = [{target.shape[0]}, {target.shape[1]}, C]."
        )
    if target.requires_grad:
        raise DataError("target requires a gradient, which the SDR loss gives to the prediction alone; detach it.")
    if not (prediction.is_floating_point() and target.is_floating_point()):
        raise DataError(f"prediction is {prediction.dtype} and target {target.dtype}; both must be of a float dtype.")
