"""The options of s5lib's own models, importable without torch.

The defaults are the sizes of the paper's models; smaller values give smaller networks of the same code.
"""

from __future__ import annotations

from s5lib.models.configs.joint import ResUNetJointConfig
from s5lib.models.configs.mixture import InputConfig
from s5lib.models.configs.separators import (
    LocoformerConfig,
    QueryConfig,
    ResUNetConfig,
    ResUNetKConfig,
    SpatialUNetConfig,
)
from s5lib.models.configs.taggers import M2DConfig, ResNetConfig, TaggerConfig

__all__ = [
    "InputConfig",
    "LocoformerConfig",
    "M2DConfig",
    "QueryConfig",
    "ResNetConfig",
    "ResUNetConfig",
    "ResUNetJointConfig",
    "ResUNetKConfig",
    "SpatialUNetConfig",
    "TaggerConfig",
]
