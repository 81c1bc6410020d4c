"""Models of the whole way: checkpoints that are kept for good, to be compared afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lightning

__all__ = ["Snapshots"]


class Snapshots(lightning.Callback):
    """Writes ``folder/step_N.safetensors``, a complete model for inference, every ``interval`` steps.

    Args:
        save: writes the model as it is now to the path that it is given.
    """

    def __init__(self, folder: Path, interval: int, save: Callable[[Path], None]):
        self.folder, self.interval, self.save = Path(folder), interval, save

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step % self.interval == 0 and trainer.is_global_zero:
            self.save(self.folder / f"step_{trainer.global_step:07d}.safetensors")
