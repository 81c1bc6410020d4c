"""Lightning modules: training and validation steps for each kind of model.

The validation measures what the recipe reports in the end: PI-SDRi with oracle labels for separators, source and
mixture accuracy for taggers, CA-PI-SDRi with predicted labels for joint models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor

from s5lib.errors import ConfigError, nearest
from s5lib.interfaces.models import Model
from s5lib.losses import AlignedSDRLoss, PITCrossEntropy
from s5lib.metrics import ca_pi_sdri, label_accuracy, pi_sdri
from s5lib.training.metric_means import MetricMeans
from s5lib.training.processes import share_buffers
from s5lib.training.settings import TrainSettings

__all__ = ["JointTraining", "SeparatorTraining", "TaggerTraining"]


class _Training(lightning.LightningModule):
    """Optimiser, schedule, and the figures of a validation."""

    measured: tuple[str, ...]  # the names of what :meth:`measure` gives; the first chooses the best weights

    def __init__(self, model: Model, settings: TrainSettings):
        super().__init__()
        self.model = model
        self.settings = settings
        model.set_trainable(settings.layers)
        self.monitor = self.measured[0] if settings.monitor == "auto" else settings.monitor
        if self.monitor not in self.all_figures:
            choices = ("auto", *self.all_figures)
            raise ConfigError(f"--monitor is {settings.monitor!r}. {nearest(settings.monitor, choices)}")

    def outputs(self, batch: dict) -> Any:
        """Return what the model makes of a batch."""
        raise NotImplementedError

    def loss(self, outputs: Any, batch: dict) -> Tensor:
        raise NotImplementedError

    def on_train_start(self) -> None:
        """Set the learning rate of the next step by the schedule: one that was extended differs from the saved."""
        schedule = cast("torch.optim.lr_scheduler.LambdaLR", self.lr_schedulers())
        for group, rate in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
            group["lr"] = rate * self._lr_factor(schedule.last_epoch)

    def training_step(self, batch: dict, batch_index: int) -> Tensor:
        loss = self.loss(self.outputs(batch), batch)
        self.log("loss", loss, batch_size=len(batch["id"]))  # prog_bar=True would wait for the GPU at every step
        return loss

    @property
    def all_figures(self) -> tuple[str, ...]:
        """The names of a validation's metrics."""
        return ("valid_loss", *self.measured)

    def on_validation_epoch_start(self) -> None:
        share_buffers(self.model)
        self._figures = MetricMeans(self.all_figures)

    def validation_step(self, batch: dict, batch_index: int) -> dict:
        with torch.no_grad():
            outputs = self.outputs(batch)
            self._figures.add("valid_loss", [self.loss(outputs, batch).item()] * len(batch["id"]))
            for name, values in self.measure(outputs, batch).items():
                self._figures.add(name, values)
        return {"outputs": outputs}

    def on_validation_epoch_end(self) -> None:
        strategy = self.trainer.strategy
        figures = self._figures.means(lambda table: strategy.reduce(table.to(strategy.root_device), reduce_op="sum"))
        for name, value in figures.items():
            self.log(name, value, prog_bar=name != "valid_loss")

    def measure(self, outputs: Any, batch: dict) -> dict[str, list[float]]:
        """Return the batch's figures, a list with one value per scene (or per source) for each name."""
        raise NotImplementedError

    def estimates(self, outputs: Any, batch: dict) -> tuple[Tensor, Tensor | None]:
        """Return a batch's outputs for display.

        Returns:
            classes ``[B, K]``, with the number of classes or -1 for a silent slot, and waveforms ``[B, K, T]``, if any.
        """
        raise NotImplementedError

    def configure_optimizers(self):
        s = self.settings
        trained = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=s.lr, weight_decay=s.weight_decay, amsgrad=s.amsgrad)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._lr_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "lr"}}

    def _lr_factor(self, step: int) -> float:
        s = self.settings
        if step < s.warmup_steps:
            return (step + 1) / s.warmup_steps
        if s.schedule == "constant":
            return 1.0
        progress = (step - s.warmup_steps) / max(1, s.max_steps - s.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class TaggerTraining(_Training):
    """Permutation-invariant cross-entropy over the slots (section 3.1 of the paper)."""

    measured = ("source_accuracy", "mixture_accuracy")

    def __init__(self, model, settings):
        super().__init__(model, settings)
        self.criterion = PITCrossEntropy()

    def outputs(self, batch: dict) -> Tensor:
        """Return the logits, from the features of a frozen backbone where the batch brings these."""
        if "features" not in batch:
            return self.model(batch["mixture"])
        return cast("Callable[[Tensor], Tensor]", self.model.classify)(batch["features"])

    def loss(self, outputs, batch):
        return self.criterion(outputs.float(), batch["labels"])

    def measure(self, outputs, batch):
        predicted = outputs.argmax(-1)
        silence = self.model.config.num_classes
        return _accuracies(
            ([c for c in row if c != silence], [c for c in reference if c >= 0])
            for row, reference in zip(predicted.tolist(), batch["labels"].tolist(), strict=True)
        )

    def estimates(self, outputs, batch):
        return outputs.argmax(-1), None


class SeparatorTraining(_Training):
    """SDR of the sources paired by the aligner, with oracle labels as the query (section 3.2 of the paper)."""

    measured = ("pi_sdri",)

    def __init__(self, model, settings):
        super().__init__(model, settings)
        self.criterion = AlignedSDRLoss(aligner=settings.aligner, average=settings.average)

    def outputs(self, batch):
        return self.model(batch["mixture"], batch["query"])

    def loss(self, outputs, batch):
        return self.criterion(outputs.float(), batch["sources"], batch["query"])

    def measure(self, outputs, batch):
        values = []
        for estimate, source, labels, mixture in zip(
            outputs.float().cpu().numpy(),
            batch["sources"].cpu().numpy(),
            batch["labels"].tolist(),
            batch["mixture"][:, 0].cpu().numpy(),
            strict=True,
        ):
            active = [k for k, label in enumerate(labels) if label >= 0]
            if active:
                values.append(pi_sdri(estimate[active], None, source[active], None, mixture).value)
        return {"pi_sdri": values}

    def estimates(self, outputs, batch):
        return batch["labels"], outputs


class JointTraining(_Training):
    """SDR of the sources and cross-entropy of the labels, under one order of the slots.

    The aligner (by default ``pi``) sees the SDRs of all slots and chooses once per item; a silent slot scores 0 in
    every place.  Labels and sources are then compared in this order: silent slots by their cross-entropy alone.
    """

    measured = ("ca_pi_sdri", "pi_sdri", "source_accuracy", "mixture_accuracy")

    def __init__(self, model, settings):
        super().__init__(model, settings)
        self.criterion = AlignedSDRLoss(aligner=settings.aligner, average=settings.average)

    def outputs(self, batch):
        return self.model(batch["mixture"])

    def loss(self, outputs, batch):
        logits, estimates = outputs
        silence = logits.shape[-1] - 1
        classes = torch.where(batch["labels"] < 0, silence, batch["labels"])
        # Silence is a class of the query, too: then silent slots take part in the permutation, and as they have no
        # energy, they have no SDR.
        query = F.one_hot(classes, logits.shape[-1]).to(batch["sources"].dtype)
        sdr, order = self.criterion.per_item(estimates.float(), batch["sources"], query)
        ordered = logits.float().gather(1, order[..., None].expand_as(logits))
        labels = F.cross_entropy(ordered.flatten(0, 1), classes.flatten())
        return sdr.mean() + self.settings.label_weight * labels

    def measure(self, outputs, batch):
        logits, estimates = outputs
        silence = logits.shape[-1] - 1
        figures, labels = {"ca_pi_sdri": [], "pi_sdri": []}, []
        for classes, estimate, source, reference, mixture in zip(
            logits.argmax(-1).tolist(),
            estimates.float().cpu().numpy(),
            batch["sources"].cpu().numpy(),
            batch["labels"].tolist(),
            batch["mixture"][:, 0].cpu().numpy(),
            strict=True,
        ):
            found = [k for k, label in enumerate(classes) if label != silence]
            active = [k for k, label in enumerate(reference) if label >= 0]
            names = [classes[k] for k in found], [reference[k] for k in active]
            labels.append(names)
            value = ca_pi_sdri(estimate[found], names[0], source[active], names[1], mixture).value
            figures["ca_pi_sdri"] += [] if value is None else [value]
            if active:  # as with oracle labels: the best slot for each source, whatever the other slots hold
                pairs = pi_sdri(estimate, None, source[active], None, mixture).pairs
                figures["pi_sdri"].append(sum(pair.sdri for pair in pairs) / len(pairs))
        return {**figures, **_accuracies(labels)}

    def estimates(self, outputs, batch):
        logits, waveforms = outputs
        return logits.argmax(-1), waveforms


def _accuracies(labels: Iterable[tuple[list[int], list[int]]]) -> dict[str, list[float]]:
    """Return one value per source and one per mixture, from the predicted and the true labels of each mixture."""
    sources, mixtures = [], []
    for predicted, reference in labels:
        count = label_accuracy(predicted, reference)
        sources += [1.0] * count.tp + [0.0] * (count.fn + count.fp)
        mixtures.append(float(count.fn + count.fp == 0))
    return {"source_accuracy": sources, "mixture_accuracy": mixtures}
