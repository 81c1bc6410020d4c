"""Input checks of the models: errors name the input and the configuration, before a library deep inside fails."""

from __future__ import annotations

import torch
from torch import Tensor

from s5lib.errors import DataError
from s5lib.interfaces import ModelConfig

__all__ = ["check_mixture", "check_query"]


def check_mixture(mixture: Tensor, config: ModelConfig) -> None:
    """Check the shape ``[B, M, T]`` of a mixture with ``config.fewest_channels`` to ``config.num_channels`` channels.

    Raises:
        DataError: it has another shape, is empty or is not of floating point numbers.
    """
    shape = tuple(mixture.shape)
    if mixture.ndim != 3:
        raise DataError(f"mixture has shape {shape}; expected [batch, channels, samples].")
    least, most = config.fewest_channels, config.num_channels
    if not least <= shape[1] <= most:
        wanted = f"{most}" if least == most else f"{least} to {most}"
        raise DataError(f"mixture has {shape[1]} channels, the model was made for {wanted} (shape {shape}).")
    if shape[2] == 0:
        raise DataError(f"mixture has no samples (shape {shape}).")
    if not mixture.is_floating_point():
        raise DataError(f"mixture has type {mixture.dtype}; expected floating point numbers in -1 to 1.")


def check_query(query: Tensor, batch: int, config: ModelConfig, values: bool = True) -> None:
    """Check that ``query`` is ``[batch, K, C]`` and, if ``values``, that each row is one-hot or zero.

    Raises:
        DataError: another shape, a row of another kind.
    """
    shape, wanted = tuple(query.shape), (batch, config.num_sources, config.num_classes)
    if query.ndim == 3 and shape[1] > wanted[1]:
        raise DataError(f"query asks for {shape[1]} sources, the model has at most {wanted[1]} at once.")
    if query.ndim == 3 and shape[2] != wanted[2]:
        raise DataError(f"query is over {shape[2]} classes, the model was trained on {wanted[2]}: another label set?")
    if shape != wanted:
        raise DataError(f"query has shape {shape}; expected [batch, sources, classes] = {list(wanted)}.")
    if not values or torch.compiler.is_compiling():
        return
    wrong = ((query != 0) & (query != 1)).any(-1) | (query.sum(-1) > 1)
    if wrong.any():
        item, slot = wrong.nonzero()[0].tolist()
        row = query[item, slot]
        classes = row.nonzero().flatten().tolist()
        raise DataError(
            f"query of slot {slot} (batch item {item}) has values {row[classes].tolist()} for classes {classes}; "
            "expected a single 1, or zeros for a silent slot. Give each source its own slot."
        )
