"""Files that are there as a whole or not at all, also after a power cut or on a full disk.

A file is written under a temporary name in the same folder, flushed to the disk (``fsync``), renamed over the old one,
and the folder, which holds the name, is flushed too.  A rename alone is not enough: after a power cut the new name may
lead to an empty file.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_write", "remove", "write_text"]


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path to write to; what was written replaces ``path`` at the end of the ``with`` block.

    When the block fails, ``path`` stays as it was and the temporary file is removed.  Folders above are made.

    Raises:
        OSError: the file cannot be written; ``filename`` is ``path``.  An error of the system that a library has
            wrapped into one of its own (as safetensors and ``torch.save`` do) is unwrapped.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(f"{folder}/a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(f"{folder}/a.txt").read_text(), len(os.listdir(folder))
    ('whole', 1)
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    except Exception as error:
        cause = _system_error(error)
        if cause is None:
            raise
        raise OSError(cause.errno, cause.strerror, os.fspath(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8; see :func:`atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(path: str | os.PathLike) -> None:
    """Remove a file for good, if there is one: a power cut does not bring it back."""
    path = Path(path)
    if path.exists():
        path.unlink()
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _system_error(error: BaseException | None) -> OSError | None:
    """Find the error of the operating system in what led to ``error``."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        told = re.search(r"\(os error (\d+)\)", str(error))  # the way of libraries written in Rust
        if told:
            return OSError(int(told[1]), os.strerror(int(told[1])))
        error = error.__cause__ or error.__context__
    return None
