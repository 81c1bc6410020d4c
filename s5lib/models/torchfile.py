"""Reads the tensors, and nothing else, of files that torch.save wrote: they are pickles, which could hold code."""

from __future__ import annotations

import argparse
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from s5lib.errors import CheckpointError
from s5lib.models.weights import check_tensor
from s5lib.untrusted import reason, shown

__all__ = ["read_tensors", "unpickle"]

_NESTS = ("state_dict", "model", "model_state_dict")  # where training frameworks put the weights


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors by name of a ``.safetensors`` file, or of a ``.ckpt``, ``.pth`` or ``.pt`` file of torch.

    Raises:
        CheckpointError: no such file, not such a file, a pickle that would run code, no weights in it, or weights that
            are no plain arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}.")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is not a safetensors file, or is damaged ({reason(error)}).") from error
    content = unpickle(path)
    for name in _NESTS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; expected weights by name.")
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no weights; its entries: {', '.join(map(shown, list(content)[:8]))}.")
    for name, tensor in tensors.items():
        if problem := check_tensor(name, tensor):
            raise CheckpointError(f"{path}: {problem}.")
    if sum(tensor.nbytes for tensor in tensors.values()) > 4 * path.stat().st_size:  # many names for the same bytes
        raise CheckpointError(f"{path}: its tensors are several times as large as the file: is it malicious?")
    return tensors


def unpickle(path: Path) -> Any:
    """Return what a file of torch.save holds: plain values and tensors, which are mapped and not read as a whole.

    Raises:
        CheckpointError: it is damaged, larger than it seems, or holds objects that would run code.
    """
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            _check_zip(path)
        # Mapped: the optimiser's state, which is in the file too, is then never read.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            # Namespace: a training's options, values by name and no code
            warnings.simplefilter("ignore")  # torch warns of what it then loads or refuses
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except CheckpointError:
        raise
    except Exception as error:  # whatever spoilt bytes lead torch to, running out of memory included
        # Of torch's own messages only the object's name: the rest advises to load it all the same.
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and code:
            raise CheckpointError(
                f"{path} was not loaded: beside weights, it holds {shown(code[1])}, which would run code when read. "
                "Ask for a file with weights alone (its state_dict), best as safetensors."
            ) from None
        raise CheckpointError(
            f"{path} is no file of torch.save with weights alone, or is damaged ({type(error).__name__})."
        ) from None


def _check_zip(path: Path) -> None:
    """Refuse what torch.save does not write and what takes more memory than the file has bytes: packed members."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise CheckpointError(f"{path} is a packed archive, which torch.save does not write: unpack and save it again.")
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise CheckpointError(f"{path}: its parts claim more bytes than the file has: it is damaged.")
