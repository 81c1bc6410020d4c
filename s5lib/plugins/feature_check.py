"""Holds a tagger to the contract of its ``features`` and ``classify``, by which features can be computed once."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from s5lib.errors import PluginError
from s5lib.plugins.shape_check import problem_of, shape_of

__all__ = ["check_features", "has_features", "in_mode", "nearly_equal", "require_one_shape"]

_ADVICE = "Change this, or rename either method: a tagger that lacks one trains without a cache."


def has_features(model: nn.Module | type) -> bool:
    """Return whether a tagger offers ``features(mixture)`` and ``classify(features)``."""
    return callable(getattr(model, "features", None)) and callable(getattr(model, "classify", None))


@contextlib.contextmanager
def in_mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Set a model to training or evaluation for a ``with`` block; afterwards it is as it was."""
    mode = model.training
    model.train(training)
    try:
        yield
    finally:
        model.train(mode)


def check_features(model: Any, mixture: Tensor, owner: str) -> None:
    """Check that stored features serve as well as the mixture: ``classify(features(mixture))`` is ``forward(mixture)``.

    Args:
        model: a tagger with both methods; its mode is left as it was.
        mixture: ``[B, M, T]``; the first item and variations of it are used.
        owner: the tagger, for the message.

    Raises:
        PluginError: a method takes other arguments, features are no tensor of real floating-point numbers with a row of
            one shape for each mixture, or the logits differ.
    """
    for name, argument in (("features", "mixture"), ("classify", "features")):
        try:
            inspect.signature(getattr(model, name)).bind(None)
        except TypeError:
            found = f"{name}{inspect.signature(getattr(model, name))}"
            raise PluginError(f"{owner} has a method {found}, expected {name}({argument}). {_ADVICE}") from None
    first = mixture[:1]
    faded = first.clone()
    faded[..., first.shape[-1] // 2 :] = 0
    several = torch.cat([first, faded, first.flip(-1)])
    with in_mode(model, training=False), torch.no_grad():
        features = _features(model, several, owner)
        for item in (first, faded):  # alone, where silence may have been cut off
            require_one_shape(_features(model, item, owner), features, owner)
        found, wanted = model.classify(features.float()), model(several)
    problem = problem_of(found, several)
    if problem or not nearly_equal(found, wanted, 1e-3):
        other = problem or ("other values" if found.shape == wanted.shape else str(shape_of(found)))
        raise PluginError(
            f"{owner}: classify(features(mixture)) returned {other}, expected the logits of forward(mixture) in eval "
            f"mode, {shape_of(wanted)}. {_ADVICE}"
        )


def _features(model: Any, mixture: Tensor, owner: str) -> Tensor:
    found = model.features(mixture.clone())  # which it may change
    problem = problem_of(found, mixture)
    if not problem and shape_of(found)[:1] != (len(mixture),):
        problem = f"{shape_of(found)} for a mixture {tuple(mixture.shape)}"
    if problem:
        raise PluginError(
            f"{owner}: features(mixture) returned {problem}, expected a tensor [B, ...] of real floating-point "
            f"numbers. {_ADVICE}"
        )
    return found


def require_one_shape(one: Tensor, other: Tensor, owner: str) -> None:
    """Raise :class:`~s5lib.errors.PluginError` where the rows of two batches of features have different shapes."""
    if one.shape[1:] != other.shape[1:]:
        raise PluginError(
            f"{owner}: features(mixture) returned rows of shape {tuple(one.shape[1:])} and {tuple(other.shape[1:])} "
            f"for mixtures of one length, expected one shape. {_ADVICE}"
        )


def nearly_equal(one: Tensor, other: Tensor, tolerance: float = 1e-4) -> bool:
    """Return whether shapes are equal, and values to ``tolerance`` of the largest finite one.

    >>> nearly_equal(torch.tensor([-torch.inf, 2.0]), torch.tensor([-torch.inf, 2.0001]))
    True
    """
    if one.shape != other.shape:
        return False
    largest = other.nan_to_num(0.0, 0.0, 0.0).abs().amax().item()
    return torch.allclose(one, other, rtol=0.0, atol=tolerance * largest, equal_nan=True)
