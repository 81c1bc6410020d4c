"""One writer at a time in a folder.

The file ``.lock`` in the folder names its owner: process, host, since when.  The lock itself is the system's
(``flock``), which ends with the process however it ends, so that a killed run never blocks the next one.  Where the
file system has no such locks, a file that only one process can create takes their place; it is taken over if its owner
ran on this machine and has ended, otherwise the message names the file to delete.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import platform
import re
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from s5lib.errors import ConfigError
from s5lib.provenance.files import remove_scratch
from s5lib.provenance.owner import Owner

__all__ = ["folder_lock"]

log = logging.getLogger(__name__)

_UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
_POLL_SECONDS = 0.2

# What this process holds: path of the lock -> its descriptor and the thread.
_held: dict[str, tuple[int, int]] = {}


def _close_in_child() -> None:
    # A lock lasts until the last process that has the file open ends: a forked one would hold it after its parent died.
    for descriptor, _ in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


@contextlib.contextmanager
def folder_lock(folder: str | os.PathLike[str], wait: bool = True) -> Iterator[None]:
    """Hold a folder, made where it is missing, for this thread; scratch of dead writers in it is removed.

    A thread that holds the folder already goes on, if it would wait.  So does one that may not write into the folder:
    its first write raises.

    Args:
        folder: to write into.
        wait: for another writer to end; the log says whom it waits for.  False: raise.

    Raises:
        ConfigError: another process holds the folder, and ``wait`` is False; or something else is in the lock's place.
        OSError: the folder cannot be made.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = os.path.join(os.path.realpath(folder), ".lock")
    if wait and path in _held and _held[path][1] == threading.get_ident():
        yield
        return
    try:
        descriptor, place = _acquire(path, folder, wait)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        yield
        return
    _held[path] = (descriptor, threading.get_ident())
    try:
        remove_scratch(folder)
        yield
    finally:
        if path in _held and _held[path][0] == descriptor:  # not in a process that was forked meanwhile
            del _held[path]
            with contextlib.suppress(OSError):
                os.unlink(place)
            os.close(descriptor)


def _acquire(path: str, folder: Path, wait: bool) -> tuple[int, str]:
    """Return the descriptor and the path of the file that now locks the folder."""
    announced = ("", "")
    while True:
        taken = _try(path)
        if isinstance(taken, tuple):
            _write_owner(taken[0])
            return taken
        process, where = _owner(taken)
        advice = f" If it has ended, delete {taken}." if taken.endswith(".exclusive") else ""
        if not wait:
            raise ConfigError(
                f"{folder} is in use by {process}. Wait for it, or use another folder, by --tag, --expdir or --out."
                f"{where}{advice}"
            )
        if (process, where) != announced:
            log.info("%s is in use by %s: waiting for it to finish.%s%s", folder, process, where, advice)
            announced = process, where
        time.sleep(_POLL_SECONDS)


def _try(path: str) -> tuple[int, str] | str:
    """Return descriptor and path of the lock's file; if another process has it, the path alone."""
    try:  # through a link, the owner's name would be written into a file elsewhere
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ConfigError(f"{path} is a link, where s5lib keeps a lock: remove it, or use another folder.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path} is not a regular file, where s5lib keeps a lock: remove it, or use another folder.")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in _UNSUPPORTED:
            return path
        with contextlib.suppress(OSError):
            os.unlink(path)
        return _try_exclusive(f"{path}.exclusive")
    try:
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor, path
    except FileNotFoundError:  # its last owner has removed it between the two calls
        pass
    os.close(descriptor)
    return _try(path)


def _try_exclusive(path: str) -> tuple[int, str] | str:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), path
    except FileExistsError:
        owner = Owner.parse(_lines(path)[-1])
        if owner is None or not owner.is_dead:
            return path
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return _try_exclusive(path)


def _write_owner(descriptor: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"process {os.getpid()} on {platform.node() or 'this host'} since {since}\n{Owner.this_process()}\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("utf-8", "surrogateescape"), 0)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(1000).splitlines() or [""]
    except OSError:
        return [""]


def _owner(path: str) -> tuple[str, str]:
    """Return who holds a lock, and a sentence that says where and since when, or an empty string."""
    match = re.fullmatch(r"(process [0-9]{1,10}) (on .{1,100} since [-0-9: ]{1,30})", _lines(path)[0])
    return (match[1], f" It runs {match[2]}.") if match and match[2].isprintable() else ("another process", "")
