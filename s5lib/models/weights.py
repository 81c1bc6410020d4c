"""Loads weights into a model completely or not at all, and builds a model only for the weights that are there.

A checkpoint's header says how large the model is, and may lie: 40 GB of weights, a million layers.  So the model is
first built on torch's "meta" device, where tensors have shapes and no memory, with an eye on their number, and compared
with the file's tensors (:func:`built_for`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration

from s5lib.errors import CheckpointError, ConfigError, PluginError
from s5lib.untrusted import shown

__all__ = ["built_for", "check_tensor", "load_state"]

_SPARE_BYTES = 1 << 28  # of what a model holds beside its weights: windows, filter banks


def check_tensor(name: str, tensor: Tensor) -> str:
    """Return why a tensor of a file can be no weight, or an empty string."""
    if tensor.layout != torch.strided or tensor.is_quantized or getattr(tensor, "is_nested", False):
        kind = (
            "nested"
            if tensor.layout == torch.strided and not tensor.is_quantized
            else f"{tensor.layout} {tensor.dtype}"
        )
        return f"{shown(name)} is not a plain array ({kind})"
    if tensor.is_meta:
        return f"{shown(name)} has no values (a meta tensor)"
    if tensor.nbytes > tensor.untyped_storage().nbytes():  # by strides of zero, a byte can be any size
        return f"{shown(name)} claims {tensor.nbytes} bytes and holds {tensor.untyped_storage().nbytes()}"
    return ""


def built_for(state: Mapping[str, Tensor], path: str | Path, build: Callable[[], Any]) -> Any:
    """Return ``build()``, a model that ``state``, which came from ``path``, fits.

    Raises:
        CheckpointError: the model is larger than the file, or names, shapes or types differ.
    """
    with _bounded(state, path), torch.device("meta"):
        try:
            plan = build()
        except (PluginError, ConfigError):  # a constructor that needs values; what is truly wrong shows up below
            plan = None
    if plan is not None:
        _check_fit(plan, state, path)
    with _bounded(state, path):
        return build()


@contextlib.contextmanager
def _bounded(state: Mapping[str, Tensor], path: str | Path) -> Iterator[None]:
    """Stop, in this thread, the making of a model with far more tensors or bytes than ``state`` has."""
    most, thread = 1000 + 4 * len(state), threading.get_ident()
    most_bytes = _SPARE_BYTES + 4 * sum(tensor.nbytes for tensor in state.values())
    count = total = 0

    def register(module, name, item):
        nonlocal count, total
        if threading.get_ident() != thread or item is None:
            return
        count += 1
        if isinstance(item, Tensor) and not item.is_meta:
            total += item.nbytes
        if count > 16 * most or total > most_bytes:
            raise CheckpointError(
                f"{path}: its header describes a model that is larger than the file's {len(state)} tensors. It is "
                "damaged, or made to exhaust the memory."
            )

    hooks = [
        getattr(registration, f"register_module_{kind}_registration_hook")(register)
        for kind in ("parameter", "buffer", "module")
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def load_state(model: nn.Module, state: Mapping[str, Tensor], path: str | Path) -> None:
    """Copy ``state``, which came from ``path``, into ``model``.

    Raises:
        CheckpointError: names, shapes or types differ (the message lists what is missing, unexpected and mis-shaped),
            or a weight or buffer is not finite.  The model is then as it was.
    """
    own = _check_fit(model, state, path)
    for name, tensor in own.items():
        if not tensor.is_floating_point():
            continue
        finite = state[name].isfinite()
        # A mask may hold infinity by design: what the model itself has.
        if not finite.all() and not (finite | (state[name] == tensor.to(state[name].device))).all():
            raise CheckpointError(
                f"{path}: the values of {name} are not all finite numbers: a damaged file, or a training gone wrong."
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def _check_fit(model: nn.Module, state: Mapping[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """Return the model's own tensors by name, where ``state`` fits them."""
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
    for name, tensor in own.items():
        problem = check_tensor(name, state[name])
        if _kind(state[name]) != _kind(tensor):
            problem = f"{name} is {state[name].dtype}; expected {_kind(tensor)} numbers, as {tensor.dtype}"
        if problem:
            raise CheckpointError(f"{path}: {problem}.")
    return own


def _kind(tensor: Tensor) -> str:
    if tensor.is_complex():
        return "complex"
    if tensor.is_floating_point():
        return "floating point"
    return "true or false as" if tensor.dtype == torch.bool else "whole"


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
