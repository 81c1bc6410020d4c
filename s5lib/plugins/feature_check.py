"""Holds a tagger to the contract of its ``features`` and ``classify``, by which features can be computed once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["has_features", "nearly_equal"]


def has_features(model: nn.Module | type) -> bool:
    """Return whether a tagger offers ``features(mixture)`` and ``classify(features)``."""
    return callable(getattr(model, "features", None)) and callable(getattr(model, "classify", None))


def nearly_equal(one: Tensor, other: Tensor, tolerance: float = 1e-4) -> bool:
    """Return whether shapes are equal, and values to ``tolerance`` of the largest finite one.

    >>> nearly_equal(torch.tensor([-torch.inf, 2.0]), torch.tensor([-torch.inf, 2.0001]))
    True
    """
    if one.shape != other.shape:
        return False
    largest = other.nan_to_num(0.0, 0.0, 0.0).abs().amax().item()
    return torch.allclose(one, other, rtol=0.0, atol=tolerance * largest)
