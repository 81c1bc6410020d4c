"""Loaders: which mixture is seen at which step, by which process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, cast

import lightning
from torch.utils.data import DataLoader, Dataset, Sampler

from s5lib.data import DrawnScenes, collate
from s5lib.data.unrendered import UnrenderedScenes, rendered
from s5lib.training.features import FeatureScenes
from s5lib.training.settings import TrainSettings

__all__ = ["StepSampler", "TrainingData"]


class StepSampler(Sampler[int]):
    """Gives the scene indices of one process, from ``first_step`` on.

    Step s of a run with batches of B uses the scenes s B to (s + 1) B - 1, however many processes share them, so that
    every mixture is seen once, and a resumed run goes on with the mixtures that it would have seen.

    >>> list(StepSampler(batch_size=4, steps=2, rank=1, world_size=2))
    [2, 3, 6, 7]
    >>> list(StepSampler(batch_size=4, steps=2, first_step=1))
    [4, 5, 6, 7]
    """

    def __init__(self, batch_size: int, steps: int, first_step: int = 0, rank: int = 0, world_size: int = 1):
        self.batch_size, self.steps, self.first_step = batch_size, steps, first_step
        self.rank, self.share = rank, batch_size // world_size

    def __iter__(self) -> Iterator[int]:
        for step in range(self.first_step, self.steps):
            first = step * self.batch_size + self.rank * self.share
            yield from range(first, first + self.share)

    def __len__(self) -> int:
        # Of the whole run: Lightning counts the batches before a resume in.
        return self.steps * self.share


class TrainingData(lightning.LightningDataModule):
    """Scenes drawn on the fly for training, a data directory for validation."""

    trainer: lightning.Trainer  # Lightning sets it before it asks for anything

    def __init__(self, train: Dataset, valid: Dataset, settings: TrainSettings):
        super().__init__()
        self.train, self.valid, self.settings = train, valid, settings
        self._loaders: list[DataLoader] = []

    def train_dataloader(self):
        s, trainer = self.settings, self.trainer
        sampler = StepSampler(s.batch_size, s.max_steps, trainer.global_step, trainer.global_rank, trainer.world_size)
        return self._loader(self.unrendered(self.train), sampler.share // s.accumulate, sampler=sampler)

    def unrendered(self, scenes: Dataset) -> Dataset:
        """Return what the loader gives of training scenes: their parts, where rendering is left to a device."""
        device = self.settings.render_device
        if device == "workers" or not isinstance(scenes, DrawnScenes):
            return scenes
        return UnrenderedScenes(scenes, in_loader=device == "cpu")

    def on_after_batch_transfer(self, batch: dict, dataloader_idx: int) -> dict:
        """Render on the device that trains what has not been rendered by then."""
        return rendered(batch)

    def val_dataloader(self):
        trainer = self.trainer
        mine = range(trainer.global_rank, len(self.valid), trainer.world_size)
        at_once = self.settings.batch_size // (trainer.world_size * self.settings.accumulate)
        return self._loader(self.valid, max(1, at_once), sampler=list(mine))

    def _loader(self, dataset, batch_size, sampler):
        workers = 0 if isinstance(dataset, FeatureScenes) else self.settings.num_workers  # these are made already
        loader = DataLoader(
            dataset,
            batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=getattr(dataset, "collate", collate),
            worker_init_fn=_leave_signals_to_the_trainer,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            pin_memory=self.trainer.accelerator.__class__.__name__ == "CUDAAccelerator",
        )
        self._loaders.append(loader)
        return loader

    def close(self) -> None:
        """End the mixing processes.  They ignore signals, so an exiting Python would wait for them forever."""
        for loader in self._loaders:
            if loader.num_workers and loader._iterator is not None:
                cast(
                    "Any", loader._iterator
                )._shutdown_workers()  # what torch does when nothing refers to the iterator any more
                loader._iterator = None


def _leave_signals_to_the_trainer(worker: int) -> None:
    """Ctrl-C and a scheduler's SIGTERM reach the whole process group; the trainer ends the step and saves first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
