"""Sources divided among training, validation and test, each source in one set, where it stays."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

__all__ = ["LEAST_SOURCES", "SPLITS", "assign", "quotas"]

SPLITS = ("train", "valid", "test")
LEAST_SOURCES = len(SPLITS)
HELD_OUT = 0.2  # of the sources, for validation and for test each


def quotas(count: int) -> dict[str, int]:
    """Return how many of ``count`` sources each set gets.

    >>> quotas(3), quotas(10), quotas(1)
    ({'train': 1, 'valid': 1, 'test': 1}, {'train': 6, 'valid': 2, 'test': 2}, {'train': 1, 'valid': 0, 'test': 0})
    """
    if count < LEAST_SOURCES:
        return {"train": min(count, 1), "valid": 0, "test": max(0, count - 1)}
    held = max(1, round(HELD_OUT * count))
    return {"train": count - 2 * held, "valid": held, "test": held}


def assign(sources: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the set of each source.

    New ones come in the order of a digest of their names, which has nothing to do with the names' order, to the set
    that lacks most of its quota.  A known one stays in its set, unless another would be empty without it.

    >>> first = assign("abcdef", {})
    >>> more = assign("abcdefghijklmn", first)
    >>> all(more[source] == first[source] for source in first)
    True
    """
    ordered = sorted(set(sources), key=lambda source: hashlib.sha256(source.encode()).digest())
    wanted = quotas(len(ordered))
    found = {source: known[source] for source in ordered if known.get(source) in SPLITS}
    counts = Counter(found.values())
    for source in ordered:
        if source not in found:
            found[source] = max(SPLITS, key=lambda split: (wanted[split] - counts[split]) / max(1, wanted[split]))
            counts[found[source]] += 1
    for split in SPLITS:
        if wanted[split] and not counts[split]:
            fullest = max(SPLITS, key=counts.__getitem__)
            moved = next(source for source in reversed(ordered) if found[source] == fullest)
            found[moved] = split
            counts[fullest] -= 1
            counts[split] += 1
    return found
