"""A corpus in the folder layout of the DCASE 2026 Task 4 development set.

::

    dev_set/sound_event/{train,valid,...}/LABEL/[SOURCE/]*.wav     targets, one channel
    dev_set/interference/{train,valid,...}/LABEL/*.wav             one channel
    dev_set/noise/{train,valid,...}/*.wav                          the microphone's channels
    dev_set/room_ir/{train,valid,...}/*.sofa

The class labels are the folder names of ``sound_event/train``, sorted.  Clips below one SOURCE folder (a speaker, a
recording) are never together in a scene as two sources of one class; a clip directly below LABEL is its own source.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from s5lib.audio import AudioInfo, FoundAudio, find_audio_files, is_hidden, probe
from s5lib.errors import DataError, nearest
from s5lib.scenes.sofa import Room, open_room
from s5lib.untrusted import Record, path_below, read_json

__all__ = ["Clip", "Corpus", "find_root", "metadata_files"]


@dataclass(frozen=True)
class Clip:
    """One recording of a corpus."""

    path: Path
    source: str
    """The SOURCE folder below the label's folder; the file itself where there is none."""
    info: AudioInfo


def find_root(data_root: str | os.PathLike) -> Path:
    """Return the ``dev_set`` folder of a corpus: ``data_root/dev_set``, or ``data_root`` itself.

    Raises:
        DataError: neither has a folder ``sound_event``.
    """
    data_root = Path(data_root)
    for folder in (data_root / "dev_set", data_root):
        if (folder / "sound_event").is_dir():
            return folder
    found = "no such folder" if not data_root.is_dir() else "neither dev_set/sound_event nor sound_event is there"
    raise DataError(f"{data_root}: not a corpus, {found}. Expected the folder layout of the DCASE 2026 Task 4 dev_set.")


class Corpus:
    """What scenes of one split can be drawn from; every file's header is checked when the corpus is opened.

    Args:
        data_root: folder that holds ``dev_set``, or that folder itself.
        split: folder name below ``sound_event``, ``interference``, ``noise`` and ``room_ir``.

    Attributes:
        root: the ``dev_set`` folder.
        labels: the class labels, sorted.
        events: clips of each label that has some in this split, sorted by path.
        interferences: the same for the interference labels; may be empty.
        noises: noise recordings, sorted.
        skipped: files of these folders that are not used, under the reason.

    Raises:
        DataError: a folder is missing or empty, or a file is not usable.
    """

    def __init__(self, data_root: str | os.PathLike, split: str = "train"):
        self.root = find_root(data_root)
        self.split = split
        self.skipped: dict[str, list[Path]] = {}
        targets = self.root / "sound_event"
        splits = _folders(targets)
        if split not in splits:
            raise DataError(f"{targets}: no split {split!r}. {nearest(split, splits)}")
        self.labels = class_labels(self.root)
        self.events = self._labelled(targets / split)
        unknown = sorted(set(self.events) - set(self.labels))
        if unknown:
            raise DataError(
                f"{targets / split / unknown[0]}: label {unknown[0]!r} is not in {targets / 'train'}, whose folders "
                f"are the class labels. {nearest(unknown[0], self.labels)}"
            )
        if not self.events:
            raise DataError(f"{targets / split}: no recordings below LABEL folders.")
        self.interferences = self._labelled(self.root / "interference" / split)
        noise = self.root / "noise" / split
        self.noises = tuple(_clip(path, noise) for path in self._audio_files(noise))
        if not self.noises:
            raise DataError(f"{noise}: no noise recordings; every scene needs one.")
        room_folder = self.root / "room_ir" / split
        self.room_paths = tuple(sorted(room_folder.glob("*.sofa"))) if room_folder.is_dir() else ()
        if not self.room_paths:
            raise DataError(f"{room_folder}: no SOFA files; every scene needs a room.")
        self._check_channels()

    def __repr__(self) -> str:
        clips = sum(map(len, self.events.values()))
        return f"Corpus({os.fspath(self.root)!r}, {self.split!r}): {clips} clips of {len(self.events)} labels"

    @property
    def clips(self) -> list[Clip]:
        """All recordings."""
        groups = (*self.events.values(), *self.interferences.values(), self.noises)
        return [clip for group in groups for clip in group]

    @property
    def files(self) -> list[Path]:
        """The paths of all recordings and rooms."""
        return [clip.path for clip in self.clips] + list(self.room_paths)

    @cached_property
    def rooms(self) -> tuple[Room, ...]:
        """The rooms, sorted by path; their impulse responses are not loaded."""
        return tuple(open_room(path) for path in self.room_paths)

    @property
    def num_channels(self) -> int:
        """M, the microphone's channels."""
        return self.rooms[0].num_channels

    def _labelled(self, folder: Path) -> dict[str, tuple[Clip, ...]]:
        result = {}
        for label in _folders(folder):
            clips = tuple(_clip(path, folder / label) for path in self._audio_files(folder / label))
            for clip in clips:
                if clip.info.channels != 1:
                    raise DataError(f"{clip.path}: {clip.info.channels} channels, expected a recording of one channel.")
            if clips:
                result[label] = clips
        return result

    def _audio_files(self, folder: Path) -> list[Path]:
        found = find_audio_files(folder) if folder.is_dir() else FoundAudio()
        for reason, paths in found.skipped.items():
            self.skipped.setdefault(reason, []).extend(paths)
        return found.files

    def _check_channels(self) -> None:
        first = self.rooms[0]
        for room in self.rooms:
            if room.num_channels != first.num_channels:
                raise DataError(
                    f"{room.path}: {room.num_channels} channels, but {first.path} has {first.num_channels}; "
                    "all rooms need the same microphone."
                )
        for noise in self.noises:
            if noise.info.channels != first.num_channels:
                raise DataError(
                    f"{noise.path}: {noise.info.channels} channels, but {first.path} has {first.num_channels}; noise "
                    "must be recorded with the rooms' microphone."
                )


def metadata_files(data_root: str | os.PathLike, name: str) -> list[Path]:
    """Return the scene files that ``metadata/NAME.json`` lists or, without that file, all of ``metadata/NAME/``.

    Raises:
        DataError: there are none, or the list is not one of ``{"metadata_path": ...}``.
    """
    folder = find_root(data_root) / "metadata"
    index = folder / f"{name}.json"
    if index.is_file():
        rows = Record(
            {"scenes": read_json(index)},
            index,
            advice=f'Expected is a list of {{"metadata_path": "{name}/FILE.json"}}.',
        )
        files = [path_below(folder, row.text("metadata_path"), row.where) for row in rows.records("scenes")]
    else:
        files = sorted((folder / name).glob("*.json")) if (folder / name).is_dir() else []
    if not files:
        sets = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        raise DataError(f"{folder}: no scenes of {name!r}. {nearest(name, sets)}")
    return files


def class_labels(root: Path) -> tuple[str, ...]:
    """Return the sorted folder names of ``sound_event/train`` below the ``dev_set`` folder ``root``.

    Raises:
        DataError: there are none, or one has white space, which the lines of a data directory cannot hold.
    """
    train = root / "sound_event" / "train"
    labels = tuple(_folders(train))
    if not labels:
        raise DataError(f"{train}: no LABEL folders; they name the classes of a corpus.")
    for label in labels:
        if label.split() != [label]:
            raise DataError(f"{train / label}: a class label cannot have white space; rename the folder in all splits.")
    return labels


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not is_hidden(entry.name))


def _clip(path: Path, folder: Path) -> Clip:
    return Clip(path, path.relative_to(folder).parts[0], probe(path))
