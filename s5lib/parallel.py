"""The same work on many items, in processes of this machine or on the workers of a Dask scheduler."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

from s5lib.errors import ConfigError, DataError

__all__ = ["available_cores", "check_shared_memory", "import_early", "over_dask", "over_processes"]

DASK_TIMEOUT = "10s"
"""How long a scheduler may take to answer."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def check_shared_memory(instead: str) -> None:
    """Check that processes can be started that share semaphores and memory with this one.

    Args:
        instead: the option that does without.

    Raises:
        ConfigError: the machine does not let them.
    """
    try:
        multiprocessing.get_context().Lock()
    except OSError as error:
        raise ConfigError(
            f"processes cannot be started: /dev/shm cannot be written ({error.strerror}). Mount it writable (docker "
            f"run --shm-size=1g), or give {instead}."
        ) from error


def available_cores() -> int:
    """Return how many threads this process may use: ``OMP_NUM_THREADS`` as for torch, otherwise its cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def import_early(*modules: str) -> None:
    """Let a server import ``modules`` while this process does, for :func:`over_processes` to fork from.

    Does nothing where the machine has no such servers (``"forkserver"`` of :mod:`multiprocessing`).
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.forkserver.set_forkserver_preload(list(modules))
        multiprocessing.forkserver.ensure_running()


def over_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    processes: int,
    *,
    start_method: str | None = None,
    initializer: Callable[..., object] | None = None,
    initargs: tuple[object, ...] = (),
) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, as they come.

    Args:
        start_method: of :mod:`multiprocessing`; None: the machine's default.  Where threads are about, ``"spawn"``, or
            ``"forkserver"``, which is ``"spawn"`` where there is none; see :func:`import_early`.
        initializer: called in each process first, with ``initargs``.

    The processes end with this one, even if it is killed.

    Raises:
        ConfigError: the machine does not let processes share memory.
        DataError: a process was killed.
        Exception: whatever ``work`` raises; what has not begun by then is not done.
    """
    if start_method == "forkserver" and start_method not in multiprocessing.get_all_start_methods():
        start_method = "spawn"
    context = multiprocessing.get_context(start_method)
    check_shared_memory("--nj 1")
    with ProcessPoolExecutor(processes, context, partial(_begin, initializer, initargs)) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process was killed, probably because memory ran out: run again to resume, with a lower --nj. A "
                "script that calls this needs 'if __name__ == \"__main__\":'."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(initializer: Callable[..., object] | None, initargs: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes; the one that started them reports it
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _end_with(sentinel: int) -> None:
    """End this process when its parent has ended: it would wait for work forever."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def over_dask(work: Callable[[Item], Result], items: Sequence[Item], address: str) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, as they come, from the workers of the scheduler at ``address``.

    Raises:
        ConfigError: the package distributed is missing, or no scheduler answers.
        Exception: whatever ``work`` raises.
    """
    try:
        from distributed import Client
        from distributed import as_completed as as_finished
    except ImportError as error:
        raise ConfigError("--dask needs the package distributed: pip install 's5lib[dask]'.") from error
    try:
        client = Client(address, timeout=DASK_TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--dask is {address!r}, but no scheduler answers there ({error}).") from error
    with client:
        for future in as_finished(client.map(work, items, pure=False)):
            yield future.result()
