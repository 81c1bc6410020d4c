"""Values of the public DCASE 2026 Task 4 baseline, and the seeded parameters and inputs that they belong to.

How ``reference_values.json`` was made: the baseline's models (tag v1.1.0, torch 2.11, CPU, float32) got the parameters
of :func:`parameter` by their names and the inputs below.  ``logits`` are whole outputs; of larger ones ``value[i]`` is
the flattened output at ``index[i]``, and ``l2`` and ``sum`` are over all of it.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch

VALUES = json.loads((Path(__file__).parent / "reference_values.json").read_text())


def parameter(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the value that the reference model has for the parameter of this name."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("norm_stats"):
        value = np.array([-7.1, 4.2])
    elif name.endswith("running_var"):
        value = random.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        value = 0.1 * random.standard_normal(shape)
    elif len(shape) == 1 and name.endswith("weight"):
        value = 1 + 0.1 * random.standard_normal(shape)
    elif len(shape) == 1:
        value = 0.02 * random.standard_normal(shape)
    else:
        value = random.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    return torch.from_numpy(value.astype(np.float32))


def fill(model: torch.nn.Module, prefix: str = "") -> torch.nn.Module:
    """Give ``model`` the parameters of the reference, whose names are the model's after ``prefix``."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    head = {name: "" if name.startswith("head.") else prefix for name in shapes}
    model.load_state_dict({name: parameter(head[name] + name, shape) for name, shape in shapes.items()})
    return model.eval()


def mixture(case: dict, scale: float) -> torch.Tensor:
    """Return the input ``[1, 4, samples]`` of a case."""
    random = np.random.default_rng(case["input_seed"])
    return torch.from_numpy((scale * random.standard_normal((1, 4, case["samples"]))).astype(np.float32))


def query(labels: list[int | None], classes: int) -> torch.Tensor:
    """Return ``[1, K, classes]``: one-hot rows, zeros where the label is None."""
    rows = torch.zeros(1, len(labels), classes)
    for slot, label in enumerate(labels):
        if label is not None:
            rows[0, slot, label] = 1
    return rows


def relative_error(value: torch.Tensor, expected) -> float:
    """Return ``|value - expected| / |expected|`` (Euclidean norms)."""
    expected = torch.as_tensor(expected, dtype=torch.float64)
    return ((value.double() - expected).norm() / expected.norm()).item()
