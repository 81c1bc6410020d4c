"""Sound scenes: rooms, corpora, metadata, drawing and rendering.  Needs no torch."""

from s5lib.scenes.corpus import Corpus
from s5lib.scenes.draw import SceneDrawer, draw
from s5lib.scenes.metadata import read_metadata, write_metadata
from s5lib.scenes.render import PRESETS, Renderer, Scene, Stems, render
from s5lib.scenes.settings import DRAW_PRESETS, DrawSettings
from s5lib.scenes.synthesize import synthesize

__all__ = [
    "DRAW_PRESETS",
    "PRESETS",
    "Corpus",
    "DrawSettings",
    "Renderer",
    "Scene",
    "SceneDrawer",
    "Stems",
    "draw",
    "read_metadata",
    "render",
    "synthesize",
    "write_metadata",
]
