"""Slots in the order of their classes: for networks whose slots are numbered, although a query's labels are a set.

With labels in arbitrary order, such a network would have to learn up to K! queries instead of one.
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["sort_slots", "unsort_slots"]


def sort_slots(query: Tensor, places: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return ``query [B, K, C]`` with its slots sorted by class, silent ones last, and their order ``[B, K]``.

    Slot ``k`` of the result is slot ``order[:, k]`` of ``query``; slots of one class keep their order.

    Args:
        query: one-hot rows, zeros for a silent slot.
        places: ``[C]`` integers from 0 to C - 1, the place of each class; by default its number.

    >>> import torch
    >>> query = torch.eye(3)[[2, 0, 2]][None]
    >>> in_order, order = sort_slots(query)
    >>> in_order.argmax(-1).tolist(), order.tolist()
    ([[0, 2, 2]], [[1, 0, 2]])
    >>> torch.equal(unsort_slots(in_order, order), query)
    True
    """
    classes = query.argmax(-1)
    place = classes if places is None else places[classes]
    order = place.masked_fill((query == 0).all(-1), query.shape[-1]).argsort(dim=-1, stable=True)
    return _take(query, order), order


def unsort_slots(waveforms: Tensor, order: Tensor) -> Tensor:
    """Return what was made for the sorted slots, ``[B, K, ...]``, in the order of the query's own."""
    return _take(waveforms, order.argsort(-1))


def _take(values: Tensor, order: Tensor) -> Tensor:
    return values.gather(1, order.view(*order.shape, *[1] * (values.ndim - 2)).expand_as(values))
