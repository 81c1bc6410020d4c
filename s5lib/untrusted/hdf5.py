"""Arrays of numbers from HDF5 files, which can point at other files of the machine and claim any size.

External storage, external and soft links and virtual datasets are refused before they are opened, sizes are checked
before they are allocated, and whatever the library raises for damaged bytes becomes a :class:`DataError`.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator

import h5py
import numpy as np

from s5lib.errors import DataError, S5Error
from s5lib.untrusted.text import reason

__all__ = ["Hdf5", "open_hdf5"]

MOST_VALUES = 1 << 27
"""Of one dataset; an hour of one channel at 32 kHz."""


@contextlib.contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Hdf5]:
    """Open a file for the ``with`` block.

    Raises:
        DataError: there is no such file, it is not HDF5, or it is damaged.
    """
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file.")
    try:
        with h5py.File(path, "r") as file:
            yield Hdf5(file, os.fspath(path))
    except S5Error:
        raise
    except Exception as error:  # the library's many kinds, for damaged bytes
        raise DataError(f"{path}: not an HDF5 file, or damaged ({reason(error)}); copy or fetch it again.") from None


class Hdf5:
    """The datasets at the top of an open file."""

    def __init__(self, file: h5py.File, path: str):
        self._file, self.path = file, path

    def __contains__(self, name: str) -> bool:
        return name in self._file.keys()  # noqa: SIM118 - `in file` would follow a link into another file

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array of numbers.

        Raises:
            DataError: there is none of this name, it lies in another file, is of another type, or too large.
        """
        return tuple(self._dataset(name).shape)

    def read(self, name: str, dtype: type = np.float64) -> np.ndarray:
        """Return an array of numbers as ``dtype``; for errors see :meth:`shape`."""
        return np.asarray(self._dataset(name).astype(dtype)[()])

    def attribute(self, name: str, key: str, default: str = "") -> str:
        """Return a text that describes the array ``name``; at most 100 characters of it."""
        attributes = self._dataset(name).attrs
        if key not in attributes:
            return default
        about = attributes.get_id(key)
        if math.prod(about.shape) != 1 or about.dtype.kind not in "OSU":
            raise DataError(f"{self.path}: {name}: {key} is not a text.")
        value = attributes[key]
        value = value.item() if isinstance(value, np.ndarray) else value
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text[:100]

    def _dataset(self, name: str) -> h5py.Dataset:
        if name not in self:
            raise DataError(f"{self.path}: no {name}.")
        if not isinstance(self._file.get(name, getlink=True), h5py.HardLink):
            raise DataError(f"{self.path}: {name} is a link to another place; expected the data in this file.")
        found = self._file[name]
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise DataError(f"{self.path}: {name} is not an array.")
        if found.is_virtual or found.external:
            raise DataError(f"{self.path}: {name} lies in another file; expected the data in this one.")
        if found.dtype.kind not in "fiu" or found.dtype.itemsize > 8 or found.dtype.subdtype is not None:
            raise DataError(f"{self.path}: {name} is of type {found.dtype}; expected numbers of at most 64 bits.")
        if max(math.prod(found.shape), math.prod(found.chunks or (0,))) > MOST_VALUES:
            raise DataError(
                f"{self.path}: {name} claims {'x'.join(map(str, found.shape))} values; expected at most {MOST_VALUES}."
            )
        return found
