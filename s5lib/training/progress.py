"""The progress bar of a training: steps, loss, the validation's figures, mixtures per second, time left."""

from __future__ import annotations

import contextlib
import logging
import time

from humanfriendly import format_timespan
from lightning.pytorch.callbacks import TQDMProgressBar
from tqdm.contrib.logging import logging_redirect_tqdm

__all__ = ["Progress"]


class Progress(TQDMProgressBar):
    """Lightning's bar for the whole run::

    train  36%|███▋      | 720/2000 steps, loss -4.21, pi_sdri 6.31, 12.3 mixtures/s, 3 minutes and 28 seconds left
    """

    BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} steps{postfix}"

    def __init__(self):
        super().__init__()
        self._above = contextlib.ExitStack()

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        self._since, self._first = time.monotonic(), trainer.global_step
        self._above.enter_context(logging_redirect_tqdm([logging.getLogger("s5lib")]))  # lines of log above the bar

    def on_train_end(self, trainer, pl_module):
        super().on_train_end(trainer, pl_module)
        self._above.close()

    def on_exception(self, trainer, pl_module, exception):
        self._above.close()

    def on_train_epoch_start(self, trainer, *_):  # the run is one epoch to Lightning
        self.train_progress_bar.reset()
        self.train_progress_bar.total = trainer.max_steps
        self.train_progress_bar.initial = 0
        self.train_progress_bar.set_description_str("train")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        bar, done = self.train_progress_bar, trainer.global_step
        if bar.n == done:
            return  # gradients are being accumulated
        bar.n = done
        bar.set_postfix_str(self._told(trainer, pl_module))

    def on_train_epoch_end(self, trainer, pl_module):
        self.train_progress_bar.set_postfix_str(self._told(trainer, pl_module))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        super().on_validation_batch_start(trainer, pl_module, batch, batch_idx, dataloader_idx)
        self.val_progress_bar.set_description_str("validation")

    def on_validation_end(self, trainer, pl_module):
        self.val_progress_bar.close()
        self.reset_dataloader_idx_tracker()
        self.train_progress_bar.set_postfix_str(self._told(trainer, pl_module))

    def init_validation_tqdm(self):
        bar = super().init_validation_tqdm()
        bar.bar_format = self.BAR_FORMAT.replace("steps", "batches")
        return bar

    def _told(self, trainer, pl_module) -> str:
        done = trainer.global_step - self._first
        per_step = (time.monotonic() - self._since) / max(1, done)
        figures = trainer.callback_metrics
        shown = [f"{name} {float(figures[name]):.3g}" for name in ("loss", *pl_module.all_figures) if name in figures]
        left = format_timespan(int((trainer.max_steps - trainer.global_step) * per_step))
        return ", ".join([*shown, f"{pl_module.settings.batch_size / per_step:.1f} mixtures/s, {left} left"])
