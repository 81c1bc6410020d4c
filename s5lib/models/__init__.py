"""The models: M2D tagger, ResUNetK and ResUNet separators, their checkpoints.  Importing this package loads no torch.

Models are made by :func:`s5lib.plugins.create`; one file holds one model.
"""

import importlib

_WHERE = {
    "load_backbone": "backbone",
    "load_checkpoint": "checkpoint",
    "load_model": "checkpoint",
    "load_official": "official",
    "load_weights": "checkpoint",
    "read_header": "checkpoint",
    "save_checkpoint": "checkpoint",
}

__all__ = [*_WHERE]


def __getattr__(name):
    if name in _WHERE:
        return getattr(importlib.import_module(f"s5lib.models.{_WHERE[name]}"), name)
    raise AttributeError(f"module 's5lib.models' has no attribute {name!r}")
