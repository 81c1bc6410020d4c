"""Contracts between the parts of s5lib, and between s5lib and its plugins.

``Aligner`` and ``Assignment`` need no torch; ``Tagger``, ``Separator`` and ``JointModel`` are torch modules and are
imported on first use.
"""

from typing import TYPE_CHECKING

from s5lib.interfaces.aligner import Aligner, Assignment
from s5lib.interfaces.config import ModelConfig
from s5lib.lazy import lazy_names

__all__ = ["Aligner", "Assignment", "JointModel", "ModelConfig", "Separator", "Tagger"]

if TYPE_CHECKING:
    from s5lib.interfaces.models import JointModel, Separator, Tagger
else:
    __getattr__, __dir__ = lazy_names(__name__)
