"""The corpus as a list of independent jobs, each a pure function of its inputs, its options and its own name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from s5lib.corpora.clips import RATE, write_samples
from s5lib.corpora.own.judge import clean
from s5lib.corpora.own.noise import write_noise_piece
from s5lib.corpora.own.rooms import write_measured_room, write_simulated_room
from s5lib.corpora.simulation.ambience import diffuse_noise
from s5lib.errors import DataError
from s5lib.scenes.scene_folder import digest_of

__all__ = ["Job", "run_job"]

VERSION = 1
"""Raised when equal inputs give other files than before."""


@dataclass(frozen=True)
class Job:
    """One file of the corpus."""

    kind: str
    """A key of :data:`MAKERS`."""
    output: str
    """Below the corpus's ``dev_set`` folder."""
    size: int
    """Bytes that it will have, about."""
    inputs: tuple[str, ...] = ()
    """Paths."""
    options: dict[str, Any] = field(default_factory=dict)

    def made_from(self, digests: list[str], seed: int) -> str:
        """Return one digest of all that decides the file; ``digests`` are those of the inputs."""
        seeded = {"seed": seed, "name": self.output} if self.kind in SEEDED else {}
        return digest_of({"version": VERSION, "kind": self.kind, "of": digests, **self.options, **seeded})


def run_job(root: Path, seed: int, job: Job) -> Job:
    """Write the file of ``job`` below ``root``, the ``dev_set`` folder; return the job.

    Raises:
        DataError: an input cannot be read, or the file not be written.
    """
    generator = np.random.default_rng([seed, *job.output.encode()])
    MAKERS[job.kind](root / job.output, job.inputs, job.options, generator)
    return job


def _clip(path: Path, inputs: tuple[str, ...], options: dict[str, Any], generator: Generator) -> None:
    samples, rate, _, reason = clean(Path(inputs[0]))
    if reason:
        raise DataError(f"{inputs[0]}: {reason}; it was changed while the corpus was made. Run again.")
    write_samples(path, samples, rate)


def _noise(path: Path, inputs: tuple[str, ...], options: dict[str, Any], generator: Generator) -> None:
    write_noise_piece(path, inputs[0], generator=generator, **options)


def _ambience(path: Path, inputs: tuple[str, ...], options: dict[str, Any], generator: Generator) -> None:
    write_samples(path, diffuse_noise(generator, options["seconds"]), RATE)


def _simulated_room(path: Path, inputs: tuple[str, ...], options: dict[str, Any], generator: Generator) -> None:
    write_simulated_room(path, options["index"], generator)


def _measured_room(path: Path, inputs: tuple[str, ...], options: dict[str, Any], generator: Generator) -> None:
    write_measured_room(path, list(inputs), options["positions"])


MAKERS = {
    "clip": _clip,
    "noise": _noise,
    "ambience": _ambience,
    "simulated room": _simulated_room,
    "measured room": _measured_room,
}
SEEDED = ("noise", "ambience", "simulated room")
