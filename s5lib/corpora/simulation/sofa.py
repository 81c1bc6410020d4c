"""Writes room impulse responses as a SOFA file (AES69-2022, convention GeneralFIR) with h5py alone.

SOFA is netCDF-4, and that is HDF5 in which every axis of a variable is tied to a dimension.  No time and no machine is
written, so that equal data give equal bytes.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from s5lib.version import __version__

__all__ = ["write_sofa"]

_CREATED = "2026-01-01 00:00:00"


def _attributes(title: str, room: str) -> dict[str, str]:
    return {
        "Conventions": "SOFA",
        "Version": "2.1",
        "SOFAConventions": "GeneralFIR",
        "SOFAConventionsVersion": "1.0",
        "APIName": "s5lib",
        "APIVersion": __version__,
        "ApplicationName": "s5lib",
        "ApplicationVersion": __version__,
        "AuthorContact": "",
        "Comment": "receivers: W, Y, Z, X (first-order Ambisonics, ACN order, SN3D)",
        "DataType": "FIR",
        "History": "",
        "License": "CC0-1.0",
        "Organization": "",
        "References": "",
        "RoomType": "reverberant",
        "RoomDescription": room,
        "Origin": "simulated",
        "DateCreated": _CREATED,
        "DateModified": _CREATED,
        "Title": title,
    }


def write_sofa(
    path: Path, responses: np.ndarray, positions: np.ndarray, sample_rate: int, *, title: str, room: str
) -> None:
    """Write impulse responses to ``path``.

    Args:
        path: the file, ``*.sofa``.
        responses: ``[P, 4, N]``, of P source positions, channels W, Y, Z, X; kept as float32.
        positions: ``[P, 3]``, cartesian, in metres from the receivers: x to the front, y to the left, z up.
        sample_rate: in Hz.
        title: goes into the file's attribute of that name.
        room: a description, into the attribute RoomDescription.

    Raises:
        OSError: the file cannot be written.
    """
    measurements, receivers, length = responses.shape
    sizes = {"E": 1, "M": measurements, "R": receivers, "N": length, "C": 3, "I": 1}
    cartesian = {"Type": "cartesian", "Units": "metre"}
    front = np.array([[1.0, 0.0, 0.0]])
    variables = {
        "ListenerPosition": (np.zeros((1, 3)), "IC", cartesian),
        "ReceiverPosition": (np.zeros((receivers, 3, 1)), "RCI", cartesian),
        "SourcePosition": (np.asarray(positions, float), "MC", cartesian),
        "EmitterPosition": (np.zeros((1, 3, 1)), "ECI", cartesian),
        "ListenerView": (front, "IC", cartesian),
        "Data.IR": (np.asarray(responses, np.float32), "MRN", {}),
        "Data.SamplingRate": (np.array([float(sample_rate)]), "I", {"Units": "hertz"}),
        "Data.Delay": (np.zeros((1, receivers)), "IR", {}),
    }
    with h5py.File(path, "w") as file:
        for name, text in _attributes(title, room).items():
            file.attrs[name] = np.bytes_(text)
        for number, (name, size) in enumerate(sizes.items()):
            scale = file.create_dataset(name, shape=(size,), dtype=">f4")
            # the words by which the netCDF library knows an axis that has no values of its own
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable. {size:9d}")
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        for name, (value, axes, attributes) in variables.items():
            variable = file.create_dataset(name, data=value)
            variable.attrs.update({key: np.bytes_(text) for key, text in attributes.items()})
            for axis, dimension in enumerate(axes):
                variable.dims[axis].attach_scale(file[dimension])
