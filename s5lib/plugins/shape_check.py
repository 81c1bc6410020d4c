"""Checks the shapes that a model returns, so that a plugin's mistake is reported as such and fails early."""

from __future__ import annotations

from s5lib.errors import PluginError
from s5lib.interfaces import ModelConfig

__all__ = ["ShapeGuard"]


class ShapeGuard:
    """A forward hook; compares the output's shapes with the contract in :mod:`s5lib.interfaces.models`.

    Only shapes are checked, which the host knows without waiting for a device.
    """

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
            raise PluginError(f"{self.owner} returned {_shape(output)}, expected (logits, waveforms).")
        for found, wanted in zip(outputs, expected, strict=True):
            if _shape(found) != wanted:
                raise PluginError(
                    f"{self.owner} returned {_shape(found)} for a mixture {tuple(mixture.shape)}, expected {wanted}: "
                    + ("[B, K, C + 1]." if wanted is logits else "[B, K, T].")
                )


def _shape(value):
    return tuple(value.shape) if hasattr(value, "shape") else f"a {type(value).__name__}"
