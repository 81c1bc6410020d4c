"""Systems: from a recording to labelled sources, by whatever models."""

from s5lib.systems.base import System
from s5lib.systems.iterative import Iterative
from s5lib.systems.joint import Joint
from s5lib.systems.load import load_system
from s5lib.systems.source import Source
from s5lib.systems.tag_separate import TagThenSeparate

__all__ = ["Iterative", "Joint", "Source", "System", "TagThenSeparate", "load_system"]
