"""Sizes that all models of a recipe share; a component's own options extend them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelConfig"]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes given by the task; a component's config dataclass inherits from this and adds its own options.

    The recipe sets these four from the corpus; users set the others with ``--separator_conf key=value``.
    """

    num_classes: int = 18
    """C, the number of class labels, silence not counted."""
    num_sources: int = 3
    """K, the number of slots: the maximum number of sources."""
    num_channels: int = 4
    """M, the number of channels of the mixture; 4 is first-order Ambisonics in the order W, Y, Z, X."""
    sample_rate: int = 32000
    """In Hz."""

    @property
    def fewest_channels(self) -> int:
        """The fewest channels of a mixture that the model accepts; missing ones count as silent."""
        return self.num_channels

    @property
    def is_level_invariant(self) -> bool:
        """Whether a mixture's gain changes no label and scales the sources."""
        return False
