"""The SDR loss the plain way: every permutation's loss by autograd, the smallest kept; shares no code with s5lib."""

from itertools import permutations

import torch


def sdr(estimate, reference):
    """Equation (4)."""
    return 10 * torch.log10(reference.square().sum() / (reference - estimate).square().sum())


def aligned_loss(prediction, target, labels, class_aware=True, slots=False):
    """Equation (3) for each item, with live values throughout; labels ``[B][K]``, None for silent."""
    values = []
    for b, row in enumerate(labels):
        active = [k for k, label in enumerate(row) if label is not None]
        losses = [
            -sum(sdr(prediction[b, e], target[b, r]) for r, e in zip(active, order, strict=True))
            for order in permutations(active)
            if not class_aware or all(row[r] == row[e] for r, e in zip(active, order, strict=True))
        ]
        values.append(torch.stack(losses).min() / (len(row) if slots else len(active)))
    return torch.stack(values)
