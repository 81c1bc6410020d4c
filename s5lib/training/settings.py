"""Training options: each field is an option of ``s5lib train`` and a key of its YAML."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from s5lib.errors import ConfigError

__all__ = ["TrainSettings"]


@dataclass(frozen=True)
class TrainSettings:
    """Options of one training run; the defaults are the paper's for the separator (section 4.1)."""

    batch_size: int = 4
    """mixtures per step, over all devices together"""
    accumulate: int = 1
    """parts in which a device computes its share of a step, one after the other: less memory, the same gradient"""
    sync_batchnorm: bool = False
    """batch normalisation over the mixtures of all devices, instead of each device's own"""
    max_steps: int = 250000
    """optimiser steps of the run"""
    lr: float = 1e-4
    """learning rate, reached after the warm-up"""
    warmup_steps: int = 0
    """steps over which the learning rate rises from 0"""
    schedule: Literal["constant", "cosine"] = "constant"
    """learning rate after the warm-up; cosine falls to 0 at the last step"""
    weight_decay: float = 0.0
    """decoupled weight decay of AdamW"""
    amsgrad: bool = True
    """the AMSGrad variant of AdamW"""
    clip: float = 0.5
    """largest norm of the gradient; 0: do not clip"""
    layers: str = "all"
    """trainable layers: all, or a choice that the model names, such as head or last2 of m2d"""
    tagger_cache: int = 0
    """for a tagger whose features do not train, of a frozen backbone or log-mel energies: number of mixtures whose
    features are computed once and then reused in turn; 0: every mixture is new"""
    aligner: str = "ca_pi"
    """pairs estimates and references in the loss: ca_pi, ca, pi or a plugin's; default for joint models: pi"""
    average: Literal["active", "slots"] = "active"
    """the loss is the mean over the active slots (eq. 3 of the paper) or over all slots (the public baseline)"""
    label_weight: float = 1.0
    """joint models: dB of SDR per nat of the labels' cross-entropy"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """arithmetic of the forward pass; losses are computed in float32"""
    valid_interval: int = 1000
    """steps between two validations; the last step is validated, too"""
    monitor: str = "auto"
    """validation metric that selects the best checkpoints: source_accuracy or mixture_accuracy of a tagger,
    pi_sdri of a separator, these and ca_pi_sdri of a joint model, or valid_loss; auto: source_accuracy of a tagger,
    pi_sdri of a separator, ca_pi_sdri of a joint model"""
    keep_best: int = 1
    """number of best checkpoints to keep, and to average into the final model"""
    early_stopping: int = 0
    """stop after this many validations in a row without improvement; 0: never; counted anew from where a run that
    stopped so is extended"""
    keep_models: int = 0
    """number of models to keep from the whole run, equally spaced, in the folder ``steps``; 0: none"""
    save_interval: int = 1000
    """steps between two checkpoints to resume from"""
    tensorboard_scenes: int = 2
    """validation scenes shown in TensorBoard: spectrograms and audio, or a tagger's labels"""
    num_workers: int = 1
    """data workers, which mix scenes; 0: mix in the training process"""
    render_device: Literal["workers", "cpu", "cuda"] = "workers"
    """where scenes are rendered: workers, one by one in the data workers; cpu, there too, but in batches; cuda, in
    batches on the GPU that trains, while data workers only read sounds"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not 0 <= value < 1e12:  # NaN is not, either
                raise ConfigError(f"--{field.name} is {value}; expected 0 or more, and below 1e12.")
        for name in ("batch_size", "accumulate", "max_steps", "valid_interval", "keep_best", "save_interval"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} is {getattr(self, name)}; expected 1 or more.")
        if not 0 < self.lr < 1e6:
            raise ConfigError(f"--lr is {self.lr}; expected above 0, and below 1e6.")
