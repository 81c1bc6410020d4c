"""Reads the tensors, and nothing else, of files that torch.save wrote: they are pickles, which could hold code."""

from __future__ import annotations

import argparse
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from s5lib.errors import CheckpointError

__all__ = ["read_tensors"]

_NESTS = ("state_dict", "model", "model_state_dict")  # where training frameworks put the weights


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors by name of a ``.safetensors`` file, or of a ``.ckpt``, ``.pth`` or ``.pt`` file of torch.

    Raises:
        CheckpointError: no such file, not such a file, a pickle that would run code, or no weights in it.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}.")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is no safetensors file, or is damaged ({error}).") from error
    content = _unpickle(path)
    for name in _NESTS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; expected weights by name.")
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no weights; its entries: {', '.join(map(str, list(content)[:8]))}.")
    return tensors


def _unpickle(path: Path) -> Any:
    try:
        # Mapped: the optimiser's state, which is in the file too, is then never read.
        with torch.serialization.safe_globals([argparse.Namespace]):  # a training's options: values by name, no code
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        cause = str(error).split("WeightsUnpickler error:")[-1].strip().split("\n")[0]
        raise CheckpointError(
            f"{path} was not loaded: beside weights, it holds objects that would run code when read ({cause}) If you "
            "trust where it came from, load it in the program that wrote it and save its state_dict alone."
        ) from error
    except Exception as error:  # whatever spoilt bytes lead torch to, running out of memory included
        raise CheckpointError(
            f"{path} is no file of torch.save, or is damaged ({type(error).__name__}: {error})."
        ) from error
