"""Arrays of numbers from HDF5 files, which can point at other files of the machine, claim any size, and be damaged.

Some damaged bytes keep the HDF5 library busy without end, others crash it.  It therefore reads in a process of its own
(:mod:`s5lib.untrusted.hdf5_process`), which starts with the first file, serves all that follow, and has limits of time
and memory.  A file that ends it is refused.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from s5lib.errors import DataError
from s5lib.untrusted.documents import parse_json, to_json

__all__ = ["MOST_VALUES", "Dataset", "read_hdf5"]

MOST_VALUES = 1 << 27
"""Of one dataset; an hour of one channel at 32 kHz."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from s5lib.untrusted.hdf5_process import serve; serve()"


@dataclass(frozen=True)
class Dataset:
    """An array of numbers at the top of a file."""

    shape: tuple[int, ...]
    values: np.ndarray
    """Empty where only the shape was requested."""
    texts: dict[str, str]
    """The first 100 characters of each attribute that was requested and exists."""


def read_hdf5(
    path: str | os.PathLike[str], dtypes: Mapping[str, type | None], attributes: Iterable[str] = ()
) -> dict[str, Dataset]:
    """Return those of the requested datasets that a file has.

    Args:
        path: the file.
        dtypes: by dataset, the type of the returned values; None: the shape alone is read.
        attributes: names of texts that describe a dataset.

    Raises:
        DataError: there is no such file, it is not HDF5, or damaged; a dataset lies in another file, is no array of
            real numbers or has more than :data:`MOST_VALUES`; an attribute is not a text.
    """
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file.")
    types = {name: dtype and np.dtype(dtype).str for name, dtype in dtypes.items()}
    request = to_json([os.path.abspath(path), os.fspath(path), types, list(attributes)])
    with _process.lock:
        used = _process.popen is not None
        answer = _process.ask(request)
        if answer is None and used and _process.status != -signal.SIGPROF:  # an earlier file may have damaged it
            answer = _process.ask(request)
        status = _process.status
    if answer is None and status > 0:
        raise DataError(f"{path}: HDF5 files cannot be read: python -c 'import h5py' shows why.")
    if answer is None:
        problem = "keeps the HDF5 library busy" if status == -signal.SIGPROF else "crashes the HDF5 library"
        raise DataError(f"{path}: damaged, {problem}; copy or fetch it again.")
    if isinstance(answer, str):
        raise DataError(answer)
    return answer


class _Process:
    """The process, started by the first request."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.popen: subprocess.Popen[bytes] | None = None
        self.status = 0

    def ask(self, request: str) -> dict[str, Dataset] | str | None:
        """Return the datasets, or what is wrong with them, or None: the process has ended, with ``status``."""
        if self.popen is None:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self.stream = ours.makefile("rwb")
                self.popen = subprocess.Popen(
                    [sys.executable, "-c", _PROGRAM, *sys.path],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the program, which may still need its rooms
                )
        answer = None
        try:
            with contextlib.suppress(ConnectionError):
                self.stream.write(f"{request}\n".encode())
                self.stream.flush()
                answer = self._answer()
            if answer is None:
                self.popen.wait()
        finally:
            if answer is None:  # or the program is interrupted, with an answer on its way
                self.stop()
        return answer

    def _answer(self) -> dict[str, Dataset] | str | None:
        line = self.stream.readline()
        if not line.endswith(b"\n"):
            return None
        answer = parse_json(line, "HDF5")
        if isinstance(answer, str):
            return answer
        datasets = {}
        for name, (shape, dtype, texts) in answer.items():
            values = np.empty(shape if dtype else 0, dtype)
            if self.stream.readinto(values.reshape(-1).view(np.uint8).data) != values.nbytes:
                return None
            datasets[name] = Dataset(tuple(shape), values, texts)
        return datasets

    def stop(self) -> None:
        """End the process."""
        if self.popen is not None:
            self.popen.kill()
            self.status = self.popen.wait()
            self.leave()

    def leave(self) -> None:
        """Forget the process, which after a fork is the parent's."""
        if self.popen is not None:
            with contextlib.suppress(ConnectionError):
                self.stream.close()
            self.popen.returncode, self.popen = 0, None


def _after_fork() -> None:
    _process.lock = threading.Lock()
    _process.leave()


_process = _Process()
atexit.register(_process.stop)
os.register_at_fork(after_in_child=_after_fork)
