"""How a mixture enters a model."""

from __future__ import annotations

from dataclasses import dataclass

from s5lib.interfaces import ModelConfig
from s5lib.models.configs.limits import require, require_positive

__all__ = ["InputConfig"]


@dataclass(frozen=True)
class InputConfig(ModelConfig):
    """Options of how a mixture enters a model, :func:`s5lib.models.mixture.prepare_mixture`, which all models share."""

    normalize_level: bool = False
    """Whether the mixture's reference channel is scaled to an RMS of 1, so that results do not depend on its gain."""
    channel_dropout: float = 0.0
    """Probability that a training mixture loses its last channels; above 0, the model accepts one channel and more."""

    def __post_init__(self):
        require_positive(self, "num_classes", "num_sources", "num_channels", "sample_rate")
        require(isinstance(self.normalize_level, bool), "normalize_level", self.normalize_level, "true or false")
        require(0 <= self.channel_dropout <= 1, "channel_dropout", self.channel_dropout, "a probability, from 0 to 1")

    @property
    def fewest_channels(self) -> int:
        """1 for a model that was trained on mixtures without some of their channels."""
        return 1 if self.channel_dropout else self.num_channels

    @property
    def is_level_invariant(self) -> bool:
        """As :attr:`normalize_level` says."""
        return self.normalize_level
