"""Several files, and the manifest that lists them, put into a folder: the manifest is there only with all of them.

The files are made in a scratch folder.  Before the first gets its name, the scratch folder gets a journal of what is
about to be there, and an older manifest goes.  If the process is killed, whoever clears its scratch
(:func:`s5lib.provenance.files.remove_scratch`) reads the journal and removes what it had put in place: no file is left
that no manifest lists, and nobody else's file is touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from s5lib.provenance.files import JOURNAL, move, remove, write_json
from s5lib.untrusted import to_json

__all__ = ["commit"]


def commit(scratch: Path, manifest: Path, content: Any, files: Iterable[str], earlier: Set[str] = frozenset()) -> None:
    """Move ``files`` from ``scratch`` into the folder of ``manifest``, then write the manifest.

    Args:
        scratch: of :func:`s5lib.provenance.files.scratch_folder`, on the same file system.
        manifest: the JSON file to write.
        content: of the manifest.
        files: names, in ``scratch`` and in the folder.
        earlier: names of files that the manifest listed until now; those that are not written again are removed.

    Raises:
        OSError: something cannot be written.
    """
    folder, names = manifest.parent, list(files)
    to_json(content)  # what cannot be written is noticed before anything is moved
    write_json(scratch / JOURNAL, {"manifest": manifest.name, "earlier": sorted(earlier), "files": names})
    remove(manifest)
    for name in names:
        move(scratch / name, folder / name)
    for name in earlier - set(names):
        (folder / name).unlink(missing_ok=True)
    write_json(manifest, content)
    os.unlink(scratch / JOURNAL)
