"""The metrics as torchmetrics: states that add up over batches and processes, usable in a ``MetricCollection``.

All are updated by one scene or by a batch of fixed slots as in training; in a collection by keywords, since the
accuracies take labels alone.  Where no scene has a value, ``compute`` gives NaN, since a tensor cannot be None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import Metric

from s5lib.errors import DataError
from s5lib.metrics.labels import label_accuracy
from s5lib.metrics.scene import LabelAccuracy, SceneScore, ScoreTotal
from s5lib.metrics.sdri import ca_pi_sdri, ca_sdri, pi_sdri

if TYPE_CHECKING:
    from s5lib.metrics.checks import Labels, Signals
    from s5lib.metrics.sdri import Penalty

__all__ = ["CAPISDRi", "CASDRi", "MixtureAccuracy", "PISDRi", "SourceAccuracy"]

_SERIAL = count()


def _scenes(
    estimates: Any, estimated_labels: Any, references: Any, reference_labels: Any, mixture: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield the scenes of an update: the one given, or those of a batch, without their silent slots."""
    if getattr(mixture, "ndim", 1) < 2:
        yield estimates, estimated_labels, references, reference_labels, mixture
        return
    sides = {"estimates": (estimates, estimated_labels), "references": (references, reference_labels)}
    shape = list(mixture.shape)
    for name, (waveforms, labels) in sides.items():
        rows, slots = (list(getattr(value, "shape", ())) for value in (waveforms, labels))
        if len(shape) != 2 or len(rows) != 3 or [rows[0], rows[2]] != shape or slots != rows[:2]:
            raise DataError(
                f"mixture has shape {shape}, {name} {rows} and their labels {slots}. For one scene, mixture is [T], "
                "its reference channel; for a batch, mixture is [B, T], waveforms are [B, K, T] and labels [B, K]."
            )
    for b in range(shape[0]):
        scene = []
        for waveforms, labels in sides.values():
            row = labels[b].tolist()
            active = [k for k, label in enumerate(row) if label >= 0]
            scene += [waveforms[b][active], [row[k] for k in active]]
        yield *scene, mixture[b]


class _Ratio(Metric):
    """A sum over scenes divided by another one; what they are, the metrics say."""

    full_state_update = False
    higher_is_better = True
    is_differentiable = False

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        # A MetricCollection takes two metrics for one, and updates only the first, if after the first batch their
        # states have equal names and values: CA-PI-SDRi and CA-SDRi often have.  So no two share a state's name.
        serial = next(_SERIAL)
        self._above, self._below = f"above_{serial}", f"below_{serial}"
        self.add_state(self._above, torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state(self._below, torch.tensor(0), dist_reduce_fx="sum")

    def _add(self, above: float, below: int) -> None:
        setattr(self, self._above, getattr(self, self._above) + above)
        setattr(self, self._below, getattr(self, self._below) + below)

    def compute(self) -> Tensor:
        """Return the mean, a float32 scalar; NaN if there was nothing to take it of."""
        mean: Tensor = getattr(self, self._above) / getattr(self, self._below)
        return mean


class _SDRi(_Ratio):
    """Mean in dB of a function of one scene, over the scenes that have a value."""

    _function: Callable[..., SceneScore] = staticmethod(ca_pi_sdri)

    def __init__(self, options: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self._options = options

    def update(
        self,
        estimates: Signals,
        estimated_labels: Labels,
        references: Signals,
        reference_labels: Labels,
        mixture: Signals,
    ) -> None:
        """Add one scene, or a batch.

        Args:
            estimates: ``[E, T]``, or ``[B, K, T]``.
            estimated_labels: E labels, or class indices ``[B, K]``, negative for a silent slot.
            references: ``[R, T]``, or ``[B, K, T]``.
            reference_labels: R labels, or class indices ``[B, K]``, negative for a silent slot.
            mixture: ``[T]``, or ``[B, T]``: the reference channel.

        Raises:
            DataError: as the function of the same name.
        """
        total = ScoreTotal()
        for scene in _scenes(estimates, estimated_labels, references, reference_labels, mixture):
            total += self._function(*scene, **self._options)
        self._add(total.total, total.defined)


class CAPISDRi(_SDRi):
    """CA-PI-SDRi, equation (12); options as of :func:`s5lib.metrics.ca_pi_sdri`, others as of ``torchmetrics.Metric``.

    >>> metric = CAPISDRi()
    >>> references = torch.eye(2, 8)
    >>> metric.update(0.9 * references.flip(0), [3, 3], references, [3, 3], references.sum(0))
    >>> metric.compute()
    tensor(20.0000)
    """

    def __init__(self, *, pairing: str = "sdri", penalty_fn: Penalty = 0.0, penalty_fp: Penalty = 0.0, **kwargs: Any):
        super().__init__({"pairing": pairing, "penalty_fn": penalty_fn, "penalty_fp": penalty_fp}, **kwargs)


class CASDRi(_SDRi):
    """CA-SDRi of the 2025 task; same-class sources go in order.  Options as of :func:`s5lib.metrics.ca_sdri`."""

    _function = staticmethod(ca_sdri)

    def __init__(self, *, penalty_fn: Penalty = 0.0, penalty_fp: Penalty = 0.0, **kwargs: Any):
        super().__init__({"penalty_fn": penalty_fn, "penalty_fp": penalty_fp}, **kwargs)


class PISDRi(_SDRi):
    """PI-SDRi: labels are ignored.  Options as of :func:`s5lib.metrics.pi_sdri`."""

    _function = staticmethod(pi_sdri)

    def __init__(self, *, pairing: str = "sdri", penalty_fn: Penalty = 0.0, penalty_fp: Penalty = 0.0, **kwargs: Any):
        super().__init__({"pairing": pairing, "penalty_fn": penalty_fn, "penalty_fp": penalty_fp}, **kwargs)


class SourceAccuracy(_Ratio):
    """TP / (TP + FP + FN) over all mixtures, 0 to 1; NaN if there was neither a source nor a prediction.

    >>> metric = SourceAccuracy()
    >>> metric.update(["Speech", "Cough"], ["Speech", "Speech"])
    >>> metric.compute()
    tensor(0.3333)
    """

    def update(self, estimated_labels: Labels, reference_labels: Labels) -> None:
        """Add one mixture: E and R labels; or a batch: class indices ``[B, K]``, negative for a silent slot.

        Raises:
            DataError: as :func:`s5lib.metrics.label_accuracy`.
        """
        self._add(*self._counts(_label_total(estimated_labels, reference_labels)))

    @staticmethod
    def _counts(labels: LabelAccuracy) -> tuple[int, int]:
        return labels.tp, labels.tp + labels.fp + labels.fn


class MixtureAccuracy(SourceAccuracy):
    """The share of mixtures with all labels right, 0 to 1; NaN without a mixture."""

    @staticmethod
    def _counts(labels: LabelAccuracy) -> tuple[int, int]:
        return labels.correct, labels.mixtures


def _label_total(estimated_labels: Labels, reference_labels: Labels) -> LabelAccuracy:
    """Return the counts of one mixture or of a batch."""
    estimated, reference = (list(getattr(labels, "shape", ())) for labels in (estimated_labels, reference_labels))
    if len(estimated) != 2:
        return label_accuracy(estimated_labels, reference_labels)
    if reference != estimated:
        raise DataError(
            f"estimated_labels have shape {estimated} and reference_labels {reference}; both must be [B, K]."
        )
    rows = zip(_active(estimated_labels), _active(reference_labels), strict=True)
    return sum((label_accuracy(*labels) for labels in rows), LabelAccuracy())


def _active(labels: Any) -> list[list[int]]:
    """Return the labels of each item of ``[B, K]`` without its silent slots."""
    return [[label for label in row if label >= 0] for row in labels.tolist()]
