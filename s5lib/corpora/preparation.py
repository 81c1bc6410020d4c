"""What the data stage is asked for, and whether an earlier call has done it: judged by options and by contents."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from s5lib.audio import split_entry
from s5lib.config.options import fill, options_of
from s5lib.corpora import proportion
from s5lib.data.description import CorpusDescription
from s5lib.data.directory import DataDirectory
from s5lib.data.identity import STAMP_FILE, corpus_files, read_stamps
from s5lib.errors import ConfigError, DataError
from s5lib.provenance import Fingerprint, problem_of, stamp_output
from s5lib.scenes import DrawSettings
from s5lib.scenes.corpus import find_root
from s5lib.untrusted import json_record

__all__ = ["MADE_FILE", "SPLITS", "Preparation", "made_files", "unfinished", "used_files"]

SPLITS = ("valid", "test")
MADE_FILE = "prepared.json"
_PLACES = ("data_root", "data_dir", "dump_dir")


@dataclass(frozen=True)
class Preparation:
    """What to prepare, and where."""

    corpus: str
    """``"mini"``, or any name"""
    data_root: Path | None
    """holds the corpus; of mini: where it is made, by default in :attr:`dump_dir`"""
    data_dir: Path
    dump_dir: Path
    duration: float | None = None
    """of drawn scenes, in s; None: as in the corpus's metadata, else in proportion to its clips"""
    scene_options: dict = field(default_factory=dict)
    """further options of :class:`s5lib.scenes.DrawSettings`, for the scenes drawn here and in training"""
    max_sources: int = 3
    test_scenes: int | None = None
    """drawn where the corpus brings none; None: in proportion to its sources"""
    valid_scenes: int | None = None
    """likewise"""
    zero_target: int | None = None
    """test mixtures without a target beside them; None: a tenth"""
    seed: int = 0
    nj: int = 1

    def as_json(self) -> dict:
        """Return what decides the outcome: all but the number of processes."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "nj"}
        return {key: str(value.absolute()) if isinstance(value, Path) else value for key, value in values.items()}


def _is_begun(request: Preparation) -> bool:
    """Whether there is something that was made with the options of an unfinished preparation."""
    places = [request.data_dir / split / "wav.scp" for split in SPLITS]
    places += [request.dump_dir / name for name in (*SPLITS, "corpus")]
    return any(place.exists() for place in places)


def unfinished(request: Preparation, with_statistics: bool) -> str:
    """Return why there is something to do, or an empty string.

    Raises:
        ConfigError: the folder holds another preparation.
        DataError: it holds files of somebody else.
    """
    made = request.data_dir / MADE_FILE
    if not made.exists():
        if others := [split for split in SPLITS if (request.data_dir / split / "wav.scp").exists()]:
            raise DataError(
                f"{request.data_dir / others[0]} holds a data directory that 's5lib prepare' did not write. Choose "
                "another --data_dir (run.sh: --datadir)."
            )
        return "to be prepared"
    advice = f"Delete {request.data_dir} to begin anew."
    record = json_record(made, advice=advice)
    earlier = dict(record.values)
    if earlier.get("unfinished") and not _is_begun(request):
        return "to be prepared"  # an earlier call failed at once, and its options bind nobody
    before = record.record("scene_options").values
    _compare(earlier, request.as_json(), request.data_dir)
    fixed = proportion.ADAPTED & set(request.scene_options)
    if fixed and not proportion.ADAPTED & set(before):  # scenes may have been left out, which must stay now
        return f"{', '.join(sorted(fixed))} as given, and no longer as the corpus allows: prepared again"
    if earlier.get("unfinished") or not isinstance(earlier.get("files"), dict):
        return "was not finished: goes on"
    stamps = read_stamps(request.data_dir)
    problem = problem_of(made, earlier["files"])
    if not problem:
        description = CorpusDescription.read(request.data_dir)
        problem = stamps.difference(used_files(request, _asked_root(request, description.root)))
        if not problem and with_statistics and description.statistics is None:
            return "its training mixtures were not measured: goes on"
    if problem:
        return f"{problem}: prepared again"
    if stamps.is_changed:  # touched or copied, with the same content
        stamps.write(request.data_dir / STAMP_FILE)
    return ""


def _asked_root(request: Preparation, root: str) -> str:
    """Return the corpus that is asked for: ``root``, which was used, unless ``data_root`` is another folder."""
    if request.data_root is None or request.corpus == "mini":
        return root
    asked = find_root(request.data_root)
    return root if asked.resolve() == Path(root).resolve() else str(asked.absolute())


def made_files(data_dir: Path) -> dict[str, dict]:
    """Return sizes and digests of the files that were written into the data directories."""
    paths = [data_dir / "corpus.json"]
    for split in SPLITS:
        paths += [data_dir / split / name for name in ("labels", "utt2num_samples", "wav.scp")]
        paths += sorted((data_dir / split).glob("src*.scp"))
    return {path.relative_to(data_dir).as_posix(): stamp_output(path) for path in paths if path.is_file()}


def used_files(request: Preparation, root: str) -> list[str]:
    """Return the absolute paths of what the preparation was made from, and of the audio that its tables name."""
    paths = {os.path.abspath(path) for split in ("train", *SPLITS) for path in corpus_files(root, split)}
    for split in SPLITS:
        for recording in DataDirectory.read(request.data_dir / split):
            paths |= {split_entry(os.path.abspath(entry))[0] for entry in (recording.mixture, *recording.sources)}
    return sorted(paths)


def _compare(old: dict, new: dict, folder: Path) -> None:
    with contextlib.suppress(ConfigError):  # an option that is gone: compared as it stands
        old = _completed(old)
    # Where things lie does not matter: what is missing there is made, and a moved repository goes on.
    asked = Fingerprint({key: value for key, value in _completed(new).items() if key not in _PLACES})
    if different := asked.changes_since(old):
        raise ConfigError(
            f"{folder} was prepared with other options: {'; '.join(map(str, different))}. Choose another --data_dir "
            "(run.sh: --datadir), or delete that folder and what was made for it in the dump folder."
        )


def _completed(values: dict) -> dict:
    """Return a request with all settings of scenes, except where one says the same as an option of its own."""
    given = fill(values["scene_options"], options_of(DrawSettings), "the drawing of scenes")
    own = {"duration": values.get("duration"), "max_targets": values.get("max_sources")}
    chosen = {name: value for name, value in given.items() if value != own.get(name)}
    return {**values, "scene_options": {**asdict(DrawSettings()), **dict.fromkeys(own), **chosen}}
