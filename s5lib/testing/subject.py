"""The subject of a check: one component, small sizes within its capabilities, and seeded inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from s5lib.plugins import Component, find
from s5lib.testing.outcome import require

if TYPE_CHECKING:
    from s5lib.interfaces.models import Model

__all__ = ["Subject"]

CLASSES = 5


class Subject:
    """A component under test.

    Args:
        kind: ``tagger``, ``separator`` or ``joint_model``.
        component: its name, or what :func:`s5lib.plugins.find` returns.
        options: of the component, also ``num_sources`` and other sizes if the defaults do not suit.
    """

    def __init__(self, kind: str, component: str | Component, options: dict[str, Any]):
        self.kind, self.given = kind, options
        self._asked = component

    @cached_property
    def component(self) -> Component:
        """The component, found when the first check runs."""
        return find(self.kind, self._asked) if isinstance(self._asked, str) else self._asked

    @cached_property
    def options(self) -> dict[str, Any]:
        """The options that models are built with: three sources, four channels and 32 kHz if supported."""
        can = self.component.spec.capabilities
        sizes = {
            "num_classes": CLASSES,
            "num_sources": min(3, can.max_sources or 3),
            "num_channels": 4 if can.channels is None or 4 in can.channels else can.channels[0],
            "sample_rate": 32000 if can.sample_rates is None or 32000 in can.sample_rates else can.sample_rates[0],
        }
        return {**sizes, **self.given}

    @cached_property
    def config(self):
        """The config of these options."""
        return self.component.configure(**self.options)

    @property
    def samples(self) -> int:
        """A quarter of a second."""
        return self.config.sample_rate // 4

    def model(self, seed: int = 0, **changes: Any) -> Model:
        """Return a new model in eval mode, its weights drawn from ``seed``, some options changed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made: Model = self.component.create(**{**self.options, **changes})
        return made.eval()

    def mixture(self, batch: int = 2, samples: int | None = None, channels: int | None = None) -> Tensor:
        """Return noise ``[B, M, T]`` of RMS 0.1."""
        generator = torch.Generator().manual_seed(1)
        shape = (batch, channels or self.config.num_channels, samples or self.samples)
        return 0.1 * torch.randn(shape, generator=generator)

    def query(self, batch: int = 2, labels: list[int] | None = None, slots: int = 0, classes: int = 0) -> Tensor:
        """Return one-hot rows ``[B, K, C]`` of ``labels``, zero rows behind them; by default a full distinct query."""
        slots, classes = slots or self.config.num_sources, classes or self.config.num_classes
        labels = [k % classes for k in range(slots)] if labels is None else labels[:slots]
        query = torch.zeros(batch, slots, classes)
        for slot, label in enumerate(labels):
            query[:, slot, label] = 1
        return query

    def call(self, model: Callable[..., Any], mixture: Tensor, query: Tensor | None = None) -> list[Tensor]:
        """Run ``model`` and return its outputs as a list: logits, waveforms or both."""
        if self.kind == "separator":
            return [model(mixture, self.query(mixture.shape[0]).to(mixture.device) if query is None else query)]
        output = model(mixture)
        return list(output) if self.kind == "joint_model" else [output]

    def infer(self, model: Callable[..., Any], mixture: Tensor, query: Tensor | None = None) -> list[Tensor]:
        """:meth:`call` without gradients."""
        with torch.no_grad():
            return self.call(model, mixture, query)

    def names(self) -> list[str]:
        """Say what :meth:`call` returns."""
        return {"tagger": ["logits"], "separator": ["waveforms"], "joint_model": ["logits", "waveforms"]}[self.kind]

    def require_close(self, found: list[Tensor], wanted: list[Tensor], what: str, tolerance: float = 1e-4) -> None:
        """Fail where outputs differ by more than ``tolerance`` of the largest value."""
        for name, one, other in zip(self.names(), found, wanted, strict=True):
            one, other = one.float().cpu(), other.float().cpu()
            require(one.shape == other.shape, f"{what}: {name} have shape {tuple(one.shape)}, not {tuple(other.shape)}")
            scale = max(other.abs().max().item(), 1e-6)
            error = (one - other).abs().max().item() / scale
            require(error <= tolerance, f"{what}: {name} differ by {error:.1e} of the largest value")  # NaN fails too
