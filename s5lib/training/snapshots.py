"""Snapshots: checkpoints along a run that are kept for later comparison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lightning

__all__ = ["Snapshots"]


class Snapshots(lightning.Callback):
    """Writes ``folder/step_N.safetensors``, a complete model for inference, ``count`` times over ``max_steps`` steps.

    Those of another ``count`` or ``max_steps``, from before the run was extended, are removed when it goes on.

    Args:
        save: writes the model as it is now to the path that it is given.
    """

    def __init__(self, folder: Path, max_steps: int, count: int, save: Callable[[Path], None]):
        self.folder, self.save = Path(folder), save
        self.steps = {max(1, round(max_steps * number / count)) for number in range(1, count + 1)}

    def on_train_start(self, trainer, pl_module):
        if trainer.is_global_zero:
            wanted = set(map(self._path, self.steps))
            for path in self.folder.glob("step_*.safetensors"):
                if path not in wanted:
                    path.unlink()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step in self.steps and trainer.is_global_zero:
            self.save(self._path(trainer.global_step))

    def _path(self, step: int) -> Path:
        return self.folder / f"step_{step:07d}.safetensors"
