"""Background noise of a corpus: synthesised, or a user's recordings, mono ones made diffuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from humanfriendly import pluralize
from numpy.random import Generator
from scipy import fft

from s5lib.audio import find_audio_files, open_audio, probe
from s5lib.corpora.clips import write_samples
from s5lib.corpora.own.split import LEAST_SOURCES, SPLITS, assign
from s5lib.corpora.simulation.ambience import LEVEL, ambisonic_gains, diffuse_directions
from s5lib.errors import DataError

__all__ = ["NoisePiece", "diffuse", "find_noise", "lasting", "write_noise_piece"]

PIECE_SECONDS = 30.0
MOST_PIECES = 10  # of a recording, in each set
SHARES = {"train": (0.0, 0.6), "valid": (0.6, 0.8), "test": (0.8, 1.0)}  # of a recording, where there are too few
DECORRELATION = 2048  # samples, 64 ms
CROSSFADE_SECONDS = 0.1
LEAST_SECONDS = 0.1
LEAST_NOISE = 1e-5  # of full scale


@dataclass(frozen=True)
class NoisePiece:
    """A part of a recording that becomes one noise of a set."""

    split: str
    path: Path
    begin: float
    """In seconds, as :attr:`end`."""
    end: float


def find_noise(
    folder: Path, num_channels: int, known: Mapping[str, str]
) -> tuple[list[NoisePiece], dict[str, str], list[str], list[str]]:
    """Return the pieces of a folder's recordings, the set of each recording, what is wrong, and what to know.

    Fewer than three recordings are cut into three parts, one for each set.
    """
    if not folder.is_dir():
        return [], {}, [f"--noise {folder}: no such folder."], []
    durations, problems = {}, []
    for path in find_audio_files(folder).files:
        try:
            info = probe(path)
        except DataError as error:
            problems.append(str(error))
            continue
        if info.channels == num_channels or (info.channels <= 2 and num_channels == 4):
            durations[path] = info.duration
        else:
            fits = "1, 2 or 4" if num_channels == 4 else num_channels
            problems.append(f"{path}: {info.channels} channels, expected noise of {fits}, as the rooms have.")
    if not durations and not problems:
        problems.append(f"--noise {folder}: no recordings there.")
    if len(durations) < LEAST_SOURCES:
        pieces = [
            piece
            for path, seconds in durations.items()
            for split, (begin, end) in SHARES.items()
            for piece in _pieces(split, path, begin * seconds, end * seconds)
        ]
        note = f"noise: {pluralize(len(durations), 'recording')}, fewer than sets; each is cut into three parts"
        return pieces, {}, problems + _silent(pieces, num_channels), [note]
    names = {path.relative_to(folder).as_posix(): path for path in durations}
    splits = assign(names, known)
    pieces = [piece for name, path in names.items() for piece in _pieces(splits[name], path, 0.0, durations[path])]
    pieces.sort(key=lambda piece: SPLITS.index(piece.split))
    return pieces, splits, problems + _silent(pieces, num_channels), []


def _silent(pieces: list[NoisePiece], num_channels: int) -> list[str]:
    """Return which pieces are too short or have no level; of the others little is read."""
    problems = []
    for piece in pieces:
        try:
            with open_audio(piece.path) as audio:
                rate = audio.sample_rate
                first, last = int(piece.begin * rate), int(piece.end * rate)
                if last - first < LEAST_SECONDS * rate:
                    problems.append(
                        f"{piece.path}: {(last - first) / rate:.3g} s of noise for a set, to be repeated; expected "
                        f"at least {LEAST_SECONDS:g} s. Record more, or leave --noise out."
                    )
                    continue
                parts = (audio.read(start, min(start + rate, last)) for start in range(first, last, rate))
                if not any(np.abs(_heard(part, num_channels)).max() > LEAST_NOISE for part in parts):
                    problems.append(f"{piece.path}: silent from {piece.begin:g} to {piece.end:g} s. Remove it.")
        except DataError as error:
            problems.append(str(error))
    return problems


def _heard(samples: np.ndarray, num_channels: int) -> np.ndarray:
    """Return all channels of noise as the rooms have them, else their mean ``[1, T]``."""
    return samples if len(samples) == num_channels else samples.mean(axis=0, keepdims=True)


def _pieces(split: str, path: Path, begin: float, end: float) -> list[NoisePiece]:
    count = max(1, min(MOST_PIECES, int((end - begin) / PIECE_SECONDS)))
    length = min(PIECE_SECONDS, end - begin)
    return [NoisePiece(split, path, begin + index * length, begin + (index + 1) * length) for index in range(count)]


def write_noise_piece(
    path: Path, recording: str, begin: float, end: float, num_channels: int, seconds: float, generator: Generator
) -> None:
    """Write a part of a recording as noise of ``num_channels``, repeated where it is shorter than ``seconds``.

    Raises:
        DataError: it cannot be decoded.
    """
    with open_audio(recording) as audio:
        samples, rate = audio.read(int(begin * audio.sample_rate), int(end * audio.sample_rate)), audio.sample_rate
    samples = lasting(_heard(samples, num_channels), round(seconds * rate), round(CROSSFADE_SECONDS * rate))
    if len(samples) != num_channels:
        samples = diffuse(samples[0], generator)
    write_samples(path, samples * (LEVEL / max(samples.std(), LEAST_NOISE)), rate)


def lasting(samples: np.ndarray, length: int, crossfade: int) -> np.ndarray:
    """Return ``samples [M, T]`` repeated to at least ``length`` samples; repetitions overlap by ``crossfade``."""
    crossfade = min(crossfade, samples.shape[1] // 4)
    step = samples.shape[1] - crossfade
    repeats = max(1, -(-(length - crossfade) // step))
    if repeats == 1:
        return samples
    fade = np.sqrt(np.linspace(0, 1, crossfade, endpoint=False))
    one = samples.copy()
    one[:, :crossfade] *= fade
    one[:, step:] *= np.sqrt(1 - fade**2)
    out = np.zeros((len(samples), repeats * step + crossfade))
    for index in range(repeats):
        out[:, index * step : (index + 1) * step + crossfade] += one
    return out


def diffuse(sound: np.ndarray, generator: Generator) -> np.ndarray:
    """Return ``sound [T]`` from all around as first-order Ambisonics ``[4, T]``: W, Y, Z, X.

    Each of many directions has it through a filter of its own, 64 ms of random phase and flat magnitude, so that the
    directions' sounds are not correlated while spectrum and course of the sound stay as they are.
    """
    padded = fft.next_fast_len(len(sound) + DECORRELATION, real=True)
    spectrum = fft.rfft(sound, padded)
    total = np.zeros((4, len(spectrum)), complex)
    for gain in ambisonic_gains(diffuse_directions(generator)).T:
        phases = np.exp(2j * np.pi * generator.random(DECORRELATION // 2 + 1))
        phases[[0, -1]] = 1
        total += gain[:, None] * (spectrum * fft.rfft(fft.irfft(phases, DECORRELATION), padded))
    return fft.irfft(total, padded)[:, DECORRELATION // 2 : DECORRELATION // 2 + len(sound)]
