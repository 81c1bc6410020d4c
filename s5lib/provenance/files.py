"""Files and folders that appear whole or not at all, also after a power cut or on a full disk.

A file is written under a scratch name in the same folder, flushed to the disk (``fsync``) and renamed over the old
one; then the folder, which holds the name, is flushed too.  A rename alone is not enough: after a power cut the new
name may lead to an empty file.

A scratch name holds the process that uses it and a random part, so that concurrent writers never share one.  What a
killed process leaves is removed by the next one that writes into the folder.  A living process's scratch stays, even
for one that holds the folder's lock (:func:`s5lib.provenance.lock.folder_lock`): the other may hold a folder above.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from s5lib.errors import ConfigError, DataError, S5Error
from s5lib.provenance.owner import Owner
from s5lib.untrusted import open_regular, to_json

__all__ = [
    "atomic_folder",
    "atomic_write",
    "move",
    "no_empty_folders",
    "remove",
    "remove_scratch",
    "require_replaceable",
    "scratch_folder",
    "write_json",
    "write_text",
]

_SCRATCH = re.compile(r"\..*\.([0-9a-f]{8}-[0-9]+-[0-9]+)-[0-9a-f]{8}\.part", re.DOTALL)
READY, REPLACED = ".ready", ".replaced"
"""In a scratch folder: a whole set of files to put in place, and what had to make room for it; see :func:`settle`."""
_HELD = ".held"  # in a scratch folder: locked (flock) while its process lives
_DAY = 86400.0
_NAME_BYTES = 180  # of a target's name in a scratch name, which has to stay below the file system's 255
_SWEEP_INTERVAL = 1.0  # seconds: listing a folder of many files for each of them would take long
_swept: dict[str, float] = {}  # when a folder was last cleared of dead processes' scratch
_in_use: set[str] = set()  # scratch names of this process


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], durable: bool = True) -> Iterator[Path]:
    """Give a scratch path to write to; what was written replaces ``path`` at the end of the ``with`` block.

    If the block fails, ``path`` stays as it was and the scratch file is removed.  Folders above are made.

    Args:
        path: the file.
        durable: flush to the disk; not needed for what can be made again, such as a cache.

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
    with _naming(path), _scratch(path) as temporary:
        yield temporary
        if durable:
            _flush(temporary)
        os.replace(temporary, path)
        if durable:
            _flush(path.parent)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a new, empty scratch folder, which becomes ``path`` at the end of the ``with`` block.

    Raises:
        OSError: it cannot be made, or ``path`` is there already and not an empty folder.
    """
    path = Path(path)
    with _naming(path), _scratch(path) as temporary:
        temporary.mkdir()
        yield temporary
        os.replace(temporary, path)
        _flush(path.parent)


@contextlib.contextmanager
def scratch_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a new, empty folder beside ``path`` for work on it, removed at the end of the ``with`` block.

    Raises:
        OSError: it cannot be made.
    """
    with _scratch(Path(path)) as temporary:
        temporary.mkdir()
        with _held(temporary):
            yield temporary


def move(source: str | os.PathLike[str], target: str | os.PathLike[str], durable: bool = False) -> None:
    """Rename a complete file to its final name, on the same file system; an older ``target`` is replaced.

    Raises:
        OSError: it cannot be renamed.
    """
    if durable:
        _flush(Path(source))
    os.replace(source, target)
    if durable:
        _flush(Path(target).parent)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8; see :func:`atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write a JSON file, numbers to the last bit; see :func:`atomic_write`.

    Raises:
        ValueError: a number is not finite.
        OSError: it cannot be written.
    """
    write_text(path, to_json(content, indent=1) + "\n")


@contextlib.contextmanager
def no_empty_folders(*folders: str | os.PathLike[str]) -> Iterator[None]:
    """Remove folders that a failing ``with`` block has made and left empty, and those made above them."""
    paths = {path for folder in folders for path in (Path(folder).absolute(), *Path(folder).absolute().parents)}
    new = [path for path in paths if not path.exists()]
    try:
        yield
    except BaseException:
        for path in sorted(new, key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file for good, if there is one: a power cut does not bring it back."""
    path = Path(path)
    if path.exists():
        path.unlink()
        _flush(path.parent)


def remove_scratch(folder: str | os.PathLike[str]) -> None:
    """Remove what killed processes have left in a folder under scratch names.

    What a process of this machine uses stays while it lives; a scratch folder of any other process (of another machine,
    of another container, from before a reboot) stays while that process locks it.  A single file of such a process,
    and whatever lies on a file system without locks, goes once it is a day old.

    Args:
        folder: itself, not its sub-folders; need not exist.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _SCRATCH.fullmatch(entry.name)
            with contextlib.suppress(OSError):  # its owner, or another process that clears the folder, was faster
                if match is None or entry.name in _in_use or not _is_abandoned(match[1], entry):
                    continue
                _clear(Path(entry.path))


def settle(scratch: Path) -> None:
    """Put the set of files that a scratch folder has ready beside it; if none is, put back what had to make room.

    The manifest, a JSON file, goes last; if it is there already, nothing is left to do.  Nothing there is replaced or
    deleted: a scratch folder that came with a stranger's files can only add to them.

    Raises:
        OSError: something cannot be moved; it stays in the scratch folder.
    """
    folder = scratch.parent
    for place in (scratch / READY, scratch / REPLACED):
        if place.is_dir() and not place.is_symlink():
            names = sorted(os.listdir(place), key=lambda name: name.endswith(".json"))
            if not any(name.endswith(".json") and os.path.lexists(folder / name) for name in names):
                for name in names:
                    if not os.path.lexists(folder / name):
                        move(place / name, folder / name)
                _flush(folder)
            return


def require_replaceable(
    outputs: Mapping[Path, bytes], inputs: Iterable[str | os.PathLike[str]] = (), option: str = "--out"
) -> None:
    """Check that files can be written without loss of somebody else's.

    Args:
        outputs: the paths, and what is among the first bytes of each such file that s5lib writes.
        inputs: what is read to make them.
        option: that the paths come from.

    Raises:
        ConfigError: an output is an input, under whatever name, or a file of another kind.
    """
    there = {path: mark for path, mark in outputs.items() if path.exists()}
    for path, mark in there.items():
        for item in inputs:
            with contextlib.suppress(OSError):
                if os.path.samefile(path, item):
                    raise ConfigError(f"{option}: {path} would overwrite the input {item}. Choose another name.")
        try:
            with open_regular(path) as stream:
                begin = stream.read(256)
        except DataError as error:
            raise ConfigError(f"{option}: {error} Choose another name.") from error
        if begin and mark not in begin:
            raise ConfigError(f"{option}: {path} already exists and was not written by s5lib. Choose another name.")


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Give a scratch path for ``path``; whatever is there at the end is removed."""
    short = os.fsencode(path.name)[:_NAME_BYTES].decode("utf-8", "ignore")
    name = f".{short}.{Owner.this_process()}-{secrets.token_hex(4)}.part"
    temporary = path.with_name(name)
    _in_use.add(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder, now = os.path.abspath(path.parent), time.monotonic()
        if now - _swept.get(folder, -_SWEEP_INTERVAL) >= _SWEEP_INTERVAL:
            _swept[folder] = now
            remove_scratch(folder)
        yield temporary
    finally:
        with contextlib.suppress(OSError):  # the next process that clears the folder tries again
            _clear(temporary)
        _in_use.discard(name)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors of the system name the file that was to be written."""
    try:
        yield
    except S5Error:
        raise
    except Exception as error:
        cause = _system_error(error)
        if cause is None:
            raise
        raise OSError(cause.errno, cause.strerror, os.fspath(path)) from error


def _clear(scratch: Path) -> None:
    if scratch.is_dir() and not scratch.is_symlink():
        settle(scratch)
        shutil.rmtree(scratch, ignore_errors=True)
    else:
        scratch.unlink(missing_ok=True)


def _is_abandoned(owner: str, entry: os.DirEntry[str]) -> bool:
    parsed = Owner.parse(owner)
    if parsed is None:
        return False
    if parsed.is_local:
        return parsed.is_dead or parsed == Owner.this_process()  # not in use, so an earlier process's of that number
    paths = [entry.path]
    if entry.is_dir(follow_symlinks=False):
        if (held := _is_held(entry.path)) is not None:
            return not held
        paths += [inside.path for inside in os.scandir(entry.path)]
    return time.time() - max(os.lstat(path).st_mtime for path in paths) > _DAY


@contextlib.contextmanager
def _held(scratch: Path) -> Iterator[None]:
    """Lock a scratch folder; the lock ends with the process, which other machines cannot see."""
    draft = scratch / f"{_HELD}.new"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(OSError):  # the file system has no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.rename(draft, scratch / _HELD)  # locked from the moment it has this name
        yield
    finally:
        os.close(descriptor)


def _is_held(scratch: str) -> bool | None:
    """Return whether a process locks a scratch folder; None if that cannot be known."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(os.path.join(scratch, _HELD), flags)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


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
        code = re.search(r"\(os error (\d+)\)", str(error))  # the way of libraries written in Rust
        if code:
            return OSError(int(code[1]), os.strerror(int(code[1])))
        error = error.__cause__ or error.__context__
    return None
