"""The history of a run: ``history.jsonl``, and a log line per validation."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import lightning
import torch
from humanfriendly import format_timespan

from s5lib.provenance.files import write_text
from s5lib.untrusted import Record, read_json_lines, to_json

__all__ = ["History", "read_history"]

log = logging.getLogger(__name__)


def read_history(path: Path) -> list[dict]:
    """Return the rows of a ``history.jsonl``, one for each validation; none if there is no such file."""
    advice = "Remove the line."
    rows = read_json_lines(path, advice=advice) if path.exists() else ()
    return [_row(Record(content, place, advice=advice)) for place, content in rows]


def _row(record: Record) -> dict:
    record.integer("step", least=0)
    for name in record.values:
        record.number(name)
    return dict(record.values)


class History(lightning.Callback):
    """Writes a line of JSON and a line of log at every validation: step, loss, figures, speed, time left.

    ``loss`` is the mean over the batches since the validation before, also where the run was stopped in between.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        self._since, self._first, self._lr = None, 0, 0.0
        self._losses: list[torch.Tensor] = []
        self._waited = 0.0
        self._batch_end = None

    def state_dict(self):
        return {"losses": torch.stack(self._losses).cpu() if self._losses else torch.zeros(0), "lr": self._lr}

    def load_state_dict(self, state):
        self._losses, self._lr = list(state["losses"]), state["lr"]

    def on_train_start(self, trainer, pl_module):
        self._since, self._first = time.monotonic(), trainer.global_step
        self._batch_end = time.monotonic()
        self._losses = [loss.to(pl_module.device) for loss in self._losses]

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._waited += time.monotonic() - self._batch_end
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        # Lightning gives a part of an accumulated step its share of the step's loss.
        self._losses.append(outputs["loss"].detach().float() * trainer.accumulate_grad_batches)
        self._batch_end = time.monotonic()

    def on_validation_end(self, trainer, pl_module):
        if self._losses:
            # Over all processes, whose shares are equal.
            loss = trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean").item()
            self._losses = []
            if trainer.is_global_zero:
                self._write(trainer, pl_module, loss)
        self._batch_end = time.monotonic()

    def _write(self, trainer, pl_module, loss):
        settings = pl_module.settings
        seconds = max(1e-9, time.monotonic() - self._since)
        steps = trainer.global_step - self._first
        figures = {k: round(float(v), 4) for k, v in trainer.callback_metrics.items() if k in pl_module.all_figures}
        figures = {name: value for name, value in figures.items() if math.isfinite(value)}  # a mean of nothing is none
        rate = steps * settings.batch_size / seconds
        left = (settings.max_steps - trainer.global_step) * seconds / max(1, steps)
        waiting = self._waited / seconds
        row = {
            "step": trainer.global_step,
            "loss": round(loss, 4),
            "lr": self._lr,
            **figures,
            "mixtures_per_second": round(rate, 2),
            "waiting_for_data": round(waiting, 3),
        }
        # The rows of a stopped run that were made after the point from which it goes on are made again.
        rows = [earlier for earlier in read_history(self.path) if earlier["step"] < trainer.global_step]
        write_text(self.path, "".join(to_json(row) + "\n" for row in [*rows, row]))
        shown = "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
        speed = f"{rate:.1f} mixtures/s, {waiting:.0%} waiting for data, {format_timespan(int(left))} left"
        where = f"step {trainer.global_step}/{settings.max_steps}"
        log.info("%s  loss %.3f  %s  %s", where, loss, shown, speed if steps else "")
