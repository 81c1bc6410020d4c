"""Optional ways to make a model faster; those without a price are always on.

Always on, because the values are the same: one Fourier transform for all channels, fused attention, normalisations
folded if they are fixed; on the CPU, channels last and Winograd's convolutions for wide layers.  Optional: bfloat16,
which rounds (below 1 % of the output) and only pays off with matrix units; torch.compile, which takes a minute at the
start and, on the CPU, a C++ compiler; and keeping freed memory, which concerns the whole process.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import sys
from typing import Any

import torch
from torch import nn

from s5lib.errors import ConfigError, nearest

__all__ = ["accelerate", "keep_freed_memory"]

log = logging.getLogger(__name__)

_PRECISIONS = ("float32", "bfloat16")
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3)


def accelerate(model: nn.Module, *, precision: str = "float32", compiled: bool = False) -> nn.Module:
    """Change ``model`` in place for inference, and return it.

    Args:
        model: any tagger, separator or joint model; its outputs stay float32.
        precision: ``"float32"`` or ``"bfloat16"``, that of convolutions and matrix products.
        compiled: whether torch.compile generates code for the network, when it first runs.

    Raises:
        ConfigError: there is no such precision.
    """
    if precision not in _PRECISIONS:
        raise ConfigError(f"precision is {precision!r}. {nearest(precision, _PRECISIONS)}")
    if compiled:
        getattr(model, "network", model).compile()
    if precision == "bfloat16":
        model.forward = _in_bfloat16(model.forward)
    return model.eval()


def _in_bfloat16(forward):
    @functools.wraps(forward)
    def reduced(mixture, *others):
        if mixture.device.type == "cpu":
            _tell_if_slow()
        with torch.autocast(mixture.device.type, torch.bfloat16):
            output = forward(mixture, *others)
        return tuple(part.float() for part in output) if isinstance(output, tuple) else output.float()

    return reduced


@functools.cache  # said once
def _tell_if_slow() -> None:
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if capabilities.get("amx_bf16") is False:
        log.warning("bfloat16 is slower than float32 on this processor, which has no matrix units for it (AMX).")


def keep_freed_memory() -> bool:
    """Let the process keep the memory of freed tensors for the next ones; return whether the system can do that.

    By default, glibc returns a freed tensor's memory, and the system clears every page of the next one, up to half of
    the time of a cheap operation.  For programs that run models repeatedly on the CPU; does nothing without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL("libc.so.6")
        return bool(library.mallopt(_MMAP_MAX, 0) and library.mallopt(_TRIM_THRESHOLD, 2**31 - 1))
    except (OSError, AttributeError):
        return False
