"""Which recordings are meant, and where the sources of each go."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence

from s5lib.audio import find_audio_files
from s5lib.errors import DataError
from s5lib.systems.records import separate_own_outputs

__all__ = ["name_recordings"]

log = logging.getLogger(__name__)


def name_recordings(inputs: Sequence[str]) -> list[tuple[str, str]]:
    """Return ``(place, path)`` of each recording; its sources are ``OUT/PLACE_I_LABEL.wav``.

    * A recording in a folder keeps its sub-folders; if there are several folders, the folder's own name comes first.
    * A recording given by its name lies directly in ``OUT``; where two have the same name, all such keep their folders
      from where these differ.
    * Of recordings that differ only in their endings, as ``a.wav`` and ``a.flac``, the ending becomes part of the name.

    Hidden files, and sources that s5lib has written into a folder, are left out; a file that is reached twice counts
    once.

    Raises:
        DataError: there are no recordings.
    """
    folders = [item for item in inputs if os.path.isdir(item)]
    single = [item for item in inputs if item not in folders]
    names = Counter(os.path.basename(path) for path in {os.path.abspath(item) for item in single})
    base = os.path.commonpath([os.path.dirname(os.path.abspath(item)) for item in single] or ["/"])
    found, outputs = [], 0
    for item in inputs:
        if item not in folders:
            name = os.path.basename(item)
            found.append((os.path.relpath(item, base) if names[name] > 1 else name, item))
            continue
        in_folder = find_audio_files(item)
        if in_folder.skipped:
            log.info("%s: %s", item, in_folder)
        files, own = separate_own_outputs([os.fspath(path) for path in in_folder.files])
        outputs += len(own)
        top = os.path.basename(os.path.realpath(item)) if len(folders) > 1 else ""
        found += [(os.path.join(top, os.path.relpath(path, item)), path) for path in files]
    if outputs:
        log.info("%d sources that s5lib has written are not separated again", outputs)
    seen: set[str] = set()
    unique = []
    for place, path in found:
        if (real := os.path.realpath(path)) not in seen:
            seen.add(real)
            unique.append((place, path))
    if not unique:
        raise DataError(f"no recordings in {', '.join(inputs)}. Is a file extension missing?")
    shared = Counter(os.path.splitext(place)[0] for place, _ in unique)
    named = [(place if shared[stem := os.path.splitext(place)[0]] > 1 else stem, path) for place, path in unique]
    twice = [place for place, count in Counter(place for place, _ in named).items() if count > 1]
    if twice:
        one, other = [path for place, path in named if place == twice[0]][:2]
        raise DataError(f"{one} and {other} would both be written as {twice[0]}_*: separate them one after the other.")
    return named
