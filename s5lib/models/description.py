"""The cost of a model: parameters, multiplications for an input, and the time they take on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from s5lib.interfaces.models import Model
from s5lib.models.winograd import direct_only

__all__ = ["Cost", "example_input", "measure_cost"]

_RUNS = 3


@dataclass(frozen=True)
class Cost:
    """The cost of one forward pass of a model."""

    trainable: int
    """Number of trainable parameters."""
    frozen: int
    """Number of frozen parameters."""
    bytes: int
    """Size of parameters and buffers."""
    macs: int
    """Multiply-accumulate operations of convolutions, matrix products and attention, without Fourier transforms."""
    seconds: float
    """Duration of the input."""
    elapsed: float
    """Time that the pass takes, in seconds; the median of three, after one to warm up."""

    @property
    def real_time_factor(self) -> float:
        """Computing time divided by duration; below 1 is faster than real time."""
        return self.elapsed / self.seconds


def example_input(model: Model, kind: str, seconds: float, device: str = "cpu") -> list[Tensor]:
    """Return seeded noise ``[1, M, T]`` and, for a separator, a query that uses every slot."""
    sizes = model.config
    generator = torch.Generator().manual_seed(0)
    samples = max(1, round(seconds * sizes.sample_rate))
    inputs = [0.1 * torch.randn(1, sizes.num_channels, samples, generator=generator)]
    if kind == "separator":
        slots = torch.arange(sizes.num_sources) % sizes.num_classes
        inputs.append(nn.functional.one_hot(slots, sizes.num_classes).float()[None])
    return [value.to(device) for value in inputs]


def measure_cost(model: Model, kind: str, seconds: float = 10.0, device: str = "cpu") -> Cost:
    """Run ``model`` on one recording of ``seconds`` on ``device``, with all slots used, and return what it costs."""
    model = model.to(device).eval()
    inputs = example_input(model, kind, seconds, device)
    with torch.no_grad():
        # Fused attention hides its products from the counter, and Winograd's convolutions have fewer than the layers.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), direct_only():
            model(*inputs)
        times = sorted(_timed(model, inputs) for _ in range(_RUNS))
    parameters = list(model.parameters())
    return Cost(
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        frozen=sum(p.numel() for p in parameters if not p.requires_grad),
        bytes=sum(t.nbytes for t in [*parameters, *model.buffers()]),
        macs=counter.get_total_flops() // 2,
        seconds=inputs[0].shape[-1] / model.config.sample_rate,
        elapsed=times[_RUNS // 2],
    )


def _timed(model: nn.Module, inputs: list[Tensor]) -> float:
    _wait(inputs[0])
    start = time.perf_counter()
    model(*inputs)
    _wait(inputs[0])
    return time.perf_counter() - start


def _wait(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
