"""A dictionary that forgets what was used longest ago once its arrays exceed a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

__all__ = ["MemoryLimitedCache"]


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Value = TypeVar("Value", bound=_Sized)


class MemoryLimitedCache:
    """Keeps values with an ``nbytes`` attribute (numpy arrays, for one) under ``limit`` bytes in all.

    A value larger than the limit is handed out and not kept.  Threads may share a cache; two that ask for the same
    missing value at once both make it.

    >>> import numpy as np
    >>> cache = MemoryLimitedCache(limit=100)
    >>> cache.get("a", lambda: np.zeros(10)).nbytes, cache.nbytes
    (80, 80)
    >>> _ = cache.get("b", lambda: np.zeros(8))     # 64 bytes more: "a" goes
    >>> cache.nbytes, cache.hits, cache.misses
    (64, 0, 2)
    """

    def __init__(self, limit: int):
        self.limit = int(limit)
        self.nbytes = self.hits = self.misses = 0
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of ``key``; where it is not kept, ``make`` it and keep it if it fits."""
        with self._lock:
            if key in self._values:
                self.hits += 1
                self._values.move_to_end(key)
                kept: Value = self._values[key]
                return kept
            self.misses += 1
        value = make()
        with self._lock:
            if key not in self._values and value.nbytes <= self.limit:
                self._values[key] = value
                self.nbytes += value.nbytes
                while self.nbytes > self.limit:
                    self.nbytes -= self._values.popitem(last=False)[1].nbytes
        return value
