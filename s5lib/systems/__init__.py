"""Systems: from a recording to labelled sources, by whatever models.  Importing this package loads no torch."""

import importlib

_WHERE = {
    "Calibration": "calibration",
    "Iterative": "iterative",
    "Joint": "joint",
    "Source": "source",
    "System": "base",
    "TagThenSeparate": "tag_separate",
    "load_system": "load",
    "separate_chunks": "chunks",
    "separate_long": "chunks",
}

__all__ = [
    "Calibration",
    "Iterative",
    "Joint",
    "Source",
    "System",
    "TagThenSeparate",
    "load_system",
    "separate_chunks",
    "separate_long",
]


def __getattr__(name):
    if name in _WHERE:
        return getattr(importlib.import_module(f"s5lib.systems.{_WHERE[name]}"), name)
    raise AttributeError(f"module 's5lib.systems' has no attribute {name!r}")
