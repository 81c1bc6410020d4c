"""Training: Lightning modules, loaders, checkpoints, and :func:`s5lib.training.fit.fit`, the one entry for all models."""

from s5lib.training.settings import TrainSettings

__all__ = ["TrainSettings"]
