"""The corpus as a list of independent jobs, each a pure function of the seed and its own name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from s5lib.audio import encode_audio
from s5lib.corpora.mini.catalogue import INTERFERENCE, SOUND_EVENTS, SPLITS
from s5lib.corpora.simulation.ambience import diffuse_noise
from s5lib.corpora.simulation.rooms import draw_room, impulse_response
from s5lib.corpora.simulation.signals import SAMPLE_RATE, finish
from s5lib.corpora.simulation.sofa import write_sofa

__all__ = ["Job", "all_jobs", "generator", "run_job"]

NOISE_SECONDS = 5.0
IMPULSE_RESPONSE_SECONDS = 0.15


def generator(seed: int, *names: str) -> Generator:
    """Return a random generator that depends on ``seed`` and ``names`` alone, not on what was drawn elsewhere.

    >>> bool(generator(0, "train", "Speech").random() == generator(0, "train", "Speech").random())
    True
    """
    return np.random.default_rng([seed, *"/".join(names).encode()])


@dataclass(frozen=True)
class Job:
    """One piece of work: the files of one source, one noise or one room."""

    kind: str
    """The folder: ``sound_event``, ``interference``, ``noise`` or ``room_ir``."""
    split: str
    name: str
    """``LABEL/SOURCE`` for sounds, else the file's stem."""
    takes: int = 1

    @property
    def paths(self) -> list[str]:
        """The files it writes, below the ``dev_set`` folder."""
        stem = f"{self.kind}/{self.split}/{self.name}"
        if self.kind == "sound_event":
            return [f"{stem}/{self.name.split('/')[1]}_{take}.wav" for take in range(self.takes)]
        return [f"{stem}.sofa" if self.kind == "room_ir" else f"{stem}.wav"]


def all_jobs() -> Iterator[Job]:
    """Yield every job of the corpus, the long ones first."""
    for split, counts in SPLITS.items():
        for index in range(counts.rooms):
            yield Job("room_ir", split, f"room_{split}_{index}")
    for split, counts in SPLITS.items():
        for index in range(counts.noises):
            yield Job("noise", split, f"ambience_{split}_{index}")
        for label in INTERFERENCE:
            for index in range(counts.interference):
                yield Job("interference", split, f"{label}/{split}{index:02d}")
        for label in SOUND_EVENTS:
            for index in range(counts.sources):
                yield Job("sound_event", split, f"{label}/{split}{index:02d}", counts.takes)


def run_job(root: Path, seed: int, job: Job) -> None:
    """Write the files of ``job`` below ``root``, the ``dev_set`` folder to be.

    Raises:
        OSError: a file cannot be written.
    """
    names = (job.kind, job.split, job.name)
    for take, relative in enumerate(job.paths):
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        if job.kind == "room_ir":
            _write_room(path, generator(seed, *names))
        elif job.kind == "noise":
            _write_wav(path, diffuse_noise(generator(seed, *names), NOISE_SECONDS).T)
        else:
            model = (SOUND_EVENTS if job.kind == "sound_event" else INTERFERENCE)[job.name.split("/")[0]]
            # every take draws its source anew from the same generator: the same thing, used another time
            _write_wav(path, finish(model(generator(seed, *names), generator(seed, *names, f"take{take}"))))


def _write_wav(path: Path, sound: np.ndarray) -> None:
    """Write ``sound [T]`` or ``[T, M]`` as 16-bit PCM, whose header holds no time."""
    path.write_bytes(encode_audio(sound.T, SAMPLE_RATE, "pcm16"))


def _write_room(path: Path, drawn: Generator) -> None:
    room = draw_room(drawn)
    responses = [impulse_response(room, position, IMPULSE_RESPONSE_SECONDS) for position in room.positions]
    size = " x ".join(f"{side:.1f}" for side in room.size)
    description = f"shoebox of {size} m by the image-source method"
    write_sofa(path, np.stack(responses), room.positions, SAMPLE_RATE, title=path.stem, room=description)
