"""What happens around the steps: checkpoints to resume from, the best weights, the history, signals."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from pathlib import Path

import lightning
import torch
from humanfriendly import format_timespan
from safetensors.torch import load_file, save_file

__all__ = ["BestWeights", "History", "ResumePoint"]

log = logging.getLogger(__name__)


def ends_a_step(trainer, batch_idx: int) -> bool:
    """Return whether the optimiser has made its step after this batch: with accumulation a step has several batches."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


class ResumePoint(lightning.Callback):
    """Saves the whole training state at an interval, and when a signal asks the run to end.

    A signal (SIGINT, SIGTERM) is noticed at the end of the step under way, so that what is saved is always the state
    between two steps; a second SIGINT ends the run at once.  The file is renamed into place: it is never half written.
    Of several processes, all stop at the step at which any of them has got the signal.
    """

    def __init__(self, path: Path, interval: int):
        self.path, self.interval = Path(path), interval
        self.signal: int | None = None
        self._previous = {}

    def setup(self, trainer, pl_module, stage):
        # Before Lightning's own handlers, which would stop the run between any two lines.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._notice)

    def on_train_start(self, trainer, pl_module):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._notice)

    def teardown(self, trainer, pl_module, stage):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _notice(self, number, frame):
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if not ends_a_step(trainer, batch_idx):
            return
        if trainer.strategy.reduce_boolean_decision(self.signal is not None, all=False) and self.signal is None:
            self.signal = signal.SIGTERM  # which another process has got
        if self.signal is not None or trainer.global_step % self.interval == 0:
            self.save(trainer)
        if self.signal is not None:
            trainer.should_stop = True

    def save(self, trainer):
        """Write the state beside :attr:`path`, then rename it."""
        temporary = self.path.with_suffix(".part")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            os.replace(temporary, self.path)


class BestWeights(lightning.Callback):
    """Keeps the weights of the ``keep`` best validations; :meth:`average` is the final model."""

    def __init__(self, folder: Path, monitor: str, keep: int):
        self.folder, self.monitor, self.keep = Path(folder), monitor, keep
        self.kept: list[tuple[float, str]] = []  # best first

    def state_dict(self):
        return {"kept": [[value, name] for value, name in self.kept]}

    def load_state_dict(self, state):
        self.kept = [(value, name) for value, name in state["kept"] if (self.folder / name).exists()]

    def on_validation_end(self, trainer, pl_module):
        value = trainer.callback_metrics.get(self.monitor)
        if trainer.sanity_checking or value is None or not trainer.is_global_zero:
            return
        name = f"step_{trainer.global_step:07d}.safetensors"
        ranked = sorted([*[k for k in self.kept if k[1] != name], (float(value), name)], key=lambda kept: -kept[0])
        self.kept, dropped = ranked[: self.keep], ranked[self.keep :]
        if name not in [file for _, file in dropped]:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / (name + ".part")
            save_file({k: v.contiguous() for k, v in pl_module.model.state_dict().items()}, temporary)
            os.replace(temporary, self.folder / name)
        for _, file in dropped:
            (self.folder / file).unlink(missing_ok=True)

    def average(self) -> dict[str, torch.Tensor]:
        """Return the mean of the kept weights; integer buffers are the best one's."""
        states = [load_file(self.folder / name) for _, name in self.kept]
        if len(states) == 1:
            return states[0]
        return {
            key: torch.stack([s[key] for s in states]).mean(0) if value.is_floating_point() else value
            for key, value in states[0].items()
        }


class History(lightning.Callback):
    """Writes a line of JSON and a line of log at every validation: step, loss, figures, speed, time left."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self._since, self._first, self._losses = None, 0, []
        self._waited = 0.0
        self._batch_end = None

    def on_train_start(self, trainer, pl_module):
        self._since, self._first = time.monotonic(), trainer.global_step
        self._batch_end = time.monotonic()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._waited += time.monotonic() - self._batch_end

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._losses.append(outputs["loss"].detach())
        self._batch_end = time.monotonic()

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking and self._losses:
            # Over all processes, whose shares are equal.
            loss = trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean").item()
            self._losses = []
            if trainer.is_global_zero:
                self._write(trainer, pl_module, loss)
        self._batch_end = time.monotonic()

    def _write(self, trainer, pl_module, loss):
        seconds = time.monotonic() - self._since
        steps = trainer.global_step - self._first
        figures = {k: round(float(v), 4) for k, v in trainer.callback_metrics.items() if k != "loss"}
        rate = steps * pl_module.settings.batch_size / seconds
        left = (pl_module.settings.max_steps - trainer.global_step) * seconds / max(1, steps)
        waiting = self._waited / seconds
        row = {
            "step": trainer.global_step, "loss": round(loss, 4), **figures,
            "mixtures_per_second": round(rate, 2), "waiting_for_data": round(waiting, 3),
        }
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        shown = "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
        log.info(
            f"step {trainer.global_step}/{pl_module.settings.max_steps}  loss {loss:.3f}  {shown}  "
            f"{rate:.1f} mixtures/s, {waiting:.0%} waiting for data, {format_timespan(int(left))} left"
        )
