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
    """batch normalisation by a step's mixtures on all devices, instead of each device's own"""
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
    """which layers train: all, or what the model names, as head or last2 of m2d"""
    tagger_cache: int = 0
    """for a tagger with a frozen backbone: number of mixtures whose features are computed once and then reused in turn;
    0: every mixture is new"""
    aligner: str = "ca_pi"
    """who pairs estimates and references in the loss: ca_pi, ca, pi or a plugin's; a joint model's default is pi"""
    average: Literal["active", "slots"] = "active"
    """the loss is the mean over the active slots (eq. 3 of the paper) or over all slots (the public baseline)"""
    label_weight: float = 1.0
    """of a joint model: how many dB of SDR one nat of the labels' cross-entropy counts"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """arithmetic of the forward pass; losses are computed in float32"""
    valid_interval: int = 1000
    """steps between two validations"""
    monitor: str = "auto"
    """the figure of the validation that chooses the best checkpoints: source_accuracy or mixture_accuracy of a tagger,
    pi_sdri of a separator, these and ca_pi_sdri of a joint model, or valid_loss; auto: the first of source_accuracy,
    ca_pi_sdri and pi_sdri that there is"""
    keep_best: int = 1
    """how many of the best checkpoints are kept, and averaged for the final model"""
    early_stopping: int = 0
    """validations in a row without a better one, after which the run ends; 0: it goes on to max_steps"""
    keep_models: int = 0
    """how many models are kept for good, in the folder ``steps``, at equal distances over the run; 0: none"""
    save_interval: int = 1000
    """steps between two checkpoints to resume from"""
    tensorboard_scenes: int = 2
    """validation scenes whose spectrograms and sounds (of a tagger: labels) TensorBoard gets at each validation"""
    num_workers: int = 1
    """processes that mix scenes; 0: the training process mixes itself"""
    render_device: Literal["workers", "cpu", "cuda"] = "workers"
    """where scenes are convolved and added: workers, one by one in the mixing processes; cpu, there too, but a batch at
    a time; cuda, a batch at a time on the GPU that trains, for which the mixing processes only read sounds"""

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
