"""``train.log``: what s5lib logs, with time stamps, also in a file."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from s5lib.untrusted.terminal import SafeFormatter

__all__ = ["log_file"]


class _FileHandler(logging.FileHandler):
    def _open(self):
        # A link in a folder from elsewhere must not let the log grow in another file.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        return open(os.open(self.baseFilename, flags, 0o666), "a", encoding=self.encoding)

    def handleError(self, record):
        raise


@contextlib.contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append what s5lib logs to a file, for the time of a ``with`` block.

    Raises:
        OSError: the file cannot be written, at once or later, from the call that logs.
    """
    handler = _FileHandler(path, encoding="utf-8")
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("s5lib")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
