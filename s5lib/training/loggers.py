"""Where a run's numbers go beside ``history.jsonl``: TensorBoard, a CSV file, Weights & Biases."""

from __future__ import annotations

import csv
import importlib.util
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import lightning
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from s5lib.errors import ConfigError, nearest
from s5lib.provenance.files import write_text
from s5lib.training.best import BestWeights
from s5lib.training.history import read_history
from s5lib.training.run import LOGGERS

__all__ = ["RunSummary", "check_loggers", "make_loggers"]


def check_loggers(names: Sequence[str]) -> None:
    """Check that these loggers can be used.

    Raises:
        ConfigError: a name is unknown, or its package is not installed.
    """
    for name in names:
        if name not in LOGGERS:
            raise ConfigError(f"--logger {name}. {nearest(name, LOGGERS)}")
    if "wandb" in names and importlib.util.find_spec("wandb") is None:
        raise ConfigError(
            "--logger wandb needs the package wandb, which is not installed. Run pip install 's5lib[wandb]', or leave "
            "wandb out."
        )


def make_loggers(names: Sequence[str], folder: Path, first_step: int | None, is_main: bool) -> list[Logger]:
    """Return the loggers of one step of a run.

    Args:
        names: of :data:`~s5lib.training.run.LOGGERS`.
        folder: of the step.
        first_step: how many steps a resumed run has done; what was logged from there on is dropped, since a validation
            that was due, and all that comes after it, is logged again.
        is_main: whether this process writes.
    """
    makers = {"tensorboard": _tensorboard, "csv": _csv, "wandb": _wandb}
    return [make(folder, first_step, is_main) for name, make in makers.items() if name in names]


class _CountsSteps(Logger):
    """Files values under the number of steps done, as ``history.jsonl`` does; Lightning counts from 0."""

    done = 0
    """Kept up to date by :class:`RunSummary`."""

    def log_metrics(self, metrics, step=None):
        super().log_metrics(metrics, self.done)


class _TensorBoard(_CountsSteps, TensorBoardLogger):
    pass


class _CSV(_CountsSteps, CSVLogger):
    pass


def _tensorboard(folder: Path, first_step: int | None, is_main: bool) -> Logger:
    return _TensorBoard(folder, name=None, version="tensorboard", purge_step=first_step, default_hp_metric=False)


def _csv(folder: Path, first_step: int | None, is_main: bool) -> Logger:
    logger = _CSV(folder, name=None, version="csv")
    warnings.filterwarnings("ignore", ".*Experiment logs directory.*")  # Lightning begins a file anew; we keep its rows
    path = folder / "csv/metrics.csv"
    if is_main and first_step is not None and path.is_file():
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) < first_step]
        logger.experiment.metrics += [{key: value for key, value in row.items() if value} for row in rows]
        logger.save()
    return logger


def _wandb(folder: Path, first_step: int | None, is_main: bool) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    class WandB(_CountsSteps, WandbLogger):
        pass

    place = folder / "wandb_run"  # its id, so that a resumed run goes on in the same one
    if is_main and not place.exists():
        write_text(place, uuid4().hex)
    name = "/".join(folder.resolve().parts[-2:])
    project = os.environ.get("WANDB_PROJECT") or "s5lib"
    run_id = place.read_text(encoding="utf-8").strip() if is_main else None
    return WandB(name=name, project=project, save_dir=folder, id=run_id, resume="allow")


class RunSummary(lightning.Callback):
    """Gives every logger the options of the run, the step, and at the end the figures of the best validation.

    Args:
        options: of model and training.
        best: which validation that is.
        history: ``history.jsonl``, which has its figures.
    """

    def __init__(self, options: dict[str, Any], best: BestWeights, history: Path):
        self.options, self.best, self.history = options, best, history

    def on_train_start(self, trainer, pl_module):
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoardLogger):  # which wants options and figures together
                logger.log_hyperparams(self.options)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._count(trainer, trainer.global_step + 1)

    def on_validation_start(self, trainer, pl_module):
        self._count(trainer, trainer.global_step)

    @staticmethod
    def _count(trainer, done: int) -> None:
        for logger in trainer.loggers:
            logger.done = done

    def on_train_end(self, trainer, pl_module):
        if not trainer.is_global_zero:
            return
        row = next((row for row in read_history(self.history) if row["step"] == self.best.best_step), {})
        figures = {f"final/{name}": row[name] for name in pl_module.all_figures if name in row}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(self.options, figures)
            else:
                logger.log_metrics(figures)
            logger.save()
