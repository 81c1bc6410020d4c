"""Sound scenes: rooms, metadata, rendering, drawing.  Needs no torch."""

from s5lib.scenes.render import PRESETS, Renderer, Scene, Stems, render

__all__ = ["PRESETS", "Renderer", "Scene", "Stems", "render"]
