"""What all models do with a mixture before they hear it: check it, complete its channels, normalise its level.

A separator multiplies its output by the level again, so that it scales with its input; a tagger hears the same at any
gain.  A silent channel counts as missing; a model learns to do without where some training mixtures lose channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from s5lib.models.checks import check_mixture
from s5lib.models.configs import InputConfig

__all__ = ["audible_channels", "draw_channels", "level", "prepare_mixture"]


def prepare_mixture(mixture: Tensor, config: InputConfig, training: bool = False) -> tuple[Tensor, Tensor]:
    """Return ``mixture [B, M, T]`` as a model hears it, ``[B, num_channels, T]``, and its level ``[B, 1, 1]``.

    Args:
        mixture: with ``config.fewest_channels`` to ``config.num_channels`` channels.
        config: of the model; the level is 1 without ``normalize_level``.
        training: whether ``config.channel_dropout`` applies.

    Raises:
        DataError: see :func:`s5lib.models.checks.check_mixture`.
    """
    check_mixture(mixture, config)
    if mixture.shape[1] < config.num_channels:
        mixture = F.pad(mixture, (0, 0, 0, config.num_channels - mixture.shape[1]))
    if config.channel_dropout:
        kept = draw_channels(len(mixture), config, mixture.device) if training else audible_channels(mixture)
        mixture = mixture * kept[..., None]
    if not config.normalize_level:
        return mixture, mixture.new_ones(len(mixture), 1, 1)
    gain = level(mixture)
    return mixture / gain, gain


def level(mixture: Tensor) -> Tensor:
    """Return ``[B, 1, 1]``, the RMS of the first channel of ``mixture [B, M, T]``; 1 where it is silent.

    >>> level(torch.tensor([[[3.0, -3.0], [9.0, 9.0]], [[0.0, 0.0], [1.0, 1.0]]])).flatten().tolist()
    [3.0, 1.0]
    """
    # In float64, where the square of no float32 underflows.
    norm = torch.linalg.vector_norm(mixture[:, :1], dim=-1, keepdim=True, dtype=torch.float64)
    rms = (norm / math.sqrt(mixture.shape[-1])).to(mixture.dtype)
    return torch.where(rms > 0, rms, torch.ones_like(rms))


def audible_channels(mixture: Tensor) -> Tensor:
    """Return ``[B, M]`` bool: channels more than 60 dB below the first one count as missing.

    The sides of a recording whose left and right are the same are silent, but for the rounding of a lossy format.
    """
    norm = torch.linalg.vector_norm(mixture, dim=-1, dtype=torch.float64)
    return ~(norm <= 1e-3 * norm[:, :1])  # what is no number is heard, and seen in the output


def draw_channels(batch: int, config: InputConfig, device: torch.device) -> Tensor:
    """Return ``[batch, num_channels]`` bool, the channels that training items keep.

    With the probability ``config.channel_dropout``, an item keeps the first 1 to M - 1 channels, most often only one.
    """
    others = config.num_channels - 1
    kept = 1 + (others * torch.rand(batch, 1, device=device).square()).long().clamp(max=max(0, others - 1))
    kept = torch.where(torch.rand(batch, 1, device=device) < config.channel_dropout, kept, config.num_channels)
    return torch.arange(config.num_channels, device=device) < kept
