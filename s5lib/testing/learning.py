"""Checks of what training needs: finite gradients for every parameter, layers that freeze, reduced precision."""

from __future__ import annotations

import torch

from s5lib.testing.outcome import require
from s5lib.testing.subject import Subject


def _gradients(subject: Subject, mixture: torch.Tensor) -> dict[str, torch.Tensor | None]:
    model = subject.model().train()
    generator = torch.Generator().manual_seed(3)
    outputs = subject.call(model, mixture)
    losses = [(output - torch.randn(output.shape, generator=generator)).square().mean() for output in outputs]
    torch.stack(losses).sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}


def check_finite_gradients(subject: Subject) -> None:
    """Every trainable parameter gets a finite gradient, and not all are zero."""
    gradients = _gradients(subject, subject.mixture())
    unused = [name for name, gradient in gradients.items() if gradient is None]
    require(not unused, f"parameters that no output depends on, which stops distributed training: {_some(unused)}")
    _require_finite(gradients, "for noise")
    require(
        any(gradient is not None and bool(gradient.any()) for gradient in gradients.values()), "all gradients are zero"
    )


def check_gradients_of_silence(subject: Subject) -> None:
    """A mixture of zeros gives finite gradients too."""
    _require_finite(_gradients(subject, torch.zeros_like(subject.mixture())), "for a silent mixture")


def check_set_trainable(subject: Subject) -> None:
    """``set_trainable("all")`` frees all parameters; an unknown choice is refused."""
    model = subject.model()
    model.set_trainable("all")
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    require(not frozen, f"set_trainable('all') leaves frozen: {_some(frozen)}")
    try:
        model.set_trainable("no such layers")
    except ValueError:
        return
    require(False, "set_trainable('no such layers') must raise a ValueError")


def check_bfloat16(subject: Subject) -> None:
    """Runs under bfloat16 autocast, as ``precision: bfloat16`` trains."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = subject.infer(subject.model(), subject.mixture())
    for name, output in zip(subject.names(), outputs, strict=True):
        require(bool(output.isfinite().all()), f"{name} are not all finite under bfloat16 autocast")


def _require_finite(gradients, when: str) -> None:
    broken = [name for name, gradient in gradients.items() if gradient is not None and not gradient.isfinite().all()]
    require(not broken, f"gradients are not finite {when}: {_some(broken)}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
