"""The process in which :mod:`s5lib.untrusted.hdf5` reads; it may hang or crash.

External storage, external and soft links and virtual datasets are refused before they are opened, and sizes are checked
before they are allocated.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from collections.abc import Iterator

import h5py
import numpy as np

from s5lib.errors import DataError
from s5lib.untrusted.documents import parse_json, to_json
from s5lib.untrusted.hdf5 import MOST_VALUES
from s5lib.untrusted.text import reason

__all__ = ["serve"]

MEMORY = 4 << 30
SECONDS, BYTES_PER_SECOND = 2, 5 << 20
"""A request may compute for 2 s, longer for large files."""


def serve() -> None:
    """Answer the requests of standard input until it ends.

    A request is a line of JSON: the file, its name in messages, the datasets' types, the names of attributes.  The
    answer is a line of JSON, a message or each dataset's shape, type and texts, followed by the values.
    """
    limits = resource.getrlimit(resource.RLIMIT_AS)
    memory = min([MEMORY, *(limit for limit in limits if limit != resource.RLIM_INFINITY)])
    resource.setrlimit(resource.RLIMIT_AS, (memory, limits[1]))
    for line in sys.stdin.buffer:
        path, name, dtypes, attributes = parse_json(line, "request")
        answer: dict[str, tuple] | str
        found: dict[str, tuple] = {}
        arrays: list[np.ndarray] = []
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS + os.path.getsize(path) / BYTES_PER_SECOND)
            with h5py.File(path, "r") as file:
                for key, dataset in _datasets(file, name, dtypes):
                    texts = {text: _text(dataset, text, name) for text in attributes if text in dataset.attrs}
                    found[key] = dataset.shape, dtypes[key], texts
                    if dtypes[key]:
                        arrays.append(np.ascontiguousarray(dataset.astype(dtypes[key])[()]))
            answer = found
        except DataError as error:
            answer, arrays = str(error), []
        except Exception as error:  # the library's many kinds, for damaged bytes
            answer = f"{name}: not an HDF5 file, or damaged ({reason(error)}); copy or fetch it again."
            arrays = []
        sys.stdout.buffer.write(f"{to_json(answer)}\n".encode())
        for array in arrays:
            sys.stdout.buffer.write(array.data)
        sys.stdout.buffer.flush()


def _datasets(file: h5py.File, path: str, names: dict[str, str | None]) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield those of ``names`` that the file has and that are arrays of numbers in it."""
    for name in names:
        if name not in file.keys():  # noqa: SIM118 - `in file` would follow a link into another file
            continue
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise DataError(f"{path}: {name} is a link to another place; expected the data in this file.")
        found = file[name]
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise DataError(f"{path}: {name} is not an array.")
        if found.is_virtual or found.external:
            raise DataError(f"{path}: {name} lies in another file; expected the data in this one.")
        if found.dtype.kind not in "fiu" or found.dtype.itemsize > 8 or found.dtype.subdtype is not None:
            raise DataError(f"{path}: {name} is of type {found.dtype}; expected numbers of at most 64 bits.")
        if max(math.prod(found.shape), math.prod(found.chunks or (0,))) > MOST_VALUES:
            raise DataError(
                f"{path}: {name} claims {'x'.join(map(str, found.shape))} values; expected at most {MOST_VALUES}."
            )
        yield name, found


def _text(dataset: h5py.Dataset, name: str, path: str) -> str:
    about = dataset.attrs.get_id(name)
    if math.prod(about.shape) != 1 or about.dtype.kind not in "OSU":
        raise DataError(f"{path}: {dataset.name[1:]}: {name} is not a text.")
    value = dataset.attrs[name]
    value = value.item() if isinstance(value, np.ndarray) else value
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))[:100]
