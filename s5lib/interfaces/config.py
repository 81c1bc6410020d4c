"""Sizes that all models of a recipe share; a component's own options extend them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelConfig"]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes given by the task; a component's config dataclass inherits from this and adds its own options.

    The recipe fills these four from the corpus; a user sets the others by ``--separator_conf key=value``.
    """

    num_classes: int = 18
    """C, the number of class labels, silence not counted."""
    num_sources: int = 3
    """K, the number of slots: the most sources that the model gives at once."""
    num_channels: int = 4
    """M, the number of channels of the mixture; 4 is first-order Ambisonics in the order W, Y, Z, X."""
    sample_rate: int = 32000
    """In Hz."""
