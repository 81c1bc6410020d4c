"""Training: Lightning modules, loaders, checkpoints, and one entry for all models, :func:`s5lib.training.fit.fit`."""

from s5lib.training.settings import TrainSettings

__all__ = ["TrainSettings"]
