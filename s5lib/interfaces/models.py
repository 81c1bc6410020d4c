"""Contracts of the three kinds of model.  B batch, M channels, T samples, K slots, C classes."""

from __future__ import annotations

from torch import Tensor, nn

from s5lib.errors import ConfigError
from s5lib.interfaces.config import ModelConfig

__all__ = ["JointModel", "Model", "Separator", "Tagger"]


class Model(nn.Module):
    """The common base: a configuration, and the choice of trainable layers."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config

    def set_trainable(self, layers: str) -> None:
        """Train only ``layers``; frozen layers stay in eval mode, whatever :meth:`train` is called with.

        Every model knows ``"all"``; a model with a pre-trained part names more (M2D: ``"head"``, ``"last2"``).

        Raises:
            ConfigError: the model has no such choice.
        """
        if layers != "all":
            raise ConfigError(f"{type(self).__name__} cannot train layers {layers!r}; expected 'all'.")
        self.requires_grad_(True)


class Tagger(Model):
    """Predicts the labels of a mixture's sources, one per slot.

    A tagger may offer two more methods, whose composition is :meth:`forward`:
    ``features(mixture [B, M, T]) -> [B, ...]``, of one shape for mixtures of one length, and
    ``classify(features) -> logits [B, K, C + 1]``.  Where nothing in ``features`` trains,
    ``s5lib train --tagger_cache`` computes them once.
    """

    def forward(self, mixture: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` to ``logits [B, K, C + 1]``; class C is silence."""
        raise NotImplementedError


class Separator(Model):
    """Extracts the sources of a query."""

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``.

        A query's row is the one-hot vector of the slot's class; a row of zeros is a silent slot, whose waveform is
        exactly zero.  With equal rows, each slot gives a different source of that class.
        """
        raise NotImplementedError


class JointModel(Model):
    """Predicts labels and sources together."""

    def forward(self, mixture: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``mixture [B, M, T]`` to ``(logits [B, K, C + 1], waveforms [B, K, T])``; class C is silence."""
        raise NotImplementedError
