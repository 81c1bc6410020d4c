"""M2D's published weights (https://github.com/nttcslab/m2d), pre-trained on AudioSet, as a tagger's backbone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s5lib.errors import CheckpointError
from s5lib.models.torchfile import read_tensors
from s5lib.models.weights import load_state

__all__ = ["is_backbone", "load_backbone"]

_PREFIX = re.compile(r"^(module\.)?(ar\.runtime\.)?(backbone\.)?")  # of files from pre-training and from fine-tuning
_PARTS = re.compile(r"^(cls_token|pos_embed|norm_stats|patch_embed\.|blocks\.|norm\.)")


def _backbone_state(path) -> dict[str, Tensor]:
    """Read the encoder's weights without the decoder and heads that published files contain."""
    names = {_PREFIX.sub("", name): tensor for name, tensor in read_tensors(path).items()}
    return {name: tensor for name, tensor in names.items() if _PARTS.match(name)}


def is_backbone(path: str | Path) -> bool:
    """Return whether ``path`` is a file of torch that holds M2D's weights without a tagger's head.

    Raises:
        CheckpointError: it is a file of torch that cannot be read.
    """
    if Path(path).suffix not in (".pth", ".pt", ".ckpt") or not Path(path).is_file():
        return False
    return {"cls_token", "pos_embed"} <= _backbone_state(path).keys()


def load_backbone(tagger: nn.Module, path: str | Path) -> None:
    """Load M2D's published weights into the backbone of an M2D tagger; the head is not changed.

    The tagger's own ``norm_stats``, of the log-mel energies, stay where the file has none, or where the tagger
    normalises levels, which the published weights have not seen.

    Raises:
        CheckpointError: the model has no such backbone, the file is unreadable or unsafe, or the sizes differ.
    """
    backbone = getattr(tagger, "backbone", None)
    if backbone is None:
        raise CheckpointError(f"{path} holds the backbone of M2D, which {type(tagger).__name__} does not have.")
    state = _backbone_state(path)
    if "norm_stats" not in state or getattr(tagger.config, "normalize_level", False):
        state["norm_stats"] = backbone.norm_stats
    state["norm_stats"] = torch.as_tensor(state["norm_stats"]).flatten()
    theirs, own = state.get("pos_embed"), backbone.pos_embed
    if theirs is not None and theirs.shape[1] != own.shape[1] and theirs.shape[2] == own.shape[2]:
        config: Any = tagger.config  # M2DConfig, or one with the same fields
        frames = (theirs.shape[1] - 1) // backbone.bands * config.patch_size
        raise CheckpointError(
            f"{path} was trained on chunks of {frames} frames, but the tagger has "
            f"chunk_frames={config.chunk_frames}. Set its option chunk_frames={frames}."
        )
    load_state(backbone, state, path)
