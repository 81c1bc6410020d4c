"""Checks of aligners against assignments found by brute force."""

from __future__ import annotations

import itertools
import math
import pickle
from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np

from s5lib.interfaces import Aligner
from s5lib.plugins import Component, find
from s5lib.testing.outcome import Skipped, require

SCENES = 60


class AlignerSubject:
    """An aligner under test, and seeded scenes for it."""

    def __init__(self, component: str | Component, options: dict[str, Any]):
        self.options = options
        self._asked = component

    @cached_property
    def component(self) -> Component:
        """The component, found when the first check runs."""
        return find("aligner", self._asked) if isinstance(self._asked, str) else self._asked

    @property
    def declared(self):
        """The declared capabilities."""
        return self.component.spec.capabilities

    def aligner(self) -> Aligner:
        """Return a new aligner."""
        return self.component.create(**self.options)

    def scenes(self):
        """Yield ``(score [R, E], reference_labels, estimated_labels)`` with 0 to 4 sources a side, 1 to 3 classes."""
        random = np.random.default_rng(11)
        for _ in range(SCENES):
            references, estimates = random.integers(0, 5, 2)
            classes = random.integers(1, 4)
            labels = [[f"class {c}" for c in random.integers(0, classes, count)] for count in (references, estimates)]
            yield random.normal(0, 10, (references, estimates)), *labels


def check_valid_assignments(subject: AlignerSubject) -> None:
    """Each index once, in pairs or unmatched; no possible pair left out; equal labels only, if declared."""
    aligner = subject.aligner()
    for score, references, estimates in subject.scenes():
        made = aligner.align(score, references, estimates)
        scene = f"labels {references} and {estimates}: {made}"
        for side, count, unmatched in (
            (0, len(references), made.unmatched_references),
            (1, len(estimates), made.unmatched_estimates),
        ):
            seen = sorted([pair[side] for pair in made.pairs] + list(unmatched))
            require(seen == list(range(count)), f"{('references', 'estimates')[side]} are not each there once; {scene}")
        require(list(made.pairs) == sorted(made.pairs), f"pairs are not sorted by reference; {scene}")
        if subject.declared.within_class:
            require(all(references[r] == estimates[e] for r, e in made.pairs), f"unequal labels are paired; {scene}")
        wanted = len(_all_assignments(references, estimates, subject.declared.within_class)[0])
        require(len(made.pairs) == wanted, f"{len(made.pairs)} pairs where {wanted} are possible; {scene}")


def check_against_all_assignments(subject: AlignerSubject) -> None:
    """The sum of the chosen scores is the largest of all assignments."""
    if not subject.declared.optimal:
        raise Skipped("it does not declare the largest sum (optimal=False)")
    aligner = subject.aligner()
    for score, references, estimates in subject.scenes():
        candidates = _all_assignments(references, estimates, subject.declared.within_class)
        best = max(sum(score[r, e] for r, e in pairs) for pairs in candidates)
        made = sum(score[r, e] for r, e in aligner.align(score, references, estimates).pairs)
        require(
            math.isclose(made, best, rel_tol=1e-6, abs_tol=1e-6),
            f"scores add up to {made:.6f}, the best assignment's to {best:.6f}; labels {references} and {estimates}",
        )


def check_tensors(subject: AlignerSubject) -> None:
    """A tensor that requires a gradient gives the same result as an array, and is not changed."""
    import torch

    for score, references, estimates in subject.scenes():
        tensor = torch.tensor(score, dtype=torch.float32, requires_grad=True)
        values = tensor.detach().numpy().copy()
        one = subject.aligner().align(tensor, references, estimates)
        other = subject.aligner().align(values, references, estimates)
        require(one == other, f"a tensor gives {one}, an array {other}")
        require(np.array_equal(tensor.detach().numpy(), values), "the scores were changed in place")


def check_batches(subject: AlignerSubject) -> None:
    """``permute`` permutes active slots inside a batch; silent ones stay; as good as ``align`` item by item."""
    import torch

    random = np.random.default_rng(12)
    for slots in (1, 2, 3, 5):
        score = torch.tensor(random.normal(0, 10, (8, slots, slots)), dtype=torch.float32, requires_grad=True)
        labels = torch.tensor(random.integers(-1, 2, (8, slots)))
        order = subject.aligner().permute(score, labels)
        require(order.shape == labels.shape, f"permute gave {tuple(order.shape)} for labels {tuple(labels.shape)}")
        require(order.dtype == torch.int64, f"permute gave {order.dtype}, expected torch.int64")
        for b, row in enumerate(labels.tolist()):
            chosen = order[b].tolist()
            scene = f"labels {row}: {chosen}"
            require(sorted(chosen) == list(range(slots)), f"permute is no permutation; {scene}")
            require(all(chosen[k] == k for k in range(slots) if row[k] < 0), f"a silent slot has moved; {scene}")
            if subject.declared.within_class:
                require(all(row[e] == row[r] for r, e in enumerate(chosen)), f"unequal labels are paired; {scene}")
            if subject.declared.optimal:
                _require_as_good_as_align(subject, score[b].detach().numpy(), row, chosen)


def _require_as_good_as_align(subject, score, row, chosen):
    active = [k for k, label in enumerate(row) if label >= 0]
    labels, kept = [row[k] for k in active], score[np.ix_(active, active)]
    wanted = sum(kept[r, e] for r, e in subject.aligner().align(kept, labels, labels).pairs)
    made = sum(score[k, chosen[k]] for k in active)
    require(math.isclose(made, wanted, rel_tol=1e-4, abs_tol=1e-3), f"permute reaches {made:.4f}, align {wanted:.4f}")


def check_bad_input(subject: AlignerSubject) -> None:
    """Scores that are not finite and label lists of another length are refused by a ValueError."""
    bad = [
        (np.array([[1.0, np.nan], [0.0, 1.0]]), ["a", "a"], ["a", "a"], "a NaN score"),
        (np.array([[1.0, np.inf], [0.0, 1.0]]), ["a", "a"], ["a", "a"], "an infinite score"),
        (np.zeros((2, 2)), ["a", "a", "a"], ["a", "a"], "three labels for two references"),
        (np.zeros((2, 2)), ["a", "a"], ["a"], "one label for two estimates"),
    ]
    for score, references, estimates, what in bad:
        try:
            made = subject.aligner().align(score, references, estimates)
        except ValueError:
            continue
        require(False, f"{what} must raise a ValueError, gave {made}")


def check_pickle(subject: AlignerSubject) -> None:
    """It can be sent to another process."""
    copy = pickle.loads(pickle.dumps(subject.aligner()))
    score = np.array([[0.0, 9.0], [1.0, 0.0]])
    wanted = subject.aligner().align(score, ["a", "b"], ["a", "b"])
    require(copy.align(score, ["a", "b"], ["a", "b"]) == wanted, "a pickled copy gives another assignment")


def check_loss(subject: AlignerSubject) -> None:
    """The loss with it is finite and has finite gradients."""
    import torch

    from s5lib.losses import AlignedSDRLoss

    generator = torch.Generator().manual_seed(4)
    prediction = torch.randn(2, 3, 800, generator=generator).requires_grad_()
    target = torch.randn(2, 3, 800, generator=generator)
    query = torch.zeros(2, 3, 4)
    query[:, :2, 1] = 1
    query[0, 2, 3] = 1
    target[1, 2] = 0
    loss = AlignedSDRLoss(aligner=subject.aligner())(prediction, target, query)
    loss.backward()
    require(bool(loss.isfinite()), f"the loss is {loss.item()}")
    gradient = prediction.grad
    require(gradient is not None and bool(gradient.isfinite().all()), "the loss has gradients that are not finite")


def _all_assignments(references, estimates, within_class: bool) -> list[list[tuple[int, int]]]:
    """List all assignments of the most pairs, by trying every partner, or none, for each reference."""
    count = min(len(references), len(estimates))
    if within_class:
        count = sum((Counter(references) & Counter(estimates)).values())
    found = []
    for partners in itertools.product([None, *range(len(estimates))], repeat=len(references)):
        pairs = [(r, e) for r, e in enumerate(partners) if e is not None]
        distinct = len({e for _, e in pairs}) == len(pairs) == count
        if distinct and not (within_class and any(references[r] != estimates[e] for r, e in pairs)):
            found.append(pairs)
    return found
