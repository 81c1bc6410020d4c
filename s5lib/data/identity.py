"""Which data a result was made from: digests of a corpus's split and of a data directory's recordings.

``s5lib prepare`` keeps the digests of all files in ``prepared.stamps.jsonl``: later stages need not read unchanged
files again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from s5lib.audio import find_audio_files, split_entry
from s5lib.data.directory import DataDirectory
from s5lib.errors import DataError
from s5lib.provenance import Stamps
from s5lib.scenes.corpus import metadata_files
from s5lib.untrusted import to_json

__all__ = ["STAMP_FILE", "corpus_digest", "corpus_files", "read_stamps", "recordings_digest"]

STAMP_FILE = "prepared.stamps.jsonl"
_KINDS = ("sound_event", "interference", "noise", "room_ir", "metadata", "synthesized")


def read_stamps(data_dir: str | os.PathLike[str]) -> Stamps:
    """Return the stamps of files that ``s5lib prepare`` has kept in a folder; none where it has not."""
    return Stamps.read(Path(data_dir) / STAMP_FILE)


def corpus_files(root: str | os.PathLike[str], split: str) -> list[str]:
    """Return the files of a corpus that scenes of a split are made from, or that it has rendered."""
    folders = [Path(root, kind, split) for kind in _KINDS]
    found = [find_audio_files(folder, also=(".sofa", ".json")).files for folder in folders if folder.is_dir()]
    index = Path(root, "metadata", f"{split}.json")
    if index.is_file():  # it may list some scenes of the folder, and others
        found.append([index, *metadata_files(root, split)])
    return list(dict.fromkeys(os.fspath(path) for files in found for path in files))


def corpus_digest(root: str | os.PathLike[str], split: str, stamps: Stamps) -> str:
    """Return one digest of the names and contents of a split's files.

    Raises:
        DataError: one cannot be read.
    """
    try:
        return stamps.digest(corpus_files(root, split), root)
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}.") from error


def recordings_digest(directory: DataDirectory, stamps: Stamps) -> str:
    """Return one digest of the recordings of a data directory: IDs, labels, contents of mixtures and references.

    Raises:
        DataError: a recording cannot be read.
    """
    rows = []
    for recording in directory:
        digests = []
        for entry in (recording.mixture, *recording.sources):
            file, offset = split_entry(os.path.abspath(entry))
            try:
                digests.append(stamps[file] + offset)
            except OSError as error:
                raise DataError(f"{entry}: {error.strerror}.") from error
        rows.append([recording.id, recording.labels, digests])
    return hashlib.sha256(to_json(rows).encode()).hexdigest()
