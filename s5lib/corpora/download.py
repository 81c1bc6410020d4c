"""Downloads of large files: resumed after a break, verified, and refused where the disk lacks room.

Not by pooch (1.9): it sends no Range requests and deletes what has arrived when a connection breaks, so that an archive
of many GB would have to come in one piece.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s5lib.errors import DataError
from s5lib.provenance.files import move
from s5lib.provenance.lock import folder_lock
from s5lib.untrusted import Record, check_file_name, parse_json, shown

__all__ = ["RemoteFile", "fetch_files", "require_space", "with_size", "zenodo_files"]

CHUNK = 1 << 20
TIMEOUT = 60
"""Seconds without a byte after which a connection counts as broken."""
MOST_OF_A_RECORD = 8 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch."""

    url: str
    name: str
    size: int | None = None
    """Bytes, where known."""
    md5: str | None = None
    """Hexadecimal, where known."""

    def __post_init__(self):
        if not self.url.startswith(("https://", "http://")):  # urllib would open file:///etc/passwd, too
            raise DataError(f"{shown(self.url)} is not a web address; expected https://...")
        check_file_name(f"{self.name}.part", self.url)


def zenodo_files(record: int, api: str = "https://zenodo.org/api/records") -> list[RemoteFile]:
    """Return the files of a Zenodo record with their sizes and checksums, sorted by name.

    Raises:
        DataError: the record cannot be read.
    """
    url = f"{api}/{record}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            text = _received(response, url)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{url}: the list of files cannot be read ({error!r}). Is the network reachable?") from error
    files, advice = [], "The list of files cannot be read: is this the address of Zenodo's API?"
    for row in Record(parse_json(text, url, advice=advice), url, advice=advice).records("files"):
        kind, _, digest = row.text("checksum").rpartition(":")
        link, size = row.record("links").text("self"), row.integer("size", least=0)
        files.append(RemoteFile(link, row.name("key"), size, digest if kind in ("", "md5") else None))
    return sorted(files, key=lambda file: file.name)


def _received(response, url: str) -> bytes:
    """Return all of a short answer; one that has no end is given up."""
    content, since = bytearray(), time.monotonic()
    while chunk := response.read1(CHUNK):
        content += chunk
        if len(content) > MOST_OF_A_RECORD or time.monotonic() - since > TIMEOUT:
            raise DataError(f"{url}: the list of files does not end; gave up after {len(content)} bytes.")
    return bytes(content)


def require_space(folder: str | os.PathLike, needed: int, purpose: str) -> None:
    """Raise DataError where the disk that will hold ``folder`` has fewer than ``needed`` bytes free."""
    from humanfriendly import format_size

    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DataError(
            f"{folder}: {format_size(free, binary=True)} free, but {purpose} needs {format_size(needed, binary=True)}. "
            "Choose a folder on another disk."
        )


def with_size(file: RemoteFile) -> RemoteFile:
    """Ask the server for the size of a file; if the server does not say, it stays as it is.

    Raises:
        DataError: the server does not have the file, or does not answer.
    """
    if file.size is not None:
        return file
    try:
        with urllib.request.urlopen(urllib.request.Request(file.url, method="HEAD"), timeout=TIMEOUT) as response:
            length = _length(response)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{file.url}: cannot be reached ({error}).") from error
    return file if length is None else replace(file, size=length)


def _length(response) -> int | None:
    """Return what the server says of the length of its answer, where it says something that can be."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def fetch_files(
    files: Sequence[RemoteFile],
    folder: str | os.PathLike,
    tries: int = 5,
    wait: float = 5.0,
    reserve: int = 0,
    progress: Callable[..., object] | None = None,
) -> list[Path]:
    """Fetch files into a folder; what is there already, whole, is kept, what was begun is resumed.

    Args:
        files: what to fetch.
        folder: where to; a file in the making is ``NAME.part``.
        tries: attempts at each file in which not a byte arrives.
        wait: seconds before the second attempt; doubled after each.
        reserve: bytes that must stay free beside the files, to unpack them for one.
        progress: called as ``progress(total=bytes, desc=name)`` for an object with ``update(bytes)`` and ``close()``.

    Returns:
        The paths, in the order of ``files``.

    Raises:
        DataError: too little room (before the first byte), a checksum or size is wrong, the server gives up.
    """
    folder = Path(folder)
    missing = [file for file in files if not _whole(folder / file.name, file)]
    begun = sum(path.stat().st_size for file in missing if (path := _part(folder, file)).exists())
    needed = sum(file.size or 0 for file in missing) - begun
    if missing:
        require_space(folder, needed + reserve, f"fetching {len(missing)} files and unpacking them")
        with folder_lock(folder):  # two runs that append to one file would spoil it
            for file in missing:
                if not _whole(folder / file.name, file):
                    _fetch(file, folder, tries, wait, progress)
    return [folder / file.name for file in files]


def _part(folder: Path, file: RemoteFile) -> Path:
    return folder / f"{file.name}.part"


def _whole(path: Path, file: RemoteFile) -> bool:
    """Whether a fetched file is there; it got its name only after it was checked, so its size is enough."""
    return path.is_file() and file.size in (None, path.stat().st_size)


def _fetch(file: RemoteFile, folder: Path, tries: int, wait: float, progress: Callable[..., Any] | None) -> None:
    part = _part(folder, file)
    bar = progress(total=file.size, desc=file.name) if progress else None
    failures = 0
    problem: Exception | None = None
    while failures < tries:
        before = part.stat().st_size if part.exists() else 0
        if failures:
            time.sleep(wait * 2 ** (failures - 1))
        try:
            if file.size is None or before < file.size:
                _receive(file, part, bar)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416 and file.size is None:  # nothing is left to send: what is there is all
                break
            if error.code in (401, 403, 404, 410):
                raise DataError(f"{file.url}: the server says {error.code} {error.reason}.") from error
            problem = error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES):
                raise DataError(f"{part}: cannot be written ({error.strerror}). Make room and run again.") from error
            problem = error
        arrived = (part.stat().st_size if part.exists() else 0) > before
        failures = 1 if arrived else failures + 1  # a connection that breaks now and then still comes to its end
    else:
        raise DataError(f"{file.url}: broken off {tries} times, the last by {problem!r}. Run again to resume it.")
    if bar is not None:
        bar.close()
    part.touch()  # of a file without a byte, nothing came
    _check(file, part)
    move(part, folder / file.name, durable=True)


def _receive(file: RemoteFile, part: Path, bar) -> None:
    """Append what is missing; raise OSError where the connection ends before the file does."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not resumed:
            have = 0  # a server that does not know ranges sends all
        length = _length(response)
        expected = file.size if file.size is not None else None if length is None else have + length
        with open(part, "ab" if resumed else "wb") as target:
            while chunk := response.read(CHUNK):
                target.write(chunk)
                if expected is not None and target.tell() > expected:
                    target.truncate(0)
                    raise DataError(f"{file.url}: the server sends more than the {expected} bytes of {file.name}.")
                if bar is not None:
                    bar.update(len(chunk))
        if length is not None and part.stat().st_size < have + length:
            raise ConnectionError(f"{part.stat().st_size - have} of {length} bytes came")


def _check(file: RemoteFile, part: Path) -> None:
    size = part.stat().st_size
    if file.size is not None and size != file.size:
        part.unlink()
        raise DataError(f"{file.url}: {size} bytes came, expected {file.size}; what came was deleted. Run again.")
    if file.md5 is not None:
        digest = hashlib.md5(usedforsecurity=False)
        with open(part, "rb") as source:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != file.md5:
            part.unlink()
            raise DataError(
                f"{file.url}: wrong checksum, md5 {digest.hexdigest()}, expected {file.md5}; what came was deleted. "
                "Run again."
            )
