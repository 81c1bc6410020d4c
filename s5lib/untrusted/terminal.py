"""What s5lib prints: foreign names cannot command the terminal, and a closed or full output ends no work.

Labels, file names and messages of plugins reach the screen by many ways, so the streams themselves are made safe, for
the time of a command.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from s5lib.untrusted.text import printable

__all__ = ["SafeFormatter", "safe_output"]


class SafeFormatter(logging.Formatter):
    """Writes what a terminal would obey as escapes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().format(record))


class _SafeStream:
    """A text stream that escapes controls, writes what its encoding lacks as escapes too, and remembers a failure."""

    def __init__(self, stream: TextIO, keep: str):
        self._stream, self._keep = stream, keep
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write ``text``, unless an earlier one could not be written."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        safe = printable(text, self._keep).encode(encoding, "backslashreplace").decode(encoding)
        with self._noted():
            self._stream.write(safe)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of ``lines``."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over what is waiting."""
        with self._noted():
            self._stream.flush()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        if self.failure is not None:
            return (yield)
        try:
            yield
        except OSError as error:
            self.failure = error
            # What is waiting in Python's buffer would fail again when the process ends.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Make ``sys.stdout`` and ``sys.stderr`` safe for the ``with`` block.

    Raises:
        OSError: (at the end) what was printed could not be written; a reader that has gone away (``| head``) is a
            :class:`BrokenPipeError`.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: a file that is opened later would get its number, and be printed into
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    null = open(os.devnull, "w", encoding="utf-8") if None in before else None  # noqa: SIM115 - closed below
    out = _SafeStream(sys.stdout or null, "\n\t")  # type: ignore[arg-type]
    error = _SafeStream(sys.stderr or null, "\n\t\r")  # type: ignore[arg-type]  # progress bars go back to the line's start
    sys.stdout, sys.stderr = out, error
    ended = None
    try:
        yield
    except SystemExit as end:
        ended = end
    finally:
        out.flush()
        error.flush()
        sys.stdout, sys.stderr = before
        if null is not None:
            null.close()
    if out.failure is not None:
        if out.failure.errno == errno.EPIPE:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        raise out.failure
    if ended is not None:
        raise ended
