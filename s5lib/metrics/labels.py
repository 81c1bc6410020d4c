"""Accuracy of labels (arXiv 2601.22504, section 4.2)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from s5lib.metrics.checks import check_same_kind, checked_labels
from s5lib.metrics.scene import LabelAccuracy

if TYPE_CHECKING:
    from s5lib.metrics.checks import Labels

__all__ = ["label_accuracy"]


def label_accuracy(estimated_labels: Labels, reference_labels: Labels) -> LabelAccuracy:
    """Compare the labels of one mixture as multisets, equation (6).

    Args:
        estimated_labels: the labels predicted, one for each source, names or class indices; silence left out.
        reference_labels: the true ones.

    Returns:
        Counts; ``sum()`` them over mixtures, then read ``.source`` and ``.mixture`` (0 to 1).

    Raises:
        DataError: labels are no sequence, mark silence (None, -1), or are names on one side and indices on the other.

    >>> label_accuracy(["Speech", "Cough"], ["Speech", "Speech"])
    LabelAccuracy(tp=1, fn=1, fp=1, correct=0, mixtures=1)
    >>> total = label_accuracy(["Speech"], ["Speech"]) + label_accuracy(["Speech", "Cough"], ["Speech", "Speech"])
    >>> total.source, total.mixture
    (0.5, 0.5)
    """
    estimates = checked_labels("estimated_labels", estimated_labels)
    references = checked_labels("reference_labels", reference_labels)
    check_same_kind(estimates, references)
    estimated, reference = Counter(estimates), Counter(references)
    fn, fp = (reference - estimated).total(), (estimated - reference).total()
    return LabelAccuracy((estimated & reference).total(), fn, fp, correct=int(fn == fp == 0), mixtures=1)
