"""The metrics as torchmetrics: states that add up over batches and processes, usable in a ``MetricCollection``.

Update them with one scene, or with a batch of fixed slots as in training; use keywords in a collection, since
accuracies take only labels.  ``compute`` returns NaN if no scene has a value, since a tensor cannot be None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from s5lib.errors import DataError
from s5lib.metrics.checks import check_plain
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
    """Yield the scene of an update, or the scenes of a batch without silent slots."""
    if getattr(mixture, "ndim", 1) < 2:
        yield estimates, estimated_labels, references, reference_labels, mixture
        return
    values = {"estimates": estimates, "references": references, "mixture": mixture}
    values |= {"estimated_labels": estimated_labels, "reference_labels": reference_labels}
    for name, value in values.items():
        check_plain(name, value)
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
    """A ratio of two sums over scenes, which subclasses define."""

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    # Sums are whole numbers of 1 / _units: exact in any number of updates and in any order, on every device.  Floats
    # would be of torch's default type, in which bfloat16 counts to 256, and not all devices have float64.
    _units = 1

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        # A MetricCollection merges metrics whose states have equal names and values after the first batch, as often
        # CA-PI-SDRi and CA-SDRi, and updates only one of them.  So no two metrics share a state's name.
        serial = next(_SERIAL)
        self._above, self._below = f"above_{serial}", f"below_{serial}"
        for name in (self._above, self._below):
            self.add_state(name, torch.tensor(0, dtype=torch.int64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        """Move the states and keep their type, which ``set_dtype`` and precision plugins would change."""
        return super()._apply(lambda value: value.to(fn(value.new_empty(0)).device), exclude_state)

    def _add(self, above: float, below: int) -> None:
        setattr(self, self._above, getattr(self, self._above) + round(above * self._units))
        setattr(self, self._below, getattr(self, self._below) + below)

    def compute(self) -> Tensor:
        """Return the mean, a float32 scalar; NaN if there was nothing to take it of."""
        above, below = getattr(self, self._above), getattr(self, self._below)
        mean = above.item() / self._units / below.item() if below else math.nan
        return torch.tensor(mean, dtype=torch.float32, device=above.device)

    def plot(self, val: Tensor | Sequence[Tensor] | None = None, ax: Any = None) -> Any:
        """Draw a value, or several as a line; needs matplotlib.

        Args:
            val: of :meth:`compute` or ``forward``, or a list of them; None: what :meth:`compute` gives.
            ax: axes to draw on; None: new ones.

        Returns:
            The figure and its axes.
        """
        return self._plot(val, ax)


class _SDRi(_Ratio):
    """Mean in dB of a function of one scene, over the scenes that have a value."""

    _function: Callable[..., SceneScore] = staticmethod(ca_pi_sdri)
    _units = 1 << 30  # up to 8e9 dB

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

    plot_lower_bound, plot_upper_bound = 0.0, 1.0

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
    check_plain("estimated_labels", estimated_labels)
    check_plain("reference_labels", reference_labels)
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
