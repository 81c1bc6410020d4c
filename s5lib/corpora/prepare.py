"""The data stage: from a corpus to data directories for validation and test, and ``corpus.json``."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tqdm import tqdm

from s5lib.audio import FoundAudio, open_audio
from s5lib.config.options import fill, options_of
from s5lib.corpora import mini, proportion
from s5lib.corpora.layout import data_directory_from_metadata, data_directory_from_synthesized
from s5lib.corpora.preparation import MADE_FILE, SPLITS, Preparation, made_files, unfinished, used_files
from s5lib.corpora.proportion import feasible
from s5lib.data.description import CorpusDescription
from s5lib.data.directory import DataDirectory
from s5lib.data.identity import STAMP_FILE, read_stamps
from s5lib.data.statistics import MixtureStatistics
from s5lib.errors import ConfigError, DataError
from s5lib.parallel import over_processes
from s5lib.provenance import folder_lock, write_json
from s5lib.scenes import Corpus, DrawSettings, Renderer, SceneDrawer, synthesize
from s5lib.scenes.corpus import metadata_files
from s5lib.untrusted import json_record

__all__ = ["Preparation", "prepare"]

log = logging.getLogger(__name__)


def prepare(
    request: Preparation, measure: Callable[[Corpus, DrawSettings], MixtureStatistics] | None = None
) -> CorpusDescription:
    """Prepare a corpus; what an earlier call for the same has finished is kept, what was damaged since is made again.

    Args:
        request: what to prepare.
        measure: gives the statistics of training mixtures, as :func:`s5lib.training.statistics.measure_mixtures`.

    Raises:
        DataError: the corpus is missing, incomplete or damaged, or ``data_dir`` holds somebody else's files.
        ConfigError: a folder cannot be written, or ``data_dir`` holds another preparation.
    """
    _check_places(request)
    try:
        with folder_lock(request.data_dir), folder_lock(request.dump_dir):
            if reason := unfinished(request, measure is not None):
                log.info("%s: %s", request.data_dir, reason)
            else:
                log.info("finished already: %s", request.data_dir)
                return CorpusDescription.read(request.data_dir)
            write_json(request.data_dir / MADE_FILE, {**request.as_json(), "unfinished": True})
            description = _prepare(request, measure)
            used = used_files(request, description.root)
            stamps = read_stamps(request.data_dir).of(used)
            try:
                stamps.digest(used)
            except OSError as error:
                raise DataError(f"{error.filename}: {error.strerror}. The corpus must not change meanwhile.") from error
            stamps.write(request.data_dir / STAMP_FILE)
            write_json(request.data_dir / MADE_FILE, {**request.as_json(), "files": made_files(request.data_dir)})
    except OSError as error:
        raise ConfigError(
            f"cannot write {error.filename or request.data_dir}: {error.strerror}. Choose other folders by --data_dir "
            "and --dump_dir (run.sh: --datadir, --dumpdir), or make room."
        ) from error
    return description


def _check_places(request: Preparation) -> None:
    """Raise ConfigError where what is written would become a part of the corpus."""
    if request.data_root is None:
        return
    inner = request.data_root / "dev_set"
    corpus = inner if inner.is_dir() else request.data_root
    for option, folder in (("data_dir", request.data_dir), ("dump_dir", request.dump_dir)):
        if folder.resolve().is_relative_to(corpus.resolve()):
            raise ConfigError(
                f"--{option} {folder} lies in the corpus {corpus}, which is only read. Choose another folder (run.sh: "
                f"--{option.replace('_', '')})."
            )


def _prepare(
    request: Preparation, measure: Callable[[Corpus, DrawSettings], MixtureStatistics] | None
) -> CorpusDescription:
    data_root = request.data_root
    if request.corpus == "mini":
        data_root = data_root or request.dump_dir / "corpus"
        mini.build(data_root, seed=request.seed, nj=request.nj)
    elif data_root is None:
        raise ConfigError(f"--corpus {request.corpus} needs --data_root DIR, the folder that holds it.")
    train = Corpus(data_root, "train")
    options = {
        "duration": request.duration or _duration(train),
        "max_targets": request.max_sources,
        **request.scene_options,
    }
    with_rate = {"sample_rate": _sample_rate(train), **options}
    wished = DrawSettings(**fill(with_rate, options_of(DrawSettings), "the drawing of scenes"))
    _report(train)
    _refuse_silence([Corpus(data_root, split) for split in _splits(train.root)], request.nj)
    settings = feasible(train, wished, request.scene_options)
    options |= {name: value for name, value in asdict(settings).items() if value != asdict(wished)[name]}
    valid = _scenes(request, data_root, "valid", wished)
    test = _scenes(request, data_root, "test", wished)
    for data in (valid, test):
        _check(data, request.max_sources)
    description = CorpusDescription(
        root=str(train.root.absolute()),
        labels=train.labels,
        sample_rate=settings.sample_rate,
        num_channels=train.num_channels,
        max_sources=request.max_sources,
        draw_options=options,
        statistics=measure(train, settings) if measure else None,
    )
    description.write(request.data_dir)
    return description


def _scenes(request: Preparation, data_root: Path, split: str, settings: DrawSettings) -> DataDirectory:
    """Make the data directory of a split from what the corpus has: rendered scenes, metadata or sounds to draw from."""
    root, out, dump = Corpus(data_root, "train").root, request.data_dir / split, request.dump_dir / split
    bar = partial(tqdm, unit="scene", desc=split, disable=None)
    if (root / "synthesized" / split / "soundscape").is_dir():
        data = data_directory_from_synthesized(root / "synthesized" / split, out)
        log.info("%s: %d rendered mixtures of the corpus", split, len(data))
        return data
    if (root / "metadata" / split).is_dir():
        _require_space(request.dump_dir, len(metadata_files(data_root, split)), settings)
        data = data_directory_from_metadata(data_root, split, out, dump, progress=bar)
        log.info("%s: %d mixtures rendered from the corpus's metadata", split, len(data))
        return data
    corpus = Corpus(data_root, split)
    settings = feasible(corpus, settings, request.scene_options)
    if split == "test":
        number, empty = request.test_scenes or proportion.test_scenes(corpus), request.zero_target
        empty = -(-number // 10) if empty is None else empty
    else:
        number, empty = request.valid_scenes or proportion.valid_scenes(corpus), 0
    _require_space(request.dump_dir, number + empty, settings)
    _announce(request, corpus, number + empty, settings)
    synthesize(
        data_root,
        split,
        dump,
        number,
        zero_target=empty,
        seed=request.seed,
        settings=settings,
        nj=request.nj,
        progress=bar,
        derived=_derived(request),
    )
    data = data_directory_from_synthesized(dump, out, Corpus(data_root, "train").labels)
    log.info("%s: %d mixtures drawn", split, len(data))
    return data


def _derived(request: Preparation) -> set[str]:
    """Return what of the request for scenes follows from the corpus, and changes with it."""
    given = {
        "num_scenes": request.test_scenes,
        "zero_target": request.zero_target,
        "settings.duration": request.duration,
    }
    names = {name for name, value in given.items() if value is None}
    return names | {f"settings.{name}" for name in proportion.ADAPTED - set(request.scene_options)}


def _announce(request: Preparation, corpus: Corpus, scenes: int, settings: DrawSettings) -> None:
    """Say how much room and time the scenes of a split take; the time is measured on one of them."""
    from humanfriendly import format_size, format_timespan

    drawer, renderer = SceneDrawer(corpus, settings), Renderer(corpus.root)
    for index in range(2):  # the first one loads libraries
        since = time.perf_counter()
        renderer(drawer(request.seed, index))
    seconds = scenes * (time.perf_counter() - since) / request.nj
    log.info(
        "%s: %d scenes of %g s, up to %s in %s, about %s",
        corpus.split,
        scenes,
        settings.duration,
        format_size(_size(scenes, settings)),
        request.dump_dir,
        format_timespan(max(1, round(seconds))),
    )


def _size(scenes: int, settings: DrawSettings) -> float:
    """Return the bytes of mixtures and sources, float32, at the most 4 + K channels."""
    return scenes * (4 + settings.max_targets) * settings.duration * settings.sample_rate * 4


def _require_space(folder: Path, scenes: int, settings: DrawSettings) -> None:
    """Refuse to begin what would fill the disk."""
    from humanfriendly import format_size

    folder.mkdir(parents=True, exist_ok=True)
    needed = _size(scenes, settings)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder} has {format_size(free)} free; {scenes} scenes need up to {format_size(needed)}. Choose another "
            "--dump_dir (run.sh: --dumpdir), or fewer scenes."
        )


def _duration(corpus: Corpus) -> float:
    """Return the duration that the corpus's own validation scenes have, else one in proportion to its clips."""
    try:
        first = metadata_files(corpus.root, "valid")[0]
    except DataError:
        return proportion.scene_seconds(corpus)
    return json_record(first).record("config").number("duration", above=0)


def _sample_rate(corpus: Corpus) -> int:
    return corpus.noises[0].info.sample_rate


def _report(corpus: Corpus) -> None:
    from humanfriendly import format_timespan

    clips = [clip for clips in corpus.events.values() for clip in clips]
    seconds = sum(clip.info.duration for clip in clips)
    log.info(
        "%s: %d classes, %d training sounds (%s), %d rooms, %d interfering sounds, %d noises",
        corpus.root,
        len(corpus.labels),
        len(clips),
        format_timespan(round(seconds)),
        len(corpus.room_paths),
        sum(map(len, corpus.interferences.values())),
        len(corpus.noises),
    )
    if corpus.skipped:
        log.warning("%s: %s", corpus.root, FoundAudio(skipped=corpus.skipped))
    silent = sorted(set(corpus.labels) - set(corpus.events))
    if silent:
        log.warning("%s: no recordings of %s, which is a class by its folder", corpus.root, ", ".join(silent))


def _splits(root: Path) -> list[str]:
    return [split for split in ("train", *SPLITS) if (root / "sound_event" / split).is_dir()]


def _refuse_silence(corpora: list[Corpus], nj: int) -> None:
    """Raise a DataError that lists all silent recordings: one would end a training in its midst."""
    paths = [clip.path for corpus in corpora for clip in corpus.clips]
    found = over_processes(_silent, paths, nj) if nj > 1 else map(_silent, paths)
    if silent := sorted(filter(None, found)):
        more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
        raise DataError(f"{len(silent)} recordings are silent: {', '.join(silent[:5])}{more}. Remove them.")


def _silent(path: Path) -> str:
    """Return the path of a recording whose samples are all zero, else an empty string."""
    with open_audio(path) as audio:
        rate = audio.sample_rate  # a second at a time: most sound within the first
        is_silent = not any(audio.read(start, start + rate).any() for start in range(0, audio.num_samples, rate))
    return os.fspath(path) if is_silent else ""


def _check(data: DataDirectory, max_sources: int) -> None:
    for recording in data:
        if recording.labels is not None and len(recording.labels) > max_sources:
            raise DataError(
                f"{data.path}: {recording.id} has {len(recording.labels)} sources, the recipe is for {max_sources}: "
                "raise --max_sources."
            )
