"""The three aligners that the paper compares (arXiv 2601.22504, section 4.3)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from s5lib.align.search import LARGEST_EXHAUSTIVE, best_pairs, checked_score
from s5lib.errors import ConfigError, nearest
from s5lib.interfaces import Aligner, Assignment

if TYPE_CHECKING:
    from torch import Tensor

    from s5lib.interfaces.aligner import Score

__all__ = ["ClassAware", "ClassAwarePermutationInvariant", "PermutationInvariant"]


def _slots_by_class(
    reference_labels: Sequence[Hashable], estimated_labels: Sequence[Hashable]
) -> list[tuple[list[int], list[int]]]:
    """Return for each class of the references, in order, the indices of its references and of its estimates."""
    slots: dict[Hashable, tuple[list[int], list[int]]] = {}
    for r, label in enumerate(reference_labels):
        slots.setdefault(label, ([], []))[0].append(r)
    for e, label in enumerate(estimated_labels):
        if label in slots:
            slots[label][1].append(e)
    return list(slots.values())


def _assignment(pairs: list[tuple[int, int]], references: int, estimates: int) -> Assignment:
    """Return the assignment of these pairs among so many references and estimates."""
    used_references, used_estimates = {r for r, _ in pairs}, {e for _, e in pairs}
    return Assignment(
        pairs=tuple(sorted(pairs)),
        unmatched_references=tuple(r for r in range(references) if r not in used_references),
        unmatched_estimates=tuple(e for e in range(estimates) if e not in used_estimates),
    )


class _LargestSum(Aligner):
    """The largest sum of scores over the pairs inside each class, or over all pairs."""

    within_class: bool

    def align(
        self, score: Score, reference_labels: Sequence[Hashable], estimated_labels: Sequence[Hashable]
    ) -> Assignment:
        """Assign inside each class by itself, or over all pairs; see :meth:`s5lib.interfaces.Aligner.align`."""
        scores = checked_score(score, reference_labels, estimated_labels)
        if not self.within_class:
            return _assignment(best_pairs(scores), *scores.shape)
        pairs = []
        for rows, columns in _slots_by_class(reference_labels, estimated_labels):
            pairs += [(rows[i], columns[j]) for i, j in best_pairs(scores[np.ix_(rows, columns)])]
        return _assignment(pairs, *scores.shape)

    def permute(self, score: Tensor, labels: Tensor) -> Tensor:
        """Assign for a batch; up to K = 4 on the tensors' device; see :meth:`s5lib.interfaces.Aligner.permute`."""
        from s5lib.align import batched

        batched.check_batch(score, labels)
        if score.shape[-1] > LARGEST_EXHAUSTIVE:
            return batched.on_host(super().permute)(score, labels)
        classes = labels if self.within_class else labels.clamp(max=0)
        return batched.best_permutation(score.detach(), batched.same_class(classes))


class ClassAwarePermutationInvariant(_LargestSum):
    """``ca_pi``: the largest sum of scores, pairs only inside a class: equations (2), (3) and (10).

    >>> ClassAwarePermutationInvariant().align([[0.0, 9.0, 9.0], [1.0, 0.0, 9.0]], "aa", "aab")
    Assignment(pairs=((0, 1), (1, 0)), unmatched_references=(), unmatched_estimates=(2,))
    """

    within_class = True


class PermutationInvariant(_LargestSum):
    """``pi``: the largest sum of scores over all pairs, whatever the labels: permutation invariant training.

    >>> PermutationInvariant().align([[0.0, 9.0], [1.0, 0.0]], "ab", "ab").pairs
    ((0, 1), (1, 0))
    """

    within_class = False


class ClassAware(Aligner):
    """``ca``: by label, without scores; at random or in order inside a class.

    Args:
        order: ``"random"``, drawn at each call like in the paper's CA-SDR loss; or ``"given"``, the i-th reference of a
            class with its i-th estimate.
        seed: a number, or a ``numpy.random.Generator`` to draw from.

    Raises:
        ConfigError: ``order`` is neither of the two.

    >>> ClassAware(order="given").align([[0.0, 9.0], [1.0, 0.0]], "aa", "aa").pairs
    ((0, 0), (1, 1))
    """

    def __init__(self, *, order: str = "random", seed: int | np.random.Generator = 0):
        if order not in ("random", "given"):
            raise ConfigError(f"order is {order!r} for the class-aware aligner. {nearest(order, ['random', 'given'])}")
        self.order = order
        self._generator = np.random.default_rng(seed)

    def align(
        self, score: Score, reference_labels: Sequence[Hashable], estimated_labels: Sequence[Hashable]
    ) -> Assignment:
        """Assign by label; see :meth:`s5lib.interfaces.Aligner.align`."""
        scores = checked_score(score, reference_labels, estimated_labels)
        pairs: list[tuple[int, int]] = []
        for rows, columns in _slots_by_class(reference_labels, estimated_labels):
            if self.order == "random":
                rows = self._generator.permutation(rows).tolist() if len(rows) > len(columns) else rows
                columns = self._generator.permutation(columns).tolist()
            pairs += zip(rows, columns, strict=False)
        return _assignment(pairs, *scores.shape)

    def permute(self, score: Tensor, labels: Tensor) -> Tensor:
        """Assign for a batch, any K on the tensors' device; see :meth:`s5lib.interfaces.Aligner.permute`."""
        import torch

        from s5lib.align import batched

        batched.check_batch(score, labels)
        slots = torch.arange(labels.shape[-1], device=labels.device).expand_as(labels)
        if self.order == "given":
            return slots.clone()
        keys = batched.random_keys(self._generator, labels)
        return torch.where(labels < 0, slots, batched.sorted_permutation(labels, keys))
