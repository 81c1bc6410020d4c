"""Reads zip files from strangers: nothing is unpacked to disk, and nothing is read before its size is known."""

from __future__ import annotations

import re
import stat
import zipfile
from collections import Counter
from pathlib import Path

from s5lib.errors import DataError
from s5lib.submission.rules import Violation
from s5lib.untrusted import is_file_name
from s5lib.untrusted.archives import check_members, damage

__all__ = ["Package"]

MOST_MEMBERS = 100_000
MOST_BYTES = {".json": 64 << 20, ".wav": 64 << 20}  # of one file; a WAV file of ten seconds has 1.3 MB
_ENCRYPTED = 0x1


class Package:
    """The members of a zip file that are safe to read, and what is wrong with the others.

    Args:
        path: of the file.

    ``violations`` are all of the archive's form; ``members`` maps names to what may be read by :meth:`read`.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.violations: list[Violation] = []
        self.members: dict[str, zipfile.ZipInfo] = {}
        self._file: zipfile.ZipFile | None = None
        try:
            self._file = zipfile.ZipFile(self.path)
        except (*damage, OSError) as error:
            self._violated(self.path.name, f"is no zip file, or is truncated ({error})")
        self._check(self._file.infolist() if self._file else [])

    def _violated(self, where: str, what: str) -> None:
        self.violations.append(Violation(where, what))

    def _check(self, infos: list[zipfile.ZipInfo]) -> None:
        if len(infos) > MOST_MEMBERS:
            self._violated(self.path.name, f"has {len(infos)} entries; expected at most {MOST_MEMBERS}")
            return
        try:
            check_members(infos, self.path.stat().st_size if infos else 0, self.path.name)
        except DataError as error:
            self._violated(self.path.name, f"is too large: {error}")
            return
        counts = Counter(info.filename.casefold() for info in infos)  # one file on systems that ignore case
        reported = set()
        for info in infos:
            name = info.filename
            if counts[name.casefold()] > 1:
                if name.casefold() not in reported:
                    self._violated(name, f"is there {counts[name.casefold()]} times (upper and lower case aside)")
                reported.add(name.casefold())
            elif problem := _problem(info):
                self._violated(name, problem)
            elif not info.is_dir():
                self.members[name] = info

    def read(self, name: str) -> bytes | None:
        """Return the content of a member; None, and a violation, where it cannot be read."""
        if self._file is None:
            return None
        try:
            with self._file.open(self.members[name]) as stream:
                return stream.read(self.members[name].file_size)
        except (*damage, OSError) as error:
            self._violated(name, f"cannot be unpacked, the archive is damaged ({error})")
            return None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _problem(info: zipfile.ZipInfo) -> str:
    """Return why an entry must not be read, or an empty string."""
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if "\\" in name or re.match("[A-Za-z]:", name) or not all(map(is_file_name, name.removesuffix("/").split("/"))):
        return "is no path within the package's folder: absolute, or with '..', a backslash or a control character"
    if kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return "is a link or a special file; expected a plain file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    largest = MOST_BYTES.get(Path(name).suffix.lower(), max(MOST_BYTES.values()))
    if info.file_size > largest:
        return f"unpacks to {info.file_size} bytes; expected at most {largest}: a zip bomb?"
    return ""
