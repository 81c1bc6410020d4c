"""Sound scenes: rooms, corpora, drawing, rendering, the challenge's metadata files.  Needs no torch."""

from s5lib.scenes.corpus import Corpus
from s5lib.scenes.dcase_json import compose_metadata, parse_metadata, read_metadata, write_metadata
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.draw import SceneDrawer, draw
from s5lib.scenes.presets import PRESETS
from s5lib.scenes.render import Renderer, Scene, Stems, render
from s5lib.scenes.settings import DRAW_PRESETS, DrawSettings
from s5lib.scenes.synthesize import synthesize

__all__ = [
    "DRAW_PRESETS",
    "PRESETS",
    "Corpus",
    "DrawSettings",
    "Event",
    "Renderer",
    "Scene",
    "SceneDescription",
    "SceneDrawer",
    "Stems",
    "compose_metadata",
    "draw",
    "parse_metadata",
    "read_metadata",
    "render",
    "synthesize",
    "write_metadata",
]
