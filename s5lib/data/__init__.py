"""Data directories, what the data stage found out about a corpus, and datasets for torch.

The datasets need torch and are imported on first use; all else needs none.
"""

from s5lib.data.description import CorpusDescription
from s5lib.data.directory import DataDirectory, Recording
from s5lib.data.official import data_directory_from_metadata, data_directory_from_synthesized, metadata_files

__all__ = [
    "CorpusDescription",
    "DataDirectory",
    "DrawnScenes",
    "MetadataScenes",
    "RecordedScenes",
    "Recording",
    "collate",
    "data_directory_from_metadata",
    "data_directory_from_synthesized",
    "metadata_files",
]


def __getattr__(name):
    if name in ("DrawnScenes", "MetadataScenes", "RecordedScenes", "collate"):
        from s5lib.data import datasets

        return getattr(datasets, name)
    raise AttributeError(f"module 's5lib.data' has no attribute {name!r}")
