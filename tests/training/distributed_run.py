"""`s5lib train`, noting what each process trains on: ``python distributed_run.py NOTES train separator ...``.

Process r writes ``NOTES/rank_r.pt``: the ids of its mixtures, step by step, and the gradients that the optimiser gets.
Other processes of the run are started by Lightning with the same command line.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
import torch

from s5lib.bin.main import main


class Notes(lightning.Callback):
    """Notes ids and gradients."""

    def __init__(self, folder: Path):
        self.folder, self.ids, self.gradients = folder, {}, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.ids.setdefault(trainer.global_step, []).extend(batch["id"])

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):  # before they are clipped
        named = pl_module.model.named_parameters()
        self.gradients.append({name: p.grad.clone() for name, p in named if p.grad is not None})

    def on_fit_end(self, trainer, pl_module):
        self.folder.mkdir(exist_ok=True)
        notes = {"ids": self.ids, "gradients": self.gradients}
        torch.save(notes, self.folder / f"rank_{trainer.global_rank}.pt")


def run(folder: Path, arguments: list[str]) -> int:
    """Run the command with a trainer that takes notes."""
    plain = lightning.Trainer

    class NotingTrainer(plain):
        def __init__(self, callbacks, **options):
            super().__init__(callbacks=[Notes(folder), *callbacks], **options)

    lightning.Trainer = NotingTrainer
    try:
        return main(arguments)
    finally:
        lightning.Trainer = plain


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
