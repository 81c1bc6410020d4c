"""Data directories, what the data stage found out about a corpus, and datasets for torch.

The datasets need torch and are imported on first use; all else needs none.
"""

from s5lib.data.description import CorpusDescription
from s5lib.data.directory import DataDirectory, Recording

__all__ = [
    "CorpusDescription",
    "DataDirectory",
    "DrawnScenes",
    "MetadataScenes",
    "RecordedScenes",
    "Recording",
    "collate",
]


def __getattr__(name):
    if name in ("DrawnScenes", "MetadataScenes", "RecordedScenes", "collate"):
        from s5lib.data import datasets

        return getattr(datasets, name)
    raise AttributeError(f"module 's5lib.data' has no attribute {name!r}")
