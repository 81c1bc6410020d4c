"""Systems: from a recording to labelled sources, by whatever models.  Importing this package loads no torch."""

from typing import TYPE_CHECKING

from s5lib.lazy import lazy_names

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
    "spatially_filtered",
    "stream",
]

if TYPE_CHECKING:
    from s5lib.systems.base import System
    from s5lib.systems.calibration import Calibration
    from s5lib.systems.iterative import Iterative
    from s5lib.systems.joint import Joint
    from s5lib.systems.load import load_system
    from s5lib.systems.source import Source
    from s5lib.systems.spatial_filter import spatially_filtered
    from s5lib.systems.streaming import separate_chunks, separate_long, stream
    from s5lib.systems.tag_separate import TagThenSeparate
else:
    __getattr__, __dir__ = lazy_names(__name__)
