"""Training: Lightning modules, loaders, checkpoints, and :func:`fit`, the one entry for all kinds of model."""

from s5lib.training.fit import Run, fit
from s5lib.training.settings import TrainSettings

__all__ = ["Run", "TrainSettings", "fit"]
