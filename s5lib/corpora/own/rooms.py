"""Rooms of a corpus: simulated ones of several sizes and reverberation times, or measured impulse responses."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from s5lib.audio import read_audio, resample
from s5lib.corpora.clips import RATE
from s5lib.corpora.simulation.reverberation import absorption_for, reverberant_response
from s5lib.corpora.simulation.rooms import Room
from s5lib.corpora.simulation.sofa import write_sofa
from s5lib.errors import DataError
from s5lib.provenance import atomic_write
from s5lib.scenes.sofa import open_room, read_responses
from s5lib.untrusted import path_below, read_text, reason, shown

__all__ = ["MeasuredRoom", "draw_room", "find_rooms", "response_seconds", "write_measured_room", "write_simulated_room"]

POSITIONS = 36
KINDS = {
    # name: lowest and highest length, width, height in metres, reverberation time in seconds
    "small": ((2.4, 4.0), (2.0, 3.2), (2.3, 2.7), (0.12, 0.45)),
    "medium": ((4.0, 7.0), (3.2, 5.5), (2.4, 3.0), (0.2, 0.7)),
    "large": ((7.0, 13.0), (5.0, 10.0), (2.8, 5.0), (0.35, 1.1)),
}
LONGEST_RESPONSE = 0.5  # seconds; what is later is below -30 dB even in the most reverberant of these rooms
FROM_WALL = 0.3  # metres, at least, between a source and a wall
TABLE = "directions.csv"
COLUMNS = ("file", "azimuth", "elevation")


def draw_room(index: int, generator: Generator) -> tuple[Room, str, float]:
    """Return a room, the name of its size and its reverberation time in seconds; sizes take turns over ``index``."""
    name = list(KINDS)[index % len(KINDS)]
    *sides, reverberation = KINDS[name]
    size = np.array([generator.uniform(*side) for side in sides])
    seconds = float(reverberation[0] * (reverberation[1] / reverberation[0]) ** generator.random())
    microphone = size * np.array([*generator.uniform(0.35, 0.65, 2), generator.uniform(0.4, 0.6)])
    azimuth = 2 * np.pi * (np.arange(POSITIONS) + generator.uniform(-0.3, 0.3, POSITIONS)) / POSITIONS
    elevation = np.radians(generator.uniform(-25, 25, POSITIONS))
    unit = np.stack([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)], 1)
    with np.errstate(divide="ignore"):
        space = np.where(unit > 0, size - FROM_WALL - microphone, microphone - FROM_WALL) / np.abs(unit)
    furthest = np.minimum(space.min(axis=1), 4.0)
    distance = 0.5 * (np.maximum(furthest, 0.5) / 0.5) ** generator.random(POSITIONS)
    room = Room(size, microphone, absorption_for(size, seconds), generator.uniform(0.8, 0.97), distance[:, None] * unit)
    return room, name, seconds


def response_seconds(reverberation: float) -> float:
    """Return how long the responses of a simulated room are."""
    return min(max(reverberation, 0.1), LONGEST_RESPONSE)


def write_simulated_room(path: Path, index: int, generator: Generator) -> None:
    """Write the room that ``index`` and ``generator`` give as a SOFA file."""
    room, name, reverberation = draw_room(index, generator)
    seconds = response_seconds(reverberation)
    responses = np.stack([reverberant_response(room, position, seconds, generator) for position in room.positions])
    size = " x ".join(f"{side:.1f}" for side in room.size)
    description = f"{name} shoebox of {size} m, reverberation time {reverberation:.2f} s"
    _write(path, responses, room.positions, RATE, description)


def _write(path: Path, responses: np.ndarray, positions: np.ndarray, rate: int, description: str) -> None:
    with atomic_write(path, durable=False) as temporary:
        write_sofa(temporary, responses, positions, rate, title=path.stem, room=description)


@dataclass(frozen=True)
class MeasuredRoom:
    """A room of the user's: a SOFA file, or recordings of impulse responses."""

    name: str
    files: tuple[Path, ...]
    positions: tuple[tuple[float, float, float], ...]
    """Of the sources, metres from the microphone; empty for a SOFA file, which has its own."""
    num_channels: int


def find_rooms(folder: Path) -> tuple[list[MeasuredRoom], list[str]]:
    """Return the rooms in a folder, and what is wrong with it.

    A SOFA file is a room.  So is a folder with ``directions.csv``: a line ``file,azimuth,elevation[,distance]`` for
    each recording of an impulse response, in degrees (azimuth anticlockwise from the front, elevation up) and metres.
    """
    rooms: list[MeasuredRoom] = []
    problems: list[str] = []
    if not folder.is_dir():
        return rooms, [f"--rooms {folder}: no such folder."]
    for path in sorted([*folder.rglob("*.sofa"), *folder.rglob(TABLE)]):
        name = "_".join(path.relative_to(folder).with_suffix("").parts)
        try:
            if path.name == TABLE:
                room, wrong = _from_table(path, name.removesuffix(f"_{Path(TABLE).stem}"))
                rooms += [room] if room else []
                problems += wrong
            else:
                read_responses(path, RATE)
                rooms.append(MeasuredRoom(name, (path,), (), open_room(path).num_channels))
        except DataError as error:
            problems.append(str(error))
    if not rooms and not problems:
        problems.append(
            f"--rooms {folder}: no rooms there. Expected SOFA files, or folders with {TABLE} (columns "
            f"{', '.join(COLUMNS)} and distance) beside multichannel impulse responses."
        )
    channels = {room.num_channels: room.name for room in rooms}
    if len(channels) > 1:
        problems.append(f"--rooms {folder}: {channels} channels; all rooms need the same microphone.")
    return rooms, problems


def _from_table(path: Path, name: str) -> tuple[MeasuredRoom | None, list[str]]:
    """Return the room, None where something is wrong, and what is."""
    text = "\n".join(read_text(path).splitlines())  # of all systems; csv knows no bare carriage return
    try:
        rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"{path}: not a table ({reason(error)}); expected lines 'file,azimuth,elevation'.") from None
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise DataError(f"{path}: expected a first line 'file,azimuth,elevation,distance', then one for each response.")
    files, positions, kinds, problems = [], [], set(), []
    for number, row in enumerate(rows, 2):
        where = f"{path}, line {number}"
        try:
            positions.append(_position(row, where))
            files.append(path_below(path.parent, row["file"], where))
            samples, rate = read_audio(files[-1])
            kinds.add((len(samples), rate))
            if not samples[0].any():
                problems.append(f"{files[-1]}: silent in its first channel; expected an impulse response.")
        except DataError as error:
            problems.append(str(error))
    if len(kinds) > 1:
        problems.append(f"{path}: its responses differ in channels or sampling rate.")
    if problems:
        return None, problems
    return MeasuredRoom(name, tuple(files), tuple(positions), kinds.pop()[0]), []


def _position(row: dict, where: str) -> tuple[float, float, float]:
    """Return where the source of a line of the table stood, ``[3]`` in metres."""
    try:
        azimuth, elevation, distance = (
            float(row.get(key) or default) for key, default in (("azimuth", ""), ("elevation", ""), ("distance", 1))
        )
    except ValueError:
        raise DataError(f"{where}: {shown(dict(row))}: expected numbers: degrees, degrees, metres.") from None
    if not (abs(azimuth) <= 360 and abs(elevation) <= 90 and 0 < distance < 1e4):
        raise DataError(f"{where}: azimuth {azimuth:g}, elevation {elevation:g}, distance {distance:g} out of range.")
    a, e = math.radians(azimuth), math.radians(elevation)
    return distance * math.cos(a) * math.cos(e), distance * math.sin(a) * math.cos(e), distance * math.sin(e)


def write_measured_room(path: Path, files: list[str], positions: list[list[float]]) -> None:
    """Write the room of a user as a SOFA file at ``path``.

    Raises:
        DataError: a response cannot be read.
    """
    if not positions:
        with atomic_write(path, durable=False) as temporary:
            temporary.write_bytes(Path(files[0]).read_bytes())
        return
    responses = [resample(*read_audio(file), RATE) for file in files]
    longest = max(response.shape[1] for response in responses)
    padded = np.stack([np.pad(response, ((0, 0), (0, longest - response.shape[1]))) for response in responses])
    _write(path, padded, np.array(positions), RATE, os.fspath(Path(files[0]).parent.name))
