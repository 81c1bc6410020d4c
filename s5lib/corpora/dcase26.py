"""The DCASE 2026 Task 4 set: fetching it, and completing it with the clips that it takes from other data sets.

Its archive holds recordings of its own, rooms, noise, metadata and test mixtures.  Target sounds of FSD50K and EARS and
the interference are added by everybody for themselves: ``config/FSD50K_config.json`` and ``config/EARS_config.json``
name them, ``{"file_name": where it is, "t4_label": ..., "convert_path": where it goes below sound_event}``.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import quote

from s5lib.corpora.clips import ClipJob, write_clips
from s5lib.corpora.download import RemoteFile, fetch_files, require_space, with_size, zenodo_files
from s5lib.corpora.interference_classes import INTERFERENCE_CLASSES
from s5lib.corpora.split_archive import open_split_archive
from s5lib.errors import DataError
from s5lib.provenance.files import atomic_write
from s5lib.untrusted import Record, path_below, read_json
from s5lib.untrusted.archives import check_members, open_tar, open_zip, reported

__all__ = ["Servers", "Sources", "add_clips", "fetch_set", "fetch_sources", "missing_parts"]

log = logging.getLogger(__name__)

RECORDS = {"dev_set": 19328046, "eval_set": 20425860}
"""Zenodo records of the development and the evaluation set."""


@dataclass(frozen=True)
class Servers:
    """Where the data come from."""

    zenodo: str = "https://zenodo.org/api/records"
    semantic_hearing: str = "https://semantichearing.cs.washington.edu/BinauralCuratedDataset.tar"
    ears: str = "https://github.com/facebookresearch/ears_dataset/releases/download/dataset"


@dataclass(frozen=True)
class Sources:
    """Folders of the data sets that clips are taken from."""

    semantic_hearing: Path
    """Holds ``FSD50K/`` and ``bg_scaper_fmt/{train,val}/CLASS/``."""
    ears: Path
    """Holds ``p001/`` and so on."""


def fetch_set(
    name: str,
    data_root: Path,
    downloads: Path,
    servers: Servers | None = None,
    progress: Callable[..., object] | None = None,
) -> Path:
    """Fetch ``dev_set`` or ``eval_set`` and unpack it into ``data_root/NAME``; what is there already is kept.

    Raises:
        DataError: no room, a file that cannot be fetched or has a wrong checksum, a damaged archive.
    """
    target, done = data_root / name, data_root / name / ".unpacked"
    if done.exists():
        log.info("%s: already there", target)
        return target
    files = zenodo_files(RECORDS[name], (servers or Servers()).zenodo)
    archive = [file for file in files if file.name.lower().endswith(".zip")]
    if len(archive) != 1:
        raise DataError(f"Zenodo record {RECORDS[name]}: expected one .zip among {[file.name for file in files]}.")
    size = sum(file.size or 0 for file in files)
    log.info("%s: fetching %d files, %.1f GB", name, len(files), size / 1e9)
    fetch_files(files, downloads / name, reserve=size, progress=progress)
    where = downloads / name / archive[0].name
    with reported(where, "Delete it, run again."), open_split_archive(where) as opened:
        members = {
            member: path_below(target, below, where, follow=False)
            for member in opened.infolist()
            if not member.is_dir() and (below := _below(member.filename, name))
        }
        if not members:
            raise DataError(f"{where}: holds no folder {name}.")
        packed = sum((downloads / name / file.name).stat().st_size for file in files)
        require_space(target, check_members(list(members), packed, where), "unpacking")
        for member, path in members.items():
            if not (path.is_file() and path.stat().st_size == member.file_size):
                with opened.open(member) as source:
                    _copy(source, path)
    done.touch()
    return target


def _below(name: str, folder: str) -> str:
    """Return what follows ``folder/`` in the path of an archive's member, or an empty string."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "/".join(parts[parts.index(folder) + 1 :]) if folder in parts else ""


def _copy(source: IO[bytes], path: Path) -> None:
    with atomic_write(path, durable=False) as temporary, open(temporary, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def fetch_sources(
    dev_set: Path,
    downloads: Path,
    semhear_path: Path | None = None,
    ears_path: Path | None = None,
    servers: Servers | None = None,
    progress: Callable[..., object] | None = None,
) -> Sources:
    """Return the data sets that clips are taken from; fetch those that are not on disk.

    Of EARS only the speakers are fetched that the set takes clips from.
    """
    servers = servers or Servers()
    if semhear_path is None:
        semhear_path = downloads / "BinauralCuratedDataset"
        if not (semhear_path / ".unpacked").exists():
            file = with_size(RemoteFile(servers.semantic_hearing, "BinauralCuratedDataset.tar"))
            (archive,) = fetch_files([file], downloads, reserve=file.size or 0, progress=progress)
            wanted = {f"FSD50K/{row['file_name']}" for row in read_config(dev_set, "FSD50K")}
            _unpack_tar(archive, semhear_path, wanted)
            (semhear_path / ".unpacked").touch()
    if ears_path is None:
        ears_path = downloads / "EARS"
        wanted = {row["file_name"] for row in read_config(dev_set, "EARS")}
        speakers = sorted({PurePosixPath(name).parts[0] for name in wanted if not (ears_path / name).is_file()})
        files = [with_size(RemoteFile(f"{servers.ears}/{quote(name)}.zip", f"{name}.zip")) for name in speakers]
        reserve = sum(file.size or 0 for file in files)
        for file, speaker in zip(files, speakers, strict=True):
            own = {name for name in wanted if PurePosixPath(name).parts[0] == speaker}
            (archive,) = fetch_files([file], downloads / "EARS_zip", reserve=reserve, progress=progress)
            try:
                _unpack_speaker(archive, ears_path, own)
            except DataError as error:  # nothing but its size was checked when it came: fetch it once more
                log.warning("%s It is fetched again.", error)
                archive.unlink()
                fetch_files([file], downloads / "EARS_zip", reserve=reserve, progress=progress)
                _unpack_speaker(archive, ears_path, own)
    return Sources(Path(semhear_path), Path(ears_path))


def _unpack_speaker(archive: Path, folder: Path, wanted: set[str]) -> None:
    """Unpack what is wanted of a speaker's archive."""
    with reported(archive), open_zip(archive, archive) as opened:
        members = [member for member in opened.infolist() if member.filename in wanted]
        check_members(members, archive.stat().st_size, archive)
        if missing := wanted.difference(member.filename for member in members):
            raise DataError(f"{archive}: not an archive, or damaged (it lacks {min(missing)}).")
        for member in members:
            with opened.open(member) as source:
                _copy(source, path_below(folder, member.filename, archive, follow=False))


def _unpack_tar(archive: Path, folder: Path, wanted: set[str]) -> None:
    """Unpack the interference, and of FSD50K what is wanted."""
    taken = False
    with open_tar(archive, "Delete it and run again.") as members:
        for member, stream in members:
            for top in ("FSD50K", "bg_scaper_fmt"):
                name = f"{top}/{_below(member.name, top)}"
                if not name.endswith("/") and (top == "bg_scaper_fmt" or name in wanted):
                    path, taken = path_below(folder, name, archive, follow=False), True
                    if not path.is_file():
                        _copy(stream, path)
    if not taken:
        raise DataError(f"{archive}: holds neither FSD50K nor bg_scaper_fmt. Delete it and run again.")


def read_config(dev_set: Path, name: str) -> list[dict]:
    """Return the rows of ``config/NAME_config.json``.

    Raises:
        DataError: it is missing, not a list of rows, or a path of it leads out of its folder.
    """
    path = dev_set / "config" / f"{name}_config.json"
    advice = "Expected are rows with file_name and convert_path; the development set is not complete."
    rows = Record({"rows": read_json(path, advice=advice)}, path, advice=advice)
    for row in rows.records("rows"):
        for key in ("file_name", "convert_path"):
            path_below(dev_set, row.text(key), f"{row.where}: {key}")
    return rows.items("rows")


def add_clips(
    dev_set: Path,
    sources: Sources,
    nj: int = 1,
    classes: Iterable[str] = INTERFERENCE_CLASSES,
    progress: Callable[..., Iterable] | None = None,
) -> dict[str, list[str]]:
    """Add the clips of FSD50K and EARS and the interference to a development set; those there already are kept.

    Returns:
        The recordings that were left out, under the reason.

    Raises:
        DataError: recordings or classes are missing (all are named), or damaged.
    """
    jobs = []
    for name, folder in (("FSD50K", sources.semantic_hearing / "FSD50K"), ("EARS", sources.ears)):
        for row in read_config(dev_set, name):
            target = path_below(dev_set / "sound_event", row["convert_path"], name)
            jobs.append(ClipJob(os.fspath(path_below(folder, row["file_name"], name)), _wav(target)))
    missing = [job.source for job in jobs if not os.path.isfile(job.source)]
    for split, theirs in (("train", "train"), ("valid", "val")):
        for label in classes:
            folder = sources.semantic_hearing / "bg_scaper_fmt" / theirs / label
            clips = sorted(folder.glob("*.wav"))
            missing += [] if clips else [os.fspath(folder)]
            target = dev_set / "interference" / split / label
            jobs += [ClipJob(os.fspath(clip), _wav(target / clip.name)) for clip in clips]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(f"missing: {', '.join(missing[:5])}{more}. Are --semhear_path and --ears_path right?")
    return write_clips(jobs, nj, progress)


def _wav(path: Path) -> str:
    return os.fspath(path.with_suffix(".wav"))


def missing_parts(dev_set: Path) -> list[str]:
    """Return what a complete development set has and this one has not, a sentence each."""
    problems = []
    kinds = {"sound_event": "*.wav", "interference": "*.wav", "noise": "*.wav", "room_ir": "*.sofa"}
    folders = {f"{kind}/{split}": pattern for kind, pattern in kinds.items() for split in ("train", "valid")}
    folders |= {"metadata/valid": "*.json", "synthesized/test/soundscape": "*.wav"}
    folders |= {"synthesized/test/oracle_target": "*.wav"}
    for name, pattern in folders.items():
        if not any((dev_set / name).rglob(pattern)):
            problems.append(f"{dev_set / name}: no {pattern} files")
    labels = {split: _folder_names(dev_set / "sound_event" / split) for split in ("train", "valid")}
    for label in sorted(labels["train"] - labels["valid"]):
        problems.append(f"{dev_set / 'sound_event/valid'}: no recordings of {label}")
    if not (dev_set / "metadata/valid.json").is_file():
        problems.append(f"{dev_set / 'metadata/valid.json'}: no such file")
    return problems


def _folder_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
