"""Estimates how long a training will take on this machine by running a little of it, within a minute.

Nothing is written.  For each step two times are measured: of making a mixture once its sounds and rooms are in the
caches, as they soon are, and of training on one that is made.  Data workers do the former beside the latter.  Where
features are cached, the pool is made once, and training is timed on its features.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
from lightning.fabric.utilities import move_data_to_device
from torch import nn
from torch.utils.data import Dataset, default_collate

from s5lib.data import collate
from s5lib.errors import Interrupted
from s5lib.plugins import create
from s5lib.scenes import Corpus
from s5lib.training.cached_data import have_one_length, why_not_cached
from s5lib.training.data import TrainingData
from s5lib.training.features import compute_features
from s5lib.training.fit import CheckedRun, check_run
from s5lib.training.run import Run
from s5lib.training.settings import TrainSettings
from s5lib.training.step import MODULES
from s5lib.training.trainer import make_trainer

__all__ = ["estimate_seconds"]

BUDGET = 30.0  # seconds, of all steps together; what has begun is finished
SCENES = 8  # that are made
FEWEST, MOST = 3, 20  # batches that are timed
IN_TRIAL = 2  # mixtures of a batch on the CPU, where time is in proportion to them


def estimate_seconds(run: Run) -> dict[str, float]:
    """Return the seconds that each step of ``run`` would take.

    Raises:
        ConfigError, DataError: as :func:`s5lib.training.fit.fit`.
        Interrupted: SIGTERM has come.
    """
    checked = check_run(run)
    train = Corpus(checked.corpus.root, "train")
    with _ends_on_signals():
        return {
            name: _seconds(checked, train, number, step, BUDGET / len(checked.settings))
            for number, (name, step) in enumerate(checked.settings.items())
        }


def _seconds(checked: CheckedRun, train: Corpus, number: int, step: TrainSettings, budget: float) -> float:
    run, processes = checked.run, checked.processes
    parts = processes.world_size * step.accumulate
    batch = step.batch_size if run.ngpu else min(step.batch_size, max(parts, IN_TRIAL // parts * parts))
    trial = dataclasses.replace(
        step, batch_size=batch, max_steps=MOST, valid_interval=MOST, tagger_cache=0, num_workers=0
    )
    valid = checked.valid()
    data = TrainingData(checked.drawn(train, number, trial), valid, trial)
    scenes = _MadeScenes(data.unrendered(data.train), budget / 3)
    data.train = scenes
    watch = _Watch(budget / 3, together=processes.world_size > 1)
    trainer = make_trainer(run.ngpu, processes, trial, [watch], [])
    module = MODULES[run.kind](create(run.kind, run.component, **checked.options), trial)
    mixtures, filling = step.max_steps * step.batch_size, 0.0
    making, workers = scenes.seconds / processes.world_size, step.num_workers
    if step.tagger_cache:
        device = trainer.strategy.root_device
        model = module.model.to(device)
        if not why_not_cached(model, valid[0]["mixture"][None].to(device), step.layers):
            stored = _StoredFeatures(scenes, model, batch // parts, device, step.precision, len(valid))
            storing = stored.seconds / processes.world_size
            filling = _together(making, storing, workers) * min(mixtures, step.tagger_cache)
            making, data.train = 0.0, stored
            batch = step.batch_size  # a step on features is too short to be in proportion to it
            data.settings = dataclasses.replace(trial, batch_size=batch)
            if have_one_length(valid):
                filling, data.valid = filling + storing * len(valid), stored
    trainer.limit_val_batches = 0
    trainer.fit(module, datamodule=data)
    trainer.limit_val_batches = FEWEST
    trainer.validate(module, datamodule=data, verbose=False)
    per_mixture = _together(making, watch.median("train") / batch, workers)
    per_validation = watch.median("validate") / batch * len(valid)
    return filling + per_mixture * mixtures + per_validation * math.ceil(step.max_steps / step.valid_interval)


def _together(making: float, using: float, workers: int) -> float:
    """Return the seconds of making a mixture and using it, at once where there are data workers."""
    return max(making / workers, using) if workers else making + using


class _MadeScenes(Dataset):
    """A few scenes, made once, under every index.

    Attributes:
        seconds: that a scene takes, with what it is made of in the caches.
    """

    def __init__(self, scenes: Dataset, budget: float):
        self.collate = getattr(scenes, "collate", collate)
        began = time.perf_counter()
        self.items: list = []
        while len(self.items) < SCENES and (len(self.items) < 2 or time.perf_counter() - began < budget):
            self.items.append(scenes[len(self.items)])
        times = []
        for index in range(len(self.items)):
            since = time.perf_counter()
            scenes[index]
            times.append(time.perf_counter() - since)
        self.seconds = statistics.mean(times)

    def __getitem__(self, index: int):
        return self.items[index % len(self.items)]


class _StoredFeatures(Dataset):
    """The features of some made scenes, under every index.

    Attributes:
        seconds: that a scene's take.
    """

    collate = staticmethod(default_collate)

    def __init__(self, scenes: _MadeScenes, model: nn.Module, at_once: int, device, precision: str, size: int):
        batch = move_data_to_device(scenes.collate([scenes[index] for index in range(at_once)]), device)
        for _ in range(2):  # the first time takes longer
            since = time.perf_counter()
            features = compute_features(model, batch, precision).cpu()
            self.seconds = (time.perf_counter() - since) / at_once
        columns = zip(features, batch["labels"].cpu(), batch["id"], strict=True)
        self.items = [dict(zip(("features", "labels", "id"), values, strict=True)) for values in columns]
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict:
        return self.items[index % len(self.items)]


class _Watch(lightning.Callback):
    """Takes the time of batches.

    Args:
        budget: seconds after which the trial ends.
        together: with other processes, which must end after the same batch: the fewest are run.
    """

    def __init__(self, budget: float, together: bool):
        self.budget, self.together = budget, together
        self.last = 0.0
        self.taken: dict[str, list[float]] = {"train": [], "validate": []}

    def median(self, what: str) -> float:
        """Return the median time of a batch, without the first."""
        return statistics.median(self.taken[what][1:] or self.taken[what])

    def on_train_start(self, trainer, pl_module):
        self.last = time.perf_counter()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._note("train")
        over = sum(self.taken["train"]) > self.budget
        if len(self.taken["train"]) >= FEWEST and (over or self.together):
            trainer.should_stop = True

    def on_validation_start(self, trainer, pl_module):
        self.last = time.perf_counter()

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self._note("validate")

    def _note(self, what: str) -> None:
        now = time.perf_counter()
        self.taken[what].append(now - self.last)
        self.last = now


@contextmanager
def _ends_on_signals() -> Iterator[None]:
    """Let SIGTERM end the block as an exception, with one message."""

    def end(number, frame):
        raise Interrupted(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
