"""Weights go into a model as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from s5lib.errors import CheckpointError

__all__ = ["load_state"]


def load_state(model: nn.Module, state: Mapping[str, Tensor], path: str | Path) -> None:
    """Copy ``state``, which came from ``path``, into ``model``.

    Raises:
        CheckpointError: names or shapes differ; the message lists what is missing, unexpected and mis-shaped.  The
            model is then as it was.
    """
    own = getattr(model, "_orig_mod", model).state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    reshaped = [
        f"{name} {list(state[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if missing or unexpected or reshaped:
        raise CheckpointError(_differences(model, path, missing, unexpected, reshaped))
    for name, _ in getattr(model, "_orig_mod", model).named_parameters():
        if not state[name].isfinite().all():
            raise CheckpointError(
                f"{path}: the weights {name} are not all finite; the file is damaged, or its training went wrong."
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def _differences(model, path, missing, unexpected, reshaped) -> str:
    lines = [f"the weights of {path} do not fit this {type(model).__name__}."]
    for what, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped)):
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"  {what} ({len(names)}): {', '.join(names[:6])}{more}")
    if reshaped and not missing and not unexpected:
        lines.append(f"Give the model the options it was trained with ('s5lib describe {path}'), or another label set.")
    else:
        lines.append(f"It is another component, or one with other options: see 's5lib describe {path}'.")
    return "\n".join(lines)
