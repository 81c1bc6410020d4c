"""Holds a plugin's model to its contract, so that a mistake is reported as such, fails early and stays in the model.

The model gets copies of its input, which others still need.  Of its output, type and shape are checked, which the host
knows without waiting for a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s5lib.errors import PluginError
from s5lib.interfaces import ModelConfig

if TYPE_CHECKING:
    import torch

__all__ = ["ShapeGuard", "guard", "problem_of", "shape_of"]


def guard(model: Any, owner: str, kind: str, config: ModelConfig, is_built_in: bool) -> None:
    """Check what ``model`` returns, from now on; what comes with s5lib is trusted to leave its input alone."""
    if not is_built_in:
        isolation = _Isolation()
        model.register_forward_pre_hook(isolation, with_kwargs=True)
        model.register_forward_hook(isolation.restore, always_call=True)
    model.register_forward_hook(ShapeGuard(owner, kind, config), with_kwargs=True)


class _Isolation:
    """Copies of a model's input, and torch's default type as it was before."""

    dtype: torch.dtype | None = None

    def __call__(self, model, arguments, keywords):
        import torch  # listing components must not load it

        self.dtype = torch.get_default_dtype()
        copied = {name: _copy(value) for name, value in keywords.items()}
        return tuple(map(_copy, arguments)), copied

    def restore(self, model, arguments, output) -> None:
        """Undo a change of the default type, by which other models would compute something else."""
        import torch

        if self.dtype not in (None, torch.get_default_dtype()):
            torch.set_default_dtype(self.dtype)


def _copy(value):
    return value.clone() if hasattr(value, "clone") else value


class ShapeGuard:
    """A forward hook; compares the output with the contract in :mod:`s5lib.interfaces.models`."""

    def __init__(self, owner: str, kind: str, config: ModelConfig):
        self.owner, self.kind, self.config = owner, kind, config

    def __call__(self, model, arguments, keywords, output) -> None:
        """Compare; raises :class:`~s5lib.errors.PluginError` where they differ."""
        mixture = arguments[0] if arguments else keywords["mixture"]
        slots, classes = self.config.num_sources, self.config.num_classes
        if self.kind == "separator":
            slots = (arguments[1] if len(arguments) > 1 else keywords["query"]).shape[1]
        batch, samples = mixture.shape[0], mixture.shape[-1]
        logits, waveforms = (batch, slots, classes + 1), (batch, slots, samples)
        expected = {"tagger": [logits], "separator": [waveforms], "joint_model": [logits, waveforms]}[self.kind]
        outputs = [output] if self.kind != "joint_model" else output
        if not isinstance(outputs, (tuple, list)) or len(outputs) != len(expected):
            raise PluginError(f"{self.owner} returned {shape_of(output)}, expected (logits, waveforms).")
        for found, wanted in zip(outputs, expected, strict=True):
            if shape_of(found) != wanted:
                raise PluginError(
                    f"{self.owner} returned {shape_of(found)} for a mixture {tuple(mixture.shape)}, expected {wanted}: "
                    + ("[B, K, C + 1]." if wanted is logits else "[B, K, T].")
                )
            if problem := problem_of(found, mixture):
                raise PluginError(f"{self.owner} returned {problem}; expected floating-point numbers like its input's.")


def shape_of(value: Any) -> tuple[int, ...] | str:
    """Return the shape of a tensor, or what else ``value`` is."""
    return tuple(value.shape) if hasattr(value, "shape") else f"a {type(value).__name__}"


def problem_of(value: Any, mixture: torch.Tensor) -> str:
    """Return what keeps a value of the right shape from being a plain tensor of numbers; empty: nothing."""
    import torch

    if not isinstance(value, torch.Tensor):
        return f"a {type(value).__name__}"
    if value.layout != torch.strided or value.is_quantized:
        return f"a tensor of layout {value.layout}" + " (quantised)" * value.is_quantized
    if not value.is_floating_point():
        return f"a tensor of {value.dtype}"
    return f"a tensor on {value.device}" if value.is_meta and not mixture.is_meta else ""
