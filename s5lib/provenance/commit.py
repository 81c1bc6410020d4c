"""Several files, and the manifest that lists them, put into a folder: the manifest is there only with all of them.

The set is completed in a scratch folder first, so that a full disk changes nothing.  Then what it replaces moves into
the scratch folder, which is marked as ready, and the set moves out, the manifest last.  Whoever clears the scratch
(:func:`s5lib.provenance.files.settle`), this process after an error or another one after a kill, moves the old files
back, or the rest of the set out.  So the folder ends up as it was or complete, and no list says what to delete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from s5lib.provenance.files import READY, REPLACED, move, settle, write_json

__all__ = ["commit"]


def commit(scratch: Path, manifest: Path, content: Any, files: Iterable[str], earlier: Set[str] = frozenset()) -> None:
    """Move ``files`` from ``scratch`` into the folder of ``manifest``, and the manifest last.

    Files in the folder are replaced only if they are ``earlier``.

    Args:
        scratch: of :func:`s5lib.provenance.files.scratch_folder`, in that folder.
        manifest: the file to write, ``*.json``.
        content: of the manifest.
        files: names, in ``scratch`` and in the folder.
        earlier: names of files that the manifest listed until now; those that are not written again are removed.

    Raises:
        OSError: something cannot be written or moved.
    """
    folder, draft, replaced = manifest.parent, scratch / "draft", scratch / REPLACED
    draft.mkdir()
    for name in files:
        move(scratch / name, draft / name)
    write_json(draft / manifest.name, content)
    replaced.mkdir()
    for name in (manifest.name, *earlier):
        if os.path.lexists(folder / name) and not (folder / name).is_dir():
            move(folder / name, replaced / name)
    move(draft, scratch / READY)
    settle(scratch)
