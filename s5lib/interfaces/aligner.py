"""Contract of an aligner: pairwise scores and labels in, an assignment out.  Knows no audio, needs no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Score: TypeAlias = np.ndarray | Tensor | Sequence[Sequence[float]]

__all__ = ["Aligner", "Assignment"]


@dataclass(frozen=True)
class Assignment:
    """Which estimate belongs to which reference.

    ``pairs`` holds ``(reference, estimate)`` indices, sorted by reference; the rest is unmatched.
    """

    pairs: tuple[tuple[int, int], ...]
    unmatched_references: tuple[int, ...] = ()
    unmatched_estimates: tuple[int, ...] = ()


class Aligner(ABC):
    """Chooses pairs of references and estimates; serves the losses and the metrics alike.

    An aligner maps detached scores and labels to indices; the caller gathers its live values by them, so that no
    gradient is lost.
    """

    @abstractmethod
    def align(
        self, score: Score, reference_labels: Sequence[Hashable], estimated_labels: Sequence[Hashable]
    ) -> Assignment:
        """Assign estimates to references so that the sum of the chosen scores is largest.

        Args:
            score: ``[R, E]``, numpy array, tensor or lists of numbers, finite; larger is better.
            reference_labels: R labels.
            estimated_labels: E labels.

        Raises:
            ValueError: shapes and labels disagree, or a score is not finite.
        """

    def permute(self, score: Tensor, labels: Tensor) -> Tensor:
        """Assign slots to slots for a batch that has one list of labels for both sides, as in training.

        Args:
            score: ``[B, K, K]`` tensor, ``score[b, r, e]`` of reference r and estimate e.
            labels: ``[B, K]`` integer tensor; negative is a silent slot, which stays where it is.

        Returns:
            ``[B, K]`` long tensor: the estimate of each reference.

        This default calls :meth:`align` per item; aligners may override it with a faster equivalent.
        """
        import torch

        host, names = score.detach().cpu().double(), labels.tolist()
        order = torch.arange(score.shape[-1]).repeat(len(names), 1)
        for b, row in enumerate(names):
            active = [k for k, label in enumerate(row) if label >= 0]
            kept = [row[k] for k in active]
            for r, e in self.align(host[b][active][:, active].numpy(), kept, kept).pairs:
                order[b, active[r]] = active[e]
        return order.to(score.device)
