"""Lightning's trainer with our own checkpoints and metrics, and its loops, devices and precision."""

from __future__ import annotations

import logging
import sys
import warnings

import lightning
from lightning.pytorch.loggers import Logger

from s5lib.training.processes import Processes
from s5lib.training.progress import Progress
from s5lib.training.resume import CheckpointFiles
from s5lib.training.settings import TrainSettings

__all__ = ["make_trainer"]

# What Lightning warns of and we do on purpose: few workers, frozen layers in eval mode, going on amid an epoch (the
# sampler does that), figures that are agreed on already; and of its own dependencies.
_LIGHTNINGS_ADVICE = (
    ".*does not have many workers.*",
    ".*in eval mode.*",
    ".*dataloader is not resumable.*",
    ".*sync_dist.*",
    ".*tensorboard.*",
    ".*LeafSpec.*",
    ".*treespec.*",
)


def make_trainer(
    ngpu: int,
    processes: Processes,
    settings: TrainSettings,
    callbacks: list[lightning.Callback],
    loggers: list[Logger],
) -> lightning.Trainer:
    """Return the trainer of one step of a run."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _LIGHTNINGS_ADVICE:
        warnings.filterwarnings("ignore", message)
    watched = sys.stderr.isatty()  # by a person; in a recipe, too
    return lightning.Trainer(
        accelerator="gpu" if ngpu else "cpu",
        devices=processes.per_node,
        num_nodes=processes.num_nodes,
        strategy="ddp" if processes.world_size > 1 else "auto",
        plugins=[processes.environment(), CheckpointFiles()],
        accumulate_grad_batches=settings.accumulate,
        precision="bf16-mixed" if settings.precision == "bfloat16" else "32-true",
        max_steps=settings.max_steps,
        max_epochs=-1,
        val_check_interval=settings.valid_interval * settings.accumulate,  # counts batches
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        gradient_clip_val=settings.clip or None,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=watched,
        callbacks=[*([Progress()] if watched else []), *callbacks],
        logger=loggers,
        log_every_n_steps=min(10, settings.max_steps),
    )
