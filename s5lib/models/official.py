"""The checkpoints of the public DCASE 2026 Task 4 baseline: ``resunetk.ckpt``, ``m2dat_1c.ckpt``, ``m2dat_4c.ckpt``.

They are recognised by their parameter names; sizes follow from the shapes.  Fixed transforms and unused weights are
left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from s5lib.errors import CheckpointError
from s5lib.interfaces import Separator, Tagger
from s5lib.models.challenge_labels import LABELS
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.torchfile import read_tensors
from s5lib.models.weights import built_for, load_state
from s5lib.untrusted import shown
from s5lib.version import __version__

__all__ = [
    "LABELS",
    "TRAINED_ON",
    "is_official",
    "load_official",
    "load_official_model",
    "official_config",
    "official_state",
]

_UNUSED = re.compile(
    r"stft\.|to_spec\.|^head_norm\."  # fixed transforms; a normalisation of pre-training
    r"|^base\.decoder_block\d+\.bn2\.|^film\.decoder_block\d+->beta2\."  # never applied
)
TRAINED_ON: dict[str, Any] = {
    "duration": 10.0,
    "statistics": {
        "level_dbfs": -37.82,
        "lowest_level_dbfs": -47.49,
        "highest_level_dbfs": -31.91,
        "lowest_bandwidth": 16000.0,
        "norm_mean": -10.32,
        "norm_std": 2.76,
        "level_norm_mean": -1.5,
        "level_norm_std": 2.81,
    },
}
"""As in s5lib's own checkpoints; measured on 200 mixtures of real sounds, drawn with the challenge's settings."""
_TEN_SECONDS = {62: 1001}  # patches in time -> frames: the last frames of ten seconds fill no patch


def is_official(path: str | Path) -> bool:
    """Return whether ``path`` is a file of torch that holds a model of the baseline.

    Raises:
        CheckpointError: it is a file of torch that cannot be read.
    """
    return Path(path).suffix in (".ckpt", ".pt", ".pth") and Path(path).is_file() and _kind(_names(path)) is not None


def _names(path) -> dict[str, Tensor]:
    """Read the tensors, their names without what the baseline's classes put in front of them."""
    return {
        re.sub(r"^(model\.)?(m2d\.(?=backbone|to_spec|head_norm))?", "", name): t
        for name, t in read_tensors(path).items()
    }


def _kind(state: Mapping[str, Tensor]) -> str | None:
    if "base.after_conv.weight" in state and "label_embedding.0.weight" in state:
        return "separator"
    return "tagger" if "backbone.cls_token" in state and "head.tracks.0.0.weight" in state else None


def official_state(path: str | Path) -> dict[str, Tensor]:
    """Return the weights of an official checkpoint by the names that s5lib's models have.

    Raises:
        CheckpointError: the file is unreadable or unsafe, or is no official checkpoint.
    """
    state = _names(path)
    if _kind(state) is None:
        raise CheckpointError(
            f"{path} is neither the official ResUNetK nor an official M2D tagger. Its first parameters: "
            f"{', '.join(list(state)[:4])}. M2D's published backbone goes into a tagger by load_backbone (--init)."
        )
    return {name: tensor for name, tensor in state.items() if not _UNUSED.search(name)}


def official_config(state: Mapping[str, Tensor]) -> M2DConfig | ResUNetKConfig:
    """Return the configuration that fits the shapes of an official checkpoint's weights.

    What no shape determines has the official value: sample rate, hop length, heads of 64 dimensions.

    Raises:
        CheckpointError: the shapes belong to no configuration.
    """
    try:
        return _separator_config(state) if _kind(state) == "separator" else _tagger_config(state)
    except (KeyError, IndexError, ZeroDivisionError, OverflowError, TypeError) as error:
        raise CheckpointError(
            f"an official checkpoint lacks weights that determine its size: {shown(error)}."
        ) from error
    except ValueError as error:  # ConfigError included
        raise CheckpointError(f"the shapes of an official checkpoint's weights give no network: {error}") from error


def _separator_config(state: Mapping[str, Tensor]) -> ResUNetKConfig:
    shape = {name: tuple(tensor.shape) for name, tensor in state.items()}
    blocks = 1 + _count(shape, r"base\.encoder_block(\d+)\.")
    num_channels = shape["base.pre_conv.weight"][1]
    num_sources = shape["base.after_conv.weight"][0] // (3 * num_channels)
    condition_size, inputs = shape["label_embedding.0.weight"]
    return ResUNetKConfig(
        num_classes=inputs // num_sources,
        num_sources=num_sources,
        num_channels=num_channels,
        n_fft=2 * (shape["base.bn0.weight"][0] - 1),
        channels=tuple(shape[f"base.encoder_block{i}.conv_block1.conv2.weight"][0] for i in range(1, blocks)),
        condition_size=condition_size,
        slot_order="given",
    )


def _tagger_config(state: Mapping[str, Tensor]) -> M2DConfig:
    shape = {name: tuple(tensor.shape) for name, tensor in state.items()}
    embed_dim, _, patch_size, _ = shape["backbone.patch_embed.proj.weight"]
    n_mels = M2DConfig.n_mels  # of all published M2D
    bands = n_mels // patch_size
    patches = (shape["backbone.pos_embed"][1] - 1) // bands
    input_channels = shape["head.m2d_out_norm.running_mean"][0] // (bands * embed_dim)
    track_dim, head_dim = shape["head.tracks.0.0.weight"]
    mean, deviation = (round(value, 4) for value in state["backbone.norm_stats"].tolist())
    return M2DConfig(
        num_classes=shape["head.tracks.0.3.weight"][0] - 1,
        num_sources=shape["head.linear.0.weight"][0] // head_dim,
        num_channels=max(4, input_channels),
        input_channels=input_channels,
        norm_mean=mean,
        norm_std=deviation,
        patch_size=patch_size,
        chunk_frames=_TEN_SECONDS.get(patches, patches * patch_size),
        embed_dim=embed_dim,
        depth=_count(shape, r"backbone\.blocks\.(\d+)\."),
        num_heads=embed_dim // 64,
        mlp_ratio=shape["backbone.blocks.0.mlp.fc1.weight"][0] / embed_dim,
        head_dim=head_dim,
        track_dim=track_dim,
    )


def _count(names: Iterable[str], pattern: str) -> int:
    """Return the number of blocks, by counting them: a file may skip a billion numbers."""
    return len({found[1] for found in (re.match(pattern, name) for name in names) if found})


def load_official_model(path: str | Path) -> tuple[Tagger | Separator, dict[str, Any]]:
    """Return ``(model, header)`` of an official checkpoint, the header as a checkpoint of s5lib would have it.

    Raises:
        CheckpointError: see :func:`official_state`.
    """
    from dataclasses import asdict

    from s5lib.plugins import find

    state = official_state(path)
    config = official_config(state)
    kind, name = ("separator", "resunetk") if isinstance(config, ResUNetKConfig) else ("tagger", "m2d")
    component = find(kind, name)
    component.load()
    model = built_for(state, path, lambda: component.create(**asdict(config)))
    load_state(model, state, path)
    classes = config.num_classes
    labels = list(LABELS) if classes == len(LABELS) else [f"class{index}" for index in range(classes)]
    header = {
        "format": 1,
        "kind": kind,
        "name": name,
        "distribution": "s5lib",
        "version": __version__,
        "config": asdict(config),
        "labels": labels,
        "trained_on": TRAINED_ON,
    }
    return model.eval(), header


def load_official(path: str | Path) -> Tagger | Separator:
    """Return the model of an official checkpoint, in eval mode.

    Args:
        path: a ``.ckpt`` file (a ``state_dict`` whose names begin with ``model.``), or its tensors as safetensors.

    Raises:
        CheckpointError: the file is unreadable, would run code, or is no official checkpoint.
    """
    return load_official_model(path)[0]
