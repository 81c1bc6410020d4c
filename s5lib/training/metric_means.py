"""Validation metrics as sums and counts, so that their means do not depend on the number of processes.

Averaging the processes' means would weigh them wrongly, and a process without scenes has none.  Sums and counts are
added up over the processes once, in a fixed order of names, and then divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

__all__ = ["MetricMeans"]


class MetricMeans:
    """Collects the values of named figures.

    Args:
        names: of all figures that may come, the same on all processes.

    >>> figures = MetricMeans(["valid_loss", "pi_sdri"])
    >>> figures.add("valid_loss", [1.0, 2.0])
    >>> figures.means(lambda table: table)
    {'valid_loss': 1.5}
    """

    def __init__(self, names: Sequence[str]):
        self._sums = dict.fromkeys(names, 0.0)
        self._counts = dict.fromkeys(names, 0)

    def add(self, name: str, values: Iterable[float]) -> None:
        """Add the values of one figure; a name that was not declared is a :class:`KeyError`."""
        for value in values:
            self._sums[name] += float(value)
            self._counts[name] += 1

    def means(self, add_up: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the mean of each figure that has a value on any process.

        Args:
            add_up: gets a table ``[2, names]`` in float64 and returns its sum over the processes; all must call it.
        """
        table = torch.tensor([list(self._sums.values()), list(self._counts.values())], dtype=torch.float64)
        sums, counts = add_up(table).tolist()
        return {name: total / count for name, total, count in zip(self._sums, sums, counts, strict=True) if count}
