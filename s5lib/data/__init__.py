"""Data directories, what the data stage found out about a corpus, and datasets for torch.

The datasets need torch and are imported on first use; all else needs none.
"""

from typing import TYPE_CHECKING

from s5lib.data.description import CorpusDescription
from s5lib.data.directory import DataDirectory, Recording
from s5lib.lazy import lazy_names

__all__ = [
    "CorpusDescription",
    "DataDirectory",
    "DrawnScenes",
    "MetadataScenes",
    "RecordedScenes",
    "Recording",
    "collate",
]

if TYPE_CHECKING:
    from s5lib.data.datasets import DrawnScenes, MetadataScenes, RecordedScenes, collate
else:
    __getattr__, __dir__ = lazy_names(__name__)
