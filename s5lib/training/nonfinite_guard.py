"""Stops a run at a loss or gradient that is not finite, and saves what is needed to inspect the scenes."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict
from pathlib import Path

import lightning
import torch

from s5lib.data import DrawnScenes
from s5lib.errors import S5Error
from s5lib.provenance.files import write_text
from s5lib.untrusted import to_json

__all__ = ["Guard"]


class Guard(lightning.Callback):
    """Ends a run whose loss or gradient is not finite, before it touches the weights, and writes ``bad_batch.json``.

    There is no threshold to choose: gradient clipping (``clip``) bounds every step, so that only non-finite values do
    lasting harm.

    Args:
        folder: where to write, for :func:`s5lib.training.replay.replay`.
        drawn: the scenes that are trained on.
    """

    def __init__(self, folder: Path, drawn: DrawnScenes):
        self.folder, self.drawn = Path(folder), drawn
        self._batches: list[dict] = []  # since the last optimiser step
        self._losses: list[torch.Tensor] = []  # of these batches
        self._recent: deque[torch.Tensor] = deque(maxlen=20)
        self._in_loss = False

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._batches, self._losses = [], []
        self._batches.append(batch)
        self._in_loss = True

    def on_before_backward(self, trainer, pl_module, loss):
        self._in_loss = False
        self._losses.append(loss.detach().float() * trainer.accumulate_grad_batches)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients).float()
        # Of several processes only the gradient, which they share, may end the run: all of them then do.
        losses = self._losses if trainer.world_size == 1 else []
        if not torch.isfinite(torch.stack([*losses, norm])).all():  # the one time in a step that a GPU is waited for
            bad = [loss for loss in losses if not torch.isfinite(loss)]
            self._stop(trainer, "loss" if bad else "norm of the gradient", bad[0] if bad else norm)
        self._recent.extend(self._losses)

    def on_exception(self, trainer, pl_module, exception):
        if self._in_loss and isinstance(exception, S5Error):  # an aligner that was given what is not a number
            exception.args = (self._told(trainer, "loss", None, str(exception)),)

    def _stop(self, trainer, what, value):
        raise S5Error(self._told(trainer, what, value, f"the {what} is {value.item()}"))

    def _told(self, trainer, what, value, found) -> str:
        """Write the file; return the message."""
        name = "bad_batch.json" if trainer.is_global_zero else f"bad_batch.rank{trainer.global_rank}.json"
        scenes = [scene for batch in self._batches for scene in _scenes(batch)]
        write_text(
            self.folder / name,
            to_json(
                {
                    "what": what,
                    "value": None if value is None else _plain(value),
                    "step": trainer.global_step,
                    "losses": [_plain(loss) for loss in self._losses],
                    "recent_losses": [_plain(loss) for loss in self._recent],
                    "scenes": scenes,
                    "seed": self.drawn.seed,
                    "corpus": str(self.drawn.corpus.root),
                    "split": self.drawn.corpus.split,
                    "drawing": asdict(self.drawn.settings),
                },
                indent=1,
            ),
        )
        return (
            f"step {trainer.global_step}: {found.rstrip('.')}. It was on the scenes "
            f"{', '.join(scene['id'] for scene in scenes)}. Write them as audio to look for broken recordings: "
            f"python -m s5lib.training.replay {self.folder / name} --out bad_batch. If they are fine, start again in "
            "another --expdir with a lower --lr, with --warmup_steps, or with --precision float32."
        )


def _scenes(batch: dict) -> list[dict]:
    """Return what is known of each scene of a batch; a loader of stored features has no mixtures."""
    scenes = [{"id": name, "index": int(name.rpartition("-")[2])} for name in batch["id"]]
    for scene, mixture in zip(scenes, batch.get("mixture", []), strict=False):
        scene["peak"] = _plain(mixture.abs().max())
    return scenes


def _plain(value: torch.Tensor) -> float | str:
    """JSON has no infinity."""
    number = value.item()
    return number if math.isfinite(number) else str(number)
