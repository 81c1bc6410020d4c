"""Loads weights into a model completely or not at all, and builds a model only for the weights that are there.

A checkpoint's header says how large the model is, and may lie: 40 GB of weights, a million layers.  So the model is
first built on torch's "meta" device, where tensors have shapes and no memory, with an eye on their number, and compared
with the file's tensors (:func:`built_for`).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.overrides import TorchFunctionMode

from s5lib.errors import CheckpointError, ConfigError, PluginError, S5Error
from s5lib.untrusted import shown

__all__ = ["built_for", "check_tensor", "load_state"]

_FILLS = {
    *(Tensor.uniform_, Tensor.normal_, Tensor.erfinv_),
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
}
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
    imports = _Imports()
    while True:
        plan: Any = None
        with (
            contextlib.suppress(PluginError, ConfigError, _ImportFound),  # what is truly wrong shows up below
            imports,
            _bounded(state, path),
            torch.device("meta"),
            _Shortcuts(on_meta=True),
        ):
            plan = build()
        if not imports.load():
            break
    if plan is not None:  # else its constructor needs values
        _check_fit(plan, state, path)
    with _bounded(state, path), _Shortcuts():
        return build()


class _ImportFound(S5Error):
    """A constructor imports a module for the first time."""


class _Imports:
    """Stops the import of further modules: what they define would be without values, on the meta device, for good."""

    def __init__(self) -> None:
        self.found: str | None = None
        self._seen: set[str] = set()
        self._thread = threading.get_ident()

    def __enter__(self) -> None:
        self.found = None
        sys.meta_path.insert(0, self)

    def __exit__(self, *error: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Called by Python for a module that is not loaded."""
        if threading.get_ident() == self._thread and name not in self._seen:
            self.found = name
            raise _ImportFound(f"{name} has to be imported first")

    def load(self) -> bool:
        """Import the module that was found, if one was; one that cannot be imported is left to whoever wants it."""
        if self.found is None:
            return False
        self._seen.add(self.found)
        with contextlib.suppress(Exception):
            importlib.import_module(self.found)
        return True


class _Shortcuts(TorchFunctionMode):
    """Leaves out what is not needed of a model that gets its weights from a file.

    That is the first values of its parameters; and on the meta device the arithmetic behind a Hann window, for which
    torch would import its compiler, which takes seconds.
    """

    def __init__(self, on_meta: bool = False):
        super().__init__()
        self.on_meta = on_meta

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        if function in _FILLS and isinstance(target, nn.Parameter):
            return target
        if self.on_meta and function is torch.hann_window and kwargs.keys() <= {"dtype"}:
            return torch.empty(args[0], device="meta", **kwargs)
        return function(*args, **kwargs)


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
        if isinstance(item, Tensor):
            total += item.nbytes
        if count > 16 * most or total > most_bytes:
            raise CheckpointError(
                f"{path}: its header describes a model that is larger than the file's {len(state)} tensors. It is "
                "damaged or malicious."
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
                f"{path}: the values of {name} are not all finite: a damaged file, or a training that diverged."
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
