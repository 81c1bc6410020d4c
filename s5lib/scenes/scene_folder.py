"""A folder of rendered scenes that s5lib writes, and which of its scenes are finished.

::

    FOLDER/soundscape/NAME.wav                     [M, T] float32
    FOLDER/oracle_target/NAME_I_LABEL.wav          [T] float32, dry
    FOLDER/metadata/NAME.json                      the scene; under "s5lib" its files' sizes and digests; written last
    FOLDER/synth.json                              what was asked for, and the digests of what it is made from

A scene is finished if it was made from the same (``made_from``) and its files are intact.  A folder without
``synth.json`` that holds files in these places belongs to somebody else.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from s5lib.errors import DataError
from s5lib.provenance import Fingerprint, Stamps, problem_of, remove_scratch, stamp_output, write_json
from s5lib.scenes.render import Scene
from s5lib.scenes.writing import write_scene
from s5lib.untrusted import read_json, to_json

__all__ = ["SceneFolder", "digest_of"]

_PARTS = ("soundscape", "oracle_target", "metadata")


class SceneFolder:
    """The scenes in a folder; for one writer at a time, see :func:`s5lib.provenance.folder_lock`."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.marker = self.folder / "synth.json"
        self._stamps = self.folder / "synth.stamps.jsonl"

    def claim(self, request: Mapping[str, Any], derived: Collection[str] = ()) -> Stamps:
        """Check that the folder is empty or holds scenes of the same request; return the stamps of what they used.

        Args:
            request: what is asked for.
            derived: names of values that may have changed, as they follow from the corpus.

        Raises:
            DataError: it holds files of somebody else, or scenes of another request.
        """
        for part in _PARTS:
            remove_scratch(self.folder / part)
        if not self.marker.is_file():
            for part in _PARTS:
                if (self.folder / part).is_dir() and any((self.folder / part).iterdir()):
                    raise DataError(
                        f"{self.folder / part} holds files that s5lib did not write (there is no {self.marker.name}). "
                        "Choose another folder."
                    )
            return Stamps()
        earlier = read_json(self.marker, advice=f"Delete {self.folder} to begin anew.")
        changes = [change for change in Fingerprint(request).changes_since(earlier) if change.name not in derived]
        if changes:
            name, before, now = changes[0]
            raise DataError(
                f"{self.folder}: holds scenes made with {name}={before!r}, not {now!r}. Choose another folder, or "
                "delete this one."
            )
        return Stamps.read(self._stamps)

    def note(self, request: Mapping[str, Any], stamps: Stamps) -> None:
        """Write ``synth.json``, and the stamps beside it.

        Raises:
            OSError: it cannot be written.
        """
        if stamps.is_changed:
            stamps.write(self._stamps)
        if not self.marker.is_file():
            write_json(self.marker, Fingerprint(request).as_json())

    def is_finished(self, name: str, made_from: str) -> bool:
        """Whether a scene is there as it would be made now."""
        path = self._record(name)
        try:
            own = read_json(path)["s5lib"]
            return bool(own["made_from"] == made_from) and not problem_of(path, own["files"])
        except (DataError, OSError, KeyError, TypeError, AttributeError):
            return False

    def write(self, name: str, scene: Scene, metadata: Mapping[str, Any], made_from: str) -> None:
        """Write a scene's files and then its metadata; files that only an earlier version had are removed.

        Raises:
            DataError: a file cannot be written.
            OSError: as well.
        """
        path = self._record(name)
        earlier = _owned(path) or set()
        written = write_scene(self.folder, name, scene.mixture, scene.sources, scene.labels, scene.sample_rate)
        files = {f"../{file}": stamp_output(self.folder / file) for file in written}
        for file in earlier - set(files):
            (path.parent / file).unlink(missing_ok=True)
        write_json(path, {**metadata, "s5lib": {"made_from": made_from, "files": files}})

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all other scenes that were written here."""
        for path in (self.folder / "metadata").glob("*.json"):
            if path.stem not in names and (files := _owned(path)) is not None:
                for file in files:
                    (path.parent / file).unlink(missing_ok=True)
                path.unlink()

    def discard(self, name: str) -> None:
        """Make a scene count as not finished."""
        self._record(name).unlink(missing_ok=True)

    def _record(self, name: str) -> Path:
        return self.folder / "metadata" / f"{name}.json"


def _owned(path: Path) -> set[str] | None:
    """Return the files that a scene's metadata lists, by names that this scene's files have; None: not written here.

    Others are left out: the folder may have come from a stranger.
    """
    name = re.escape(path.stem)
    own = re.compile(rf"\.\./(soundscape/{name}|oracle_target/{name}_[0-9]+_[^/\0]+)\.wav")
    try:
        return {file for file in read_json(path)["s5lib"]["files"] if own.fullmatch(file)}
    except (DataError, KeyError, TypeError):
        return None


def digest_of(values: Mapping[str, Any]) -> str:
    """Return one digest of plain values."""
    return hashlib.sha256(to_json(Fingerprint(values).as_json(), sort_keys=True).encode()).hexdigest()
