"""Which process made a file, and whether it still runs: for locks and for scratch files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["Owner"]


@dataclass(frozen=True)
class Owner:
    """A process, named so that a later process with the same number is not mistaken for it."""

    machine: str
    """host, boot and PID namespace, as eight hexadecimal digits: process numbers mean something only within it"""
    pid: int
    started: int
    """ticks from boot to the start of the process; 0 where the system does not say"""

    @classmethod
    def this_process(cls) -> Owner:
        """Return the running process."""
        return cls(_machine(), os.getpid(), _start_ticks(os.getpid()) or 0)

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Return the owner that ``str(owner)`` describes; None if ``text`` is not such a description."""
        match = re.fullmatch(r"([0-9a-f]{8})-([0-9]{1,10})-([0-9]{1,20})", text)
        return cls(match[1], int(match[2]), int(match[3])) if match else None

    def __str__(self) -> str:
        return f"{self.machine}-{self.pid}-{self.started}"

    @property
    def is_local(self) -> bool:
        """Whether this machine can see if the process runs."""
        return self.machine == _machine()

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to have ended; False on another machine."""
        if not self.is_local:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it runs, as another user
            return False
        ticks = _start_ticks(self.pid)
        return ticks is not None and self.started not in (0, ticks)


@lru_cache(maxsize=1)
def _machine() -> str:
    parts = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            parts.append(os.readlink(path) if path.endswith("/pid") else Path(path).read_text())
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _start_ticks(pid: int) -> int | None:
    """Return when a process started, -1 if it has ended and awaits its parent, None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return -1 if fields[0] == b"Z" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
