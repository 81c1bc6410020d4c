"""Builds the corpus's folder: below a temporary name, in parallel, renamed when all of it stands."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from s5lib.corpora.mini.jobs import Job, all_jobs, run_job
from s5lib.errors import ConfigError, DataError
from s5lib.parallel import over_processes
from s5lib.provenance.files import atomic_folder
from s5lib.provenance.lock import folder_lock
from s5lib.untrusted import json_record, to_json

__all__ = ["STAMP", "VERSION", "build"]

VERSION = 1
"""Raised when the same seed gives other sounds than before."""
STAMP = "mini.json"
"""The file in ``dev_set`` that says which corpus it is; it is written last."""

log = logging.getLogger(__name__)


def build(root: str | os.PathLike, seed: int = 0, nj: int = 1) -> Path:
    """Make the mini corpus in ``root/dev_set``, in the layout of the DCASE 2026 development set, 32 kHz.

    The same seed gives the same bytes, whatever ``nj`` is.  A whole tree of the same seed and version is left as it is.
    An interrupted run leaves nothing behind that a later one could take for a corpus.

    Args:
        root: the data root; made if it is not there.
        seed: not negative.
        nj: number of processes.

    Returns:
        ``root/dev_set``.

    Raises:
        ConfigError: ``seed`` or ``nj`` is out of range.
        DataError: ``root/dev_set`` holds something else, or is damaged, or ``root`` cannot be written to.
    """
    for option, value, least in (("seed", seed, 0), ("nj", nj, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{option} is {value!r}; expected a whole number of at least {least}.")
    root, jobs = Path(root), list(all_jobs())
    target = root / "dev_set"
    try:
        if _is_built(target, seed, jobs):
            log.info("%s: the mini corpus of seed %d already exists", target, seed)
            return target
        with folder_lock(root):
            if _is_built(target, seed, jobs):  # by another run, which this one has waited for
                return target
            with atomic_folder(target) as draft:
                done = _run(draft, seed, jobs, nj)
                for _ in tqdm(done, total=len(jobs), desc="mini corpus", unit="source", disable=None):
                    pass
                _write_stamp(draft, seed, jobs)
    except OSError as error:
        if _is_built(target, seed, jobs):  # meanwhile, by a run on a machine that knows nothing of this one's lock
            return target
        raise DataError(
            f"Could not make the mini corpus below {root}: {error}. "
            "Choose a folder that can be written to, on a disk with 200 MB free."
        ) from error
    return target


def _run(root: Path, seed: int, jobs: list[Job], nj: int) -> Iterator[None]:
    """Run all jobs, yielding once per finished one."""
    if nj == 1:
        for job in jobs:
            run_job(root, seed, job)
            yield
        return
    # spawned, not forked: safe beside the threads of a numerical library in the caller
    yield from over_processes(partial(run_job, root, seed), jobs, nj, start_method="spawn")


def _write_stamp(root: Path, seed: int, jobs: list[Job]) -> None:
    stamp = {"corpus": "mini", "version": VERSION, "seed": seed, "files": sum(len(job.paths) for job in jobs)}
    (root / STAMP).write_text(to_json(stamp, indent=1) + "\n", encoding="utf-8")


def _is_built(target: Path, seed: int, jobs: list[Job]) -> bool:
    """Return whether ``target`` is the corpus asked for; raise a DataError if it is something else."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    try:
        stamp = json_record(target / STAMP)
        found = {"corpus": stamp.text("corpus"), "version": stamp.integer("version"), "seed": stamp.integer("seed")}
    except DataError:
        raise DataError(
            f"{target} exists and is not a mini corpus (it has no readable {STAMP}); nothing was changed. "
            "Choose another folder for the mini corpus, or use this one as a corpus of its own with --data_root."
        ) from None
    wanted = {"corpus": "mini", "version": VERSION, "seed": seed}
    if found != wanted:
        difference = ", ".join(f"{k} {found[k]!r} instead of {wanted[k]!r}" for k in wanted if found[k] != wanted[k])
        raise DataError(
            f"{target} holds another mini corpus: {difference}; nothing was changed. "
            "Choose another folder, or remove this one to build it anew."
        )
    missing = [path for job in jobs for path in job.paths if not (target / path).is_file()]
    if missing:
        raise DataError(
            f"{target} lacks {len(missing)} of its files, such as {missing[0]}. Remove the folder and build it anew."
        )
    return True
