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
        patience: validations in a row without a new best one after which the run ends; 0: never.  They are counted anew
            from where a run that ended so is extended.
    """

    def __init__(self, folder: Path, monitor: str, keep: int, patience: int = 0):
        self.folder, self.monitor, self.keep, self.patience = Path(folder), monitor, keep, patience
        self.values: dict[int, float] = {}  # of all validations, by their step
        self._resumable: set[str] = set()  # files that the state on the disk counts on
        self._max_steps = 0  # of the run; more where it is extended
        self._patient_from = 0  # step from which the patience counts

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
        return {
            "values": [[step, value] for step, value in self.values.items()],
            "max_steps": self._max_steps,
            "patient_from": self._patient_from,
        }

    def load_state_dict(self, state):
        self.values = {int(step): value for step, value in state["values"]}
        # A state of an earlier version has neither.
        self._max_steps, self._patient_from = state.get("max_steps", 0), state.get("patient_from", 0)
        self._resumable = {name for _, name in self.kept}

    def on_train_start(self, trainer, pl_module):
        if self._in_vain >= self.patience > 0:
            if trainer.max_steps > self._max_steps:
                self._patient_from = trainer.global_step
            else:  # it ended between its last validation and the final model
                trainer.should_stop = True
        self._max_steps = trainer.max_steps

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
        if self._in_vain >= self.patience > 0:
            log.info(
                "stopped early after step %d: the last %d validations were not better than step %d's %s %.3f",
                step,
                self._in_vain,
                self.best_step,
                self.monitor,
                self.values[self.best_step],
            )
            trainer.should_stop = True

    @property
    def _in_vain(self) -> int:
        """The last validations in a row without a new best one."""
        since = max(self.best_step or 0, self._patient_from)
        return sum(step > since for step in self.values)

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
