"""The description of a training: what to train, on what and how."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s5lib.config.options import fill, options_of
from s5lib.errors import ConfigError
from s5lib.training.settings import TrainSettings
from s5lib.untrusted import shown

__all__ = ["LOGGERS", "Run", "default_settings", "settings_of"]

LOGGERS = ("tensorboard", "csv", "wandb")
"""Where losses and figures can go beside ``history.jsonl``."""

_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,59}")

_DEFAULTS: dict[str, dict[str, Any]] = {
    "joint_model": {"aligner": "pi"}
}  # train options whose default is another for this kind


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where to."""

    kind: str
    """``"tagger"``, ``"separator"`` or ``"joint_model"``"""
    component: str
    """name in the registry"""
    data_dir: Path
    """what the data stage has written: ``corpus.json``, ``valid/``"""
    expdir: Path
    component_options: dict = field(default_factory=dict)
    scene_options: dict = field(default_factory=dict)
    """options of :class:`s5lib.scenes.DrawSettings`"""
    train_options: dict = field(default_factory=dict)
    """options of :class:`TrainSettings`"""
    steps: dict[str, dict] = field(default_factory=dict)
    """name -> train options of that step; :attr:`train_options` apply to all steps and take precedence.  Each step
    starts from the weights of the previous one, and from nothing else"""
    init: Path | None = None
    """checkpoint whose weights the first step starts from"""
    seed: int = 0
    ngpu: int = 0
    """GPUs per machine; 0: the CPU"""
    num_processes: int | None = None
    """processes per machine; None: one per GPU, or one, or as torchrun or srun says"""
    num_nodes: int | None = None
    """machines; None: one, or as torchrun or srun says"""
    loggers: tuple[str, ...] = ("tensorboard",)
    """of :data:`LOGGERS`"""


def settings_of(run: Run) -> dict[str, TrainSettings]:
    """Return the settings of each step of ``run``, in the steps' order.

    Raises:
        ConfigError: an option is unknown or out of its range, or a step's name cannot be that of a folder.
    """
    options = options_of(TrainSettings)
    steps, defaults = run.steps or {"train": {}}, _DEFAULTS.get(run.kind, {})
    for name in steps:
        if not isinstance(name, str) or not _STEP.fullmatch(name):
            raise ConfigError(
                f"--steps: the name {shown(name)} becomes a folder of --expdir; expected up to 60 letters, digits, '_' "
                "and '-', such as finetune."
            )
    return {
        name: TrainSettings(**fill({**defaults, **own, **run.train_options}, options, f"step {name!r}"))
        for name, own in steps.items()
    }


def default_settings(kind: str) -> dict:
    """Return the default training options for ``kind``."""
    return asdict(TrainSettings(**_DEFAULTS.get(kind, {})))
