"""Impulse responses and source positions from SOFA files (AES69), which are HDF5 files.

SOFA names its sizes M (measurements: here the source positions, P), R (receivers: the microphone's channels, M here)
and N (samples).  Format: https://www.sofaconventions.org
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from s5lib.audio import check_sample_rate, resample
from s5lib.errors import DataError
from s5lib.untrusted import shown
from s5lib.untrusted.hdf5 import MOST_VALUES, Dataset, read_hdf5

__all__ = ["Room", "open_room", "read_responses"]

MOST_POSITIONS = 100_000
MOST_METRES = 1e6
POSITION_TOLERANCE = 0.01
"""Metres (or degrees) between a position asked for and the room's nearest one that count as the same place."""


@dataclass(frozen=True)
class Room:
    """What a SOFA file says, its impulse responses aside."""

    path: str
    positions: np.ndarray
    """[P, 3] Cartesian, metres, in the file's own frame."""
    directions: np.ndarray
    """[P, 3] unit vectors from the microphone to the sources."""
    stored_positions: np.ndarray
    """[P, 3] as they stand in the file, spherical ones in degrees and metres."""
    sample_rate: int
    num_channels: int
    num_samples: int

    def __len__(self) -> int:
        return len(self.positions)

    def position(self, index: int) -> tuple[float, float, float]:
        """Return position ``index``, Cartesian."""
        x, y, z = self.positions[index].tolist()
        return x, y, z

    def position_index(self, position) -> int:
        """Return the index of the room's position at ``position``, 3 numbers as in the file or Cartesian.

        Raises:
            DataError: no position of the room is there.
        """
        position = np.asarray(position, np.float64)
        distances = [np.linalg.norm(known - position, axis=1) for known in (self.positions, self.stored_positions)]
        best = min(distances, key=np.min)
        index = int(np.argmin(best))
        if not best[index] <= POSITION_TOLERANCE:
            near = ", ".join(f"{value:.3f}" for value in self.positions[index])
            raise DataError(
                f"{self.path}: no source position at {position.tolist()}; the nearest of {len(self)} is ({near}). "
                "Was the scene made with another room?"
            )
        return index

    def angles(self, index: int) -> np.ndarray:
        """Return the angles [P] in degrees, 0 to 180, between position ``index`` and all positions."""
        return np.degrees(np.arccos(np.clip(self.directions @ self.directions[index], -1.0, 1.0)))


def open_room(path: str | os.PathLike) -> Room:
    """Read and check everything of a SOFA file but its impulse responses' values.

    Raises:
        DataError: not a SOFA file, truncated, or without what rendering needs.
    """
    path = os.fspath(path)
    wanted = {"Data.IR": None, "Data.SamplingRate": float, "SourcePosition": float, "ListenerPosition": float}
    found = read_hdf5(path, wanted, ("Type", "Units"))
    shape = _response_shape(found, path)
    stored, kind = _positions(found, path, "SourcePosition", shape[0])
    positions = _cartesian(stored, kind)
    microphone = np.zeros((1, 3))
    if "ListenerPosition" in found:
        microphone = _cartesian(*_positions(found, path, "ListenerPosition", shape[0]))
    offsets = positions - microphone
    distances = np.linalg.norm(offsets, axis=1, keepdims=True)
    if not (distances > 1e-6).all():
        raise DataError(f"{path}: source position {int(np.argmin(distances))} is at the microphone.")
    return Room(path, positions, offsets / distances, stored, _sample_rate(found, path), shape[1], shape[2])


def read_responses(path: str | os.PathLike, sample_rate: int) -> np.ndarray:
    """Return the impulse responses ``[P, M, N]`` float32 at ``sample_rate``, scaled to one common peak of 1.

    Raises:
        DataError: as :func:`open_room`; a value is not finite; a response is silent.
    """
    path = os.fspath(path)
    wanted = {"Data.IR": np.float32, "Data.SamplingRate": float, "Data.Delay": float}
    found = read_hdf5(path, wanted, ("Units",))
    shape, rate = _response_shape(found, path), _sample_rate(found, path)
    if math.prod(shape) * sample_rate > MOST_VALUES * rate:
        raise DataError(f"{path}: Data.IR of shape {shape} is too large at {sample_rate} Hz.")
    responses = found["Data.IR"].values
    if not np.isfinite(responses).all():
        bad = int(np.argmin(np.isfinite(responses).all(axis=(1, 2))))
        raise DataError(f"{path}: Data.IR of position {bad} holds values that are not finite numbers.")
    if "Data.Delay" in found and found["Data.Delay"].values.any():
        raise DataError(f"{path}: Data.Delay is not zero; delay the responses themselves and set it to zero.")
    responses = resample(responses, rate, sample_rate)
    silent = np.flatnonzero(~responses[:, 0].any(axis=-1))
    if len(silent):
        raise DataError(f"{path}: Data.IR of position {silent[0]} is silent in channel 0.")
    return responses / max(responses.max(), -responses.min())


def _response_shape(found: dict[str, Dataset], path: str) -> tuple[int, int, int]:
    if "Data.IR" not in found:
        raise DataError(f"{path}: no Data.IR; expected a SOFA file of impulse responses (DataType FIR).")
    shape = found["Data.IR"].shape
    if len(shape) != 3 or 0 in shape or shape[0] > MOST_POSITIONS:
        raise DataError(
            f"{path}: Data.IR has shape {list(shape)}, expected [positions, channels, samples], none 0, at most "
            f"{MOST_POSITIONS} positions."
        )
    return shape


def _sample_rate(found: dict[str, Dataset], path: str) -> int:
    if "Data.SamplingRate" not in found:
        raise DataError(f"{path}: no Data.SamplingRate.")
    values = np.unique(found["Data.SamplingRate"].values)
    if len(values) != 1 or not np.isfinite(values[0]):
        raise DataError(f"{path}: Data.SamplingRate is {shown(values.tolist())}, expected one number of Hz.")
    units = found["Data.SamplingRate"].texts.get("Units", "hertz")
    if units.lower() != "hertz":
        raise DataError(f"{path}: Data.SamplingRate is in {shown(units)}, expected hertz.")
    return check_sample_rate(values[0], f"{path}: Data.SamplingRate")


def _positions(found: dict[str, Dataset], path: str, name: str, count: int) -> tuple[np.ndarray, str]:
    if name not in found:
        raise DataError(f"{path}: no {name}; each response needs the position of its source.")
    values = found[name].values
    if values.ndim != 2 or values.shape[1] != 3 or values.shape[0] not in (1, count):
        raise DataError(f"{path}: {name} has shape {list(values.shape)}, expected [{count}, 3].")
    if not (np.abs(values) < MOST_METRES).all():
        raise DataError(f"{path}: {name} holds values that are not finite numbers, or distances that are out of range.")
    kind = found[name].texts.get("Type", "cartesian").lower()
    if kind not in ("cartesian", "spherical"):
        raise DataError(f"{path}: {name} has Type {shown(kind)}, expected cartesian or spherical.")
    units = found[name].texts.get("Units", "").lower().replace("meter", "metre").replace(" ", "")
    expected = {"cartesian": ("metre", "metre,metre,metre"), "spherical": ("degree,degree,metre",)}[kind]
    if units and units not in expected:
        raise DataError(f"{path}: {name} is {kind} in {shown(units)}, expected {expected[0]!r}.")
    return np.broadcast_to(values, (count, 3)), kind


def _cartesian(values: np.ndarray, kind: str) -> np.ndarray:
    """Azimuth anticlockwise from x in the plane, elevation up from it, in degrees; radius in metres."""
    if kind == "cartesian":
        return np.array(values)
    azimuth, elevation, radius = np.radians(values[:, 0]), np.radians(values[:, 1]), values[:, 2]
    plane = radius * np.cos(elevation)
    return np.stack([plane * np.cos(azimuth), plane * np.sin(azimuth), radius * np.sin(elevation)], axis=1)
