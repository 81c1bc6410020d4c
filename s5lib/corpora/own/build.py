"""Makes a corpus from a folder of clips; later calls redo only what has changed."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from s5lib.audio.finding import SUFFIXES
from s5lib.corpora.own.find import FoundClip
from s5lib.corpora.own.jobs import Job, run_job
from s5lib.corpora.own.judge import Judgement, judge
from s5lib.corpora.own.plan import KINDS, find_sounds, find_surroundings, plan_jobs, split_sounds
from s5lib.corpora.own.record import CorpusRecord
from s5lib.corpora.own.report import report_text, summary_lines
from s5lib.corpora.own.request import NewCorpus
from s5lib.corpora.own.rooms import LONGEST_RESPONSE, POSITIONS, draw_room
from s5lib.corpora.own.select import select
from s5lib.corpora.simulation.reverberation import reverberant_response
from s5lib.errors import DataError
from s5lib.parallel import over_processes
from s5lib.provenance import folder_lock, no_empty_folders, write_text

__all__ = ["build"]

log = logging.getLogger(__name__)

SAVE_SECONDS = 10.0
CLIP_SECONDS = 0.03  # to read and write a clip, about
Progress = Callable[..., Iterable]


def build(request: NewCorpus, nj: int = 1, progress: Progress | None = None) -> Path:
    """Make a corpus in ``request.out / "dev_set"``, in the layout of the DCASE 2026 development set, 32 kHz.

    A file is made again only if what it is made from has changed.  A source stays in the set that it once was in.

    Args:
        request: what to make, of what.
        nj: processes.
        progress: called as ``progress(iterable, total=n, desc=text)``; ``tqdm``, for one.

    Returns:
        The ``dev_set`` folder.

    Raises:
        DataError: the clips can't become a corpus, with all the reasons; ``out`` holds somebody else's files or has
            too little room; a file cannot be read or written.
    """
    _check_places(request)
    try:
        with no_empty_folders(request.out), folder_lock(request.out):
            return _build(request, CorpusRecord.read(request.out), nj, progress)
    except OSError as error:
        raise DataError(
            f"{error.filename or request.out}: {error.strerror}. Make room or permission, or choose another --out."
        ) from error


def _check_places(request: NewCorpus) -> None:
    """Raise DataError where a folder is given for two things that would mix: what is read, and what is written."""
    given = {"": request.clips, "--rooms ": request.rooms, "--noise ": request.noise}
    given["--interference "] = _interference_folder(request)
    for option, folder in given.items():
        if folder is not None and _overlap(folder, request.out):
            raise DataError(
                f"--out {request.out} and {option}{folder} must not contain each other. Choose another folder."
            )
    if request.noise is not None and _overlap(request.noise, request.clips):
        raise DataError(
            f"--noise {request.noise} and {request.clips} must not contain each other: the background would hold the "
            "sounds to find. Put background recordings into a folder of their own, or leave the option out."
        )
    if (folder := given["--interference "]) is not None and _overlap(folder, request.clips):
        raise DataError(
            f"--interference {folder} and {request.clips} must not contain each other. For classes of {request.clips}, "
            "give their names: --interference LABEL,LABEL."
        )


def _interference_folder(request: NewCorpus) -> Path | None:
    """Return the folder of interference, None without one; a name of one of the clips' folders means the class."""
    name = request.interference
    if not name or (name == Path(name).name and (request.clips / name).is_dir()):
        return None
    return Path(name) if Path(name).is_dir() else None


def _overlap(one: Path, other: Path) -> bool:
    a, b = one.resolve(), other.resolve()
    return a == b or a in b.parents or b in a.parents


def _build(request: NewCorpus, record: CorpusRecord, nj: int, progress: Progress | None) -> Path:
    earlier = record.clips_folder
    if earlier and Path(earlier).is_dir() and not os.path.samefile(earlier, request.clips):
        raise DataError(f"{request.out} holds the corpus of {earlier}. Choose another --out for {request.clips}.")
    record.check_foreign(KINDS, SUFFIXES | {".sofa"})
    sounds = find_sounds(request)
    judged = _judged(sounds.clips.clips, record, nj, progress)
    chosen = select(sounds.clips, judged, sounds.targets)
    surroundings = find_surroundings(request, record.splits)
    for line in chosen.left_out_lines():
        log.warning("left out: %s", line)
    if problems := [*sounds.clips.problems, *chosen.problems, *surroundings.problems]:
        count = f"{len(problems)} problems keep it" if len(problems) > 1 else "a problem keeps it"
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise DataError(f"{request.clips}: {count} from becoming a corpus:{listed}")
    for note in (*sounds.clips.notes, *surroundings.notes):
        log.info("%s", note)
    splits = split_sounds(chosen.used, sounds.interference, record.splits)
    used = {clip: judged[clip] for clip in chosen.used}
    jobs = plan_jobs(request, used, splits, surroundings)
    _log_changes(record, {clip.shown: record.stamps[clip.path] for clip in chosen.used})
    record.clips = {clip.shown: record.stamps[clip.path] for clip in chosen.used}
    record.clips_folder = os.fspath(request.clips.absolute())
    record.splits = {**splits, **surroundings.splits}
    inputs = {path for job in jobs for path in job.inputs}
    record.stamps = record.stamps.of(inputs | {str(clip.path) for clip in judged})  # those left out are judged again
    _run(request, record, jobs, nj, progress)
    report = report_text(request, used, chosen, splits, jobs, surroundings.notes)
    write_text(request.out / "REPORT.md", report)
    for line in summary_lines(used, splits):
        log.info("%s", line)
    log.info("report: %s", request.out / "REPORT.md")
    return request.out / "dev_set"


def _judged(
    clips: list[FoundClip], record: CorpusRecord, nj: int, progress: Progress | None
) -> dict[FoundClip, Judgement]:
    """Return what becomes of each clip; what is known of a file's content is not found out again."""
    digests: dict[FoundClip, str] = {}
    found: dict[FoundClip, Judgement] = {}
    for clip in clips:
        try:
            digests[clip] = record.stamps[clip.path]
        except OSError as error:
            found[clip] = Judgement(f"cannot be read: {error.strerror}")
    unknown = {digest: clip.path for clip, digest in digests.items() if digest not in record.judgements}
    work: Iterable = (
        over_processes(_judge, list(unknown.items()), min(nj, len(unknown)))
        if nj > 1 and unknown
        else map(_judge, unknown.items())
    )
    for digest, judgement in progress(work, total=len(unknown), desc="checking clips") if progress else work:
        record.judgements[digest] = judgement
    record.judgements = {digest: record.judgements[digest] for digest in digests.values()}
    return found | {clip: record.judgements[digest] for clip, digest in digests.items()}


def _judge(item: tuple[str, Path]) -> tuple[str, Judgement]:
    return item[0], judge(item[1])


def _log_changes(record: CorpusRecord, clips: Mapping[str, str]) -> None:
    if not record.clips:
        return
    new, gone = sorted(clips.keys() - record.clips.keys()), sorted(record.clips.keys() - clips.keys())
    replaced = sorted(name for name in clips.keys() & record.clips.keys() if clips[name] != record.clips[name])
    for what, names in (("new", new), ("replaced", replaced), ("gone", gone)):
        if names:
            labels = Counter(name.split("/")[0] for name in names)
            listed = ", ".join(f"{count} of {label}" for label, count in labels.items())
            log.info("%s since the last call: %s (%s)", what, listed, names[0] + (", ..." if len(names) > 1 else ""))


def _run(request: NewCorpus, record: CorpusRecord, jobs: list[Job], nj: int, progress: Progress | None) -> None:
    """Make the files that are missing or made from something else, and remove those that are made no more."""
    made_from = {}
    for job in jobs:
        made_from[job.output] = job.made_from([record.stamps[path] for path in job.inputs], request.seed)
    todo = [job for job in jobs if not record.is_finished(job.output, made_from[job.output])]
    stale = record.outputs.keys() - made_from.keys()
    _announce(request, todo, len(jobs), nj)
    root = request.out / "dev_set"
    record.outputs |= {job.output: {"made_from": made_from[job.output]} for job in todo}
    record.write()  # from now on these files are known as ours, however this ends
    record.remove(stale)
    work = partial(run_job, root, request.seed)
    done: Iterable[Job] = over_processes(work, todo, nj) if nj > 1 and todo else map(work, todo)
    saved = time.monotonic()
    try:
        for job in progress(done, total=len(todo), desc="corpus") if progress else done:
            record.finish(job.output)
            if time.monotonic() - saved > SAVE_SECONDS:
                record.write()
                saved = time.monotonic()
    finally:
        record.write()


def _announce(request: NewCorpus, todo: list[Job], total: int, nj: int) -> None:
    """Say what there is to do, how much room and how long it takes; refuse what would fill the disk."""
    from humanfriendly import format_size, format_timespan

    if not todo:
        log.info("%s: all %d files are there and up to date", request.out, total)
        return
    size, free = sum(job.size for job in todo), shutil.disk_usage(request.out).free
    kinds = Counter(job.kind for job in todo)
    seconds = (kinds["simulated room"] * _room_seconds() + len(todo) * CLIP_SECONDS) / nj
    log.info(
        "%s: %d of %d files to make (%s), up to %s (%s free), about %s",
        request.out,
        len(todo),
        total,
        ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.items()),
        format_size(size),
        format_size(free),
        format_timespan(max(1, round(seconds))),
    )
    if size > free:
        raise DataError(
            f"{request.out}: {format_size(free)} free, but up to {format_size(size)} needed. Choose another --out."
        )


def _room_seconds() -> float:
    """Return how long a simulated room takes on this machine: measured on one of its responses."""
    room, *_ = draw_room(0, np.random.default_rng(0))
    for _ in range(2):  # the first one loads libraries
        since = time.perf_counter()
        reverberant_response(room, room.positions[0], LONGEST_RESPONSE, np.random.default_rng(0))
    return POSITIONS * (time.perf_counter() - since)
