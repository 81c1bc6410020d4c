"""Systems: from a recording to labelled sources, by whatever models."""

from s5lib.systems.load import load_system
from s5lib.systems.source import Source
from s5lib.systems.tag_separate import TagThenSeparate

__all__ = ["Source", "TagThenSeparate", "load_system"]
