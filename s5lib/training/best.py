"""The best weights of a run by one validation metric, and early stopping."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import lightning
import torch
from safetensors.torch import load_file, save_file

from s5lib.errors import S5Error
from s5lib.models.checkpoint import separate
from s5lib.provenance.files import atomic_write

__all__ = ["BestWeights"]

log = logging.getLogger(__name__)


class BestWeights(lightning.Callback):
    """Keeps the weights of the ``keep`` best validations; :meth:`average` is the final model.

    Args:
        folder: for the files, ``step_N.safetensors``.
        monitor: name of the validation's figure.  Larger is better, except for ``valid_loss``.
        keep: how many.
        patience: validations in a row without a new best one after which the run ends; 0: never.
    """

    def __init__(self, folder: Path, monitor: str, keep: int, patience: int = 0):
        self.folder, self.monitor, self.keep, self.patience = Path(folder), monitor, keep, patience
        self.values: dict[int, float] = {}  # of all validations, by their step
        self._resumable: set[str] = set()  # files that the state on the disk counts on

    @property
    def kept(self) -> list[tuple[float, str]]:
        """Value and file name of what is kept, best first; of equal ones the earlier."""
        return [(self.values[step], _name(step)) for step in self._ranked()[: self.keep]]

    @property
    def best_step(self) -> int | None:
        """The step of the best validation; None before the first one."""
        return self._ranked()[0] if self.values else None

    def _ranked(self) -> list[int]:
        sign = 1 if self.monitor == "valid_loss" else -1
        return sorted(self.values, key=lambda step: _order(sign * self.values[step]))

    def state_dict(self):
        self._resumable = {name for _, name in self.kept}
        return {"values": [[step, value] for step, value in self.values.items()]}

    def load_state_dict(self, state):
        self.values = {int(step): value for step, value in state["values"]}
        self._resumable = {name for _, name in self.kept}

    def on_validation_end(self, trainer, pl_module):
        value = trainer.callback_metrics.get(self.monitor)
        if value is None:
            raise S5Error(
                f"the validation has no {self.monitor}, which chooses the best weights: no scene of the validation set "
                "has an active source. Make another set, or choose --monitor valid_loss."
            )
        step = trainer.global_step
        self.values[step] = float(value)
        if trainer.is_global_zero:
            kept = {name for _, name in self.kept}
            if _name(step) in kept:
                with atomic_write(self.folder / _name(step)) as temporary:
                    save_file(separate(pl_module.model.state_dict()), temporary)
            # What was dropped since the last state was saved stays: a run that resumes there still counts on it.
            self._remove_all_but(kept | self._resumable)
        since = [s for s in self.values if s > self._ranked()[0]]
        if self.patience and len(since) >= self.patience:
            log.info(
                "stopped early after step %d: the last %d validations were not better than step %d's %s %.3f",
                step,
                len(since),
                self._ranked()[0],
                self.monitor,
                self.values[self._ranked()[0]],
            )
            trainer.should_stop = True

    def _remove_all_but(self, names: set[str]) -> None:
        for path in self.folder.glob("step_*.safetensors"):
            if path.name not in names:
                path.unlink()

    def average(self) -> dict[str, torch.Tensor]:
        """Return the mean of the kept weights; integer buffers are the best one's."""
        names = [name for _, name in self.kept]
        self._remove_all_but(set(names))
        states = [load_file(self.folder / name) for name in names]
        if len(states) == 1:
            return states[0]
        return {
            key: torch.stack([s[key] for s in states]).mean(0) if value.is_floating_point() else value
            for key, value in states[0].items()
        }


def _name(step: int) -> str:
    return f"step_{step:07d}.safetensors"


def _order(value: float) -> float:
    """NaN is worse than any number."""
    return math.inf if math.isnan(value) else value
