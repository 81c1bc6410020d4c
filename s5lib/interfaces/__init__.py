"""The contracts between the parts of s5lib, and between s5lib and its plugins.

``Aligner`` and ``Assignment`` need no torch; ``Tagger``, ``Separator`` and ``JointModel`` are torch modules and are
imported on first use.
"""

from s5lib.interfaces.aligner import Aligner, Assignment
from s5lib.interfaces.config import ModelConfig

__all__ = ["Aligner", "Assignment", "JointModel", "ModelConfig", "Separator", "Tagger"]


def __getattr__(name):
    if name in ("Tagger", "Separator", "JointModel"):
        from s5lib.interfaces import models

        return getattr(models, name)
    raise AttributeError(f"module 's5lib.interfaces' has no attribute {name!r}")
