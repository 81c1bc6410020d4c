"""Zip and tar archives from strangers: no bombs, no sparse files, one error for all damage."""

from __future__ import annotations

import contextlib
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from s5lib.errors import DataError, S5Error
from s5lib.untrusted.text import reason, shown

__all__ = ["check_members", "damage", "open_tar", "open_zip", "reported"]

damage = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, IndexError),
    *(NotImplementedError, RuntimeError, OverflowError, MemoryError),  # unknown methods, passwords, sizes beyond memory
)
"""What reading a damaged archive raises."""

MOST_MEMBERS = 1_000_000
MOST_GROWTH = 20
"""Times the archive's size; recordings without silence shrink to a third at most."""
_FREE_BYTES = 1 << 30


@contextlib.contextmanager
def reported(where: object, advice: str = "") -> Iterator[None]:
    """Turn what reading a damaged archive raises into a :class:`DataError` that begins with ``where``."""
    try:
        yield
    except S5Error:
        raise
    except OSError as error:
        raise DataError(f"{error.filename or where}: {error.strerror or error}.{' ' * bool(advice)}{advice}") from None
    except damage as error:
        raise DataError(f"{where}: not an archive, or damaged ({reason(error)}).{' ' * bool(advice)}{advice}") from None


def open_zip(source: str | os.PathLike[str] | IO[bytes], where: object) -> zipfile.ZipFile:
    """Open a zip archive.

    Raises:
        DataError: it is no zip archive, or damaged.
    """
    with reported(where):
        return zipfile.ZipFile(source)


@contextlib.contextmanager
def open_tar(path: Path, advice: str = "") -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
    """Yield ``(member, stream)`` of the plain files of a tar archive that is not compressed.

    Links and special files are passed over.

    Raises:
        DataError: it is no such archive, or damaged, or a file in it is sparse: a few bytes that unpack to any number.
    """

    def members() -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        for member in archive:
            if member.issparse():
                raise DataError(f"{path}: {shown(member.name)} is a sparse file, which unpacks to any size. {advice}")
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member, stream

    with reported(path, advice), tarfile.open(path, "r:") as archive:
        yield members()


def check_members(members: list[zipfile.ZipInfo], packed: int, where: object) -> int:
    """Return the bytes to which ``members`` unpack.

    Args:
        members: those that are to be unpacked.
        packed: size of the archive in bytes.
        where: the archive, for the message.

    Raises:
        DataError: there are too many, or they unpack to far more than an archive of that size can hold.
    """
    total = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or total > MOST_GROWTH * packed + _FREE_BYTES:
        raise DataError(
            f"{where}: {len(members)} members that unpack from {packed} to {total} bytes, expected at most "
            f"{MOST_GROWTH} times the archive's size. It may be a decompression bomb."
        )
    return total
