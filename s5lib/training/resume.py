"""Stopping anywhere and resuming: the state of a run between two steps, in one file.

Three things make a resumed run end with the same weights, to the bit, as one that was never stopped:

* the scenes of a step are a function of its number (:class:`s5lib.training.data.StepSampler`);
* so is the random state that a step begins with (:class:`StepRandomness`): dropout needs no saved generator;
* the file holds the state between two steps, and whether a validation is due.
"""

from __future__ import annotations

import logging
import random
import signal
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from s5lib.errors import CheckpointError
from s5lib.models.torchfile import unpickle
from s5lib.provenance.files import atomic_write
from s5lib.untrusted import Record

__all__ = ["CheckpointFiles", "ResumePoint", "StepRandomness", "Stopped", "resume_step"]

log = logging.getLogger(__name__)


class Stopped(BaseException):
    """A signal asked the run to end, and its state is saved."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


class CheckpointFiles(TorchCheckpointIO):
    """Lightning's reader and writer of checkpoints; a new file replaces the old one when it is complete."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        with atomic_write(path) as temporary, open(temporary, "wb") as stream:
            torch.save(checkpoint, stream)


def resume_step(path: Path) -> int:
    """Return the number of steps that are done in a file to resume from, without reading its tensors.

    Raises:
        CheckpointError: the file is damaged.
    """
    advice = "Delete it: the step then begins anew, from its first scene."
    try:
        return Record(unpickle(path), path, error=CheckpointError).integer("global_step", least=0)
    except CheckpointError as error:
        raise CheckpointError(f"{error} {advice}") from None


class StepRandomness(lightning.Callback):
    """Seeds all random generators anew before each batch and each validation, by its number and the process's rank."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._seed(trainer, 0, batch_idx)

    def on_validation_start(self, trainer, pl_module):
        self._seed(trainer, 1, trainer.global_step)

    def _seed(self, trainer, stream, number):
        words = np.random.SeedSequence([self.seed, stream, trainer.global_rank, number]).generate_state(2)
        torch.manual_seed(int(words[0]) << 32 | int(words[1]))  # of the GPUs as well
        np.random.seed(words[0])
        random.seed(int(words[1]))


class ResumePoint(lightning.Callback):
    """Saves the whole training state at an interval, when a signal asks the run to end, and when scenes cannot be read.

    A signal (SIGINT, SIGTERM) is noticed at the end of the step or of the validation's batch under way; a second SIGINT
    ends the run at once.  Must be the last callback, so that it saves what the others noted of a step.

    Args:
        path: of the file.
        interval: steps between two saves.
        valid_interval: steps between two validations; the last step is validated, too.
        max_steps: of the run.
    """

    def __init__(self, path: Path, interval: int, valid_interval: int, max_steps: int):
        self.path, self.interval = Path(path), interval
        self.valid_interval, self.max_steps = valid_interval, max_steps
        self._signal: int | None = None
        self._previous: dict[int, Any] = {}
        self._step = 0  # the last that was done
        self._due = False  # a validation, now
        self._between = False  # two steps: what is in memory is what may be saved
        self._loops: dict | None = None  # Lightning's counters at the end of the last step

    def setup(self, trainer, pl_module, stage):
        # Before Lightning's own handlers, which would stop the run between any two lines.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._notice)

    def teardown(self, trainer, pl_module, stage):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _notice(self, number, frame):
        if self._signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number

    def state_dict(self):
        return {"validation_due": self._due}

    def load_state_dict(self, state):
        self._due = state["validation_due"]

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        checkpoint["loops"]["fit_loop"] = self._loops
        if self._loops is not None:  # a run that is extended has more batches
            self._loops["epoch_loop.batch_progress"]["is_last_batch"] = False

    def on_train_start(self, trainer, pl_module):
        for number in (signal.SIGINT, signal.SIGTERM):  # Lightning has put its own in place
            signal.signal(number, self._notice)
        self._step = trainer.global_step
        if self._due:
            self._validate(trainer)

    def _validate(self, trainer):
        """Run the validation that the stop came before: Lightning would leave it out."""
        loop = trainer.fit_loop.epoch_loop.val_loop
        loop.restarting = False
        self._loops = trainer.fit_loop.state_dict()
        trainer.validating = True
        loop.run()
        trainer.training = True

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._between = False

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self._step:
            return  # gradients are being accumulated
        self._step = trainer.global_step
        self._due = self._last or self._step % self.valid_interval == 0
        self._loops = trainer.fit_loop.state_dict()
        self._between = True
        if self._last:
            trainer.val_check_batch = 1  # so that Lightning validates now, whatever the interval
            return  # it does not go on from a state without a step to come; that is saved after the validation
        stop = self._stop(trainer)
        if stop or self._step % self.interval == 0:
            self.save(trainer)
        if stop:
            raise Stopped(self._signal)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        if trainer.world_size > 1:
            return  # unequal numbers of batches: there is no moment at which all processes could agree
        if self._loops is not None and not self._last and self._stop(trainer):
            self.save(trainer)
            raise Stopped(self._signal)

    def on_validation_end(self, trainer, pl_module):
        self._due = False
        if self._last or trainer.should_stop:  # a run that stopped early can be extended, too
            self.save(trainer)
            if self._stop(trainer):
                raise Stopped(self._signal)

    def on_exception(self, trainer, pl_module, exception):
        """Save the progress until scenes could not be read; other processes do not see the error."""
        if isinstance(exception, Exception) and self._between and trainer.world_size == 1 and not self._last:
            try:
                self.save(trainer)
            except OSError as error:  # the first error counts
                log.warning("%s could not be saved: %s", self.path, error.strerror)

    @property
    def _last(self) -> bool:
        return self._step >= self.max_steps

    def _stop(self, trainer) -> bool:
        """Whether any of the processes was asked to end: all have to, after the same step."""
        stop = trainer.strategy.reduce_boolean_decision(self._signal is not None, all=False)
        if stop and self._signal is None:
            self._signal = signal.SIGTERM
        return stop

    def save(self, trainer):
        """Write the state; the file replaces the one before when it is complete."""
        trainer.save_checkpoint(self.path)
