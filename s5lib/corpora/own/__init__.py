"""A corpus from a folder of clips: checked, split by source, with simulated or measured rooms and noise."""

from s5lib.corpora.own.build import build
from s5lib.corpora.own.request import NewCorpus

__all__ = ["NewCorpus", "build"]
