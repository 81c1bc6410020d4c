"""Assignment for a batch of tensors, on their device: static shapes, and no value is copied to the host.

Scores are checked to be finite where that is free, on the CPU outside ``torch.compile``.  On a GPU, a NaN score gives
some allowed permutation, and the caller's loss, gathered from the same values, is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from s5lib.align.search import LARGEST_EXHAUSTIVE
from s5lib.errors import DataError

__all__ = ["best_permutation", "check_batch", "on_host", "random_keys", "same_class", "sorted_permutation"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_TABLES = [torch.tensor(list(permutations(range(size))), dtype=torch.long) for size in range(LARGEST_EXHAUSTIVE + 1)]


def check_batch(score: Tensor, labels: Tensor) -> None:
    """Refuse what is not ``score [B, K, K]`` with integer ``labels [B, K]``, or not finite.

    Raises:
        DataError: one of these, with the shape or the place.
    """
    if score.ndim != 3 or score.shape[1] != score.shape[2] or labels.shape != score.shape[:2]:
        raise DataError(
            f"score has shape {list(score.shape)} and labels {list(labels.shape)}; [B, K, K] and [B, K] are expected."
        )
    if labels.is_floating_point() or labels.is_complex():
        raise DataError(f"labels are {labels.dtype}; whole numbers are expected (negative: a silent slot).")
    if score.device.type != "cpu" or torch.compiler.is_compiling():
        return
    if not torch.isfinite(score).all():
        b, r, e = torch.nonzero(~torch.isfinite(score))[0].tolist()
        raise DataError(
            f"score[{b}, {r}, {e}] (item {b}, reference {r}, estimate {e}) is {score[b, r, e].item()}; scores must be "
            "finite. NaN in training means that the model's output is NaN."
        )


def same_class(labels: Tensor) -> Tensor:
    """Return ``[B, K, K]``: whether two slots have one class; a silent slot only matches itself.

    >>> same_class(torch.tensor([[4, 4, -1]])).int().tolist()
    [[[1, 1, 0], [1, 1, 0], [0, 0, 1]]]
    """
    itself = torch.eye(labels.shape[-1], dtype=torch.bool, device=labels.device)
    return (labels[:, :, None] == labels[:, None, :]) & (labels >= 0)[:, :, None] | itself


def best_permutation(score: Tensor, allowed: Tensor) -> Tensor:
    """Return for every reference its estimate, ``[B, K]`` long, comparing all K! permutations; K up to 4.

    Args:
        score: ``[B, K, K]``, reference by estimate; the largest sum wins, the lexicographically first of equal ones.
        allowed: ``[B, K, K]`` bool; only permutations of allowed pairs are considered (the identity must be one).
    """
    size = score.shape[-1]
    table = _TABLES[size].to(score.device, non_blocking=True)
    slots = torch.arange(size, device=score.device)
    score = score.to(torch.promote_types(score.dtype, torch.float32))  # half precision would make ties of near sums
    total = score[:, slots, table].sum(-1)
    total = total.masked_fill(~allowed[:, slots, table].all(-1), -torch.inf)
    return table[total.argmax(-1)]


def on_host(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return ``function`` for use under ``torch.compile``: it runs uncompiled, between two graphs."""
    uncompiled: Callable[Parameters, Result] = torch.compiler.disable(function)
    return uncompiled


@on_host
def random_keys(generator: np.random.Generator, like: Tensor) -> Tensor:
    """Return uniform float64 numbers in [0, 1) of the shape and on the device of ``like``, drawn on the host."""
    return torch.from_numpy(generator.random(tuple(like.shape))).to(like.device, non_blocking=True)


def sorted_permutation(labels: Tensor, keys: Tensor) -> Tensor:
    """Return ``[B, K]``: the i-th reference of a class gets its estimate with the i-th smallest key.

    Two sorts, for any K: the slots ordered by class, and the slots ordered by class and key, go together.
    """
    ordered = labels.argsort(dim=-1, stable=True)
    shuffled = keys.argsort(dim=-1, stable=True)
    shuffled = shuffled.gather(-1, labels.gather(-1, shuffled).argsort(dim=-1, stable=True))
    return torch.empty_like(ordered).scatter(-1, ordered, shuffled)
