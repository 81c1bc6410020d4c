"""The models: M2D tagger, ResUNetK and ResUNet separators, their checkpoints.  Importing this package loads no torch.

Models are made by :func:`s5lib.plugins.create`; one file holds one model.
"""

import importlib

_WHERE = {
    "accelerate": "speed",
    "keep_freed_memory": "speed",
    "load_backbone": "backbone",
    "load_checkpoint": "checkpoint",
    "load_model": "checkpoint",
    "load_official": "official",
    "load_weights": "checkpoint",
    "read_header": "checkpoint",
    "save_checkpoint": "checkpoint",
    "sort_slots": "slots",
    "unsort_slots": "slots",
}

__all__ = [
    "accelerate",
    "keep_freed_memory",
    "load_backbone",
    "load_checkpoint",
    "load_model",
    "load_official",
    "load_weights",
    "read_header",
    "save_checkpoint",
    "sort_slots",
    "unsort_slots",
]


def __getattr__(name):
    if name in _WHERE:
        return getattr(importlib.import_module(f"s5lib.models.{_WHERE[name]}"), name)
    raise AttributeError(f"module 's5lib.models' has no attribute {name!r}")
