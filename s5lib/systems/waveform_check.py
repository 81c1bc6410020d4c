"""Checks of what a system is called with from Python; each error names the fix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from s5lib.audio import check_sample_rate
from s5lib.errors import ConfigError, DataError
from s5lib.metrics.checks import check_plain
from s5lib.untrusted import is_real, shown

__all__ = ["as_waveform", "check_rate", "checked_labels"]


def as_waveform(waveform: Any, num_channels: int) -> np.ndarray:
    """Return ``waveform`` as float32 ``[M, T]``; it may be a tensor, and ``[T]`` counts as one channel.

    Integers are not scaled: whether 1 is the least or the loudest sample cannot be seen from the samples.

    Raises:
        DataError: not real floating-point samples, masked, sparse or without values, empty, not one or two dimensions,
            or ``[T, M]``.
    """
    check_plain("the waveform", waveform)
    if isinstance(waveform, torch.Tensor):
        waveform = waveform.detach().cpu().resolve_neg()
        waveform = waveform.float().numpy() if waveform.is_floating_point() else waveform.numpy()
    try:
        samples = np.asarray(waveform)
    except (TypeError, ValueError) as error:
        raise DataError(f"the waveform is no array of numbers ({error}); expected [channels, samples].") from None
    if samples.dtype.kind in "iu":
        raise DataError(
            f"the waveform has samples of type {samples.dtype}; expected floating point with 1.0 as full scale: pass "
            f"{_scaling(samples.dtype)}."
        )
    if samples.dtype.kind != "f":
        raise DataError(f"the waveform has values of type {samples.dtype}; expected floating point.")
    if samples.ndim not in (1, 2) or not samples.size:
        raise DataError(f"the waveform has shape {samples.shape}; expected [channels, samples], not empty.")
    samples = np.atleast_2d(samples)
    channels, length = samples.shape
    if channels != num_channels and (length == num_channels or (length <= 64 < channels)):
        raise DataError(
            f"the waveform has shape {samples.shape}; expected [channels, samples]. Are the samples first? Then pass "
            "waveform.T."
        )
    with np.errstate(over="ignore"):  # of float64 beyond float32's range: reported as not finite
        return samples.astype(np.float32, copy=False)


def _scaling(dtype: np.dtype) -> str:
    bits = 8 * dtype.itemsize
    half = f"{2 ** (bits - 1)}"
    return f"waveform / {half}" if dtype.kind == "i" else f"waveform / {half} - 1"


def check_rate(sample_rate: Any) -> int:
    """Return a sampling rate in Hz as an int.

    Raises:
        DataError: not a number, or out of range.
    """
    if not is_real(sample_rate) or (isinstance(sample_rate, float | np.floating) and not math.isfinite(sample_rate)):
        raise DataError(
            f"the sampling rate is {str(sample_rate)[:80]!r}; expected the recording's rate in Hz, such as 48000."
        )
    try:
        return check_sample_rate(sample_rate, "the recording")
    except DataError as error:
        hint = f" If that is in kHz, pass {1000 * sample_rate:g}." if 1 <= sample_rate < 768 else ""
        raise DataError(f"{error}{hint}") from None


def checked_labels(labels: Any) -> list[str]:
    """Return ``labels`` as a list of strings.

    Raises:
        ConfigError: it is one string, or no sequence of strings.
    """
    if isinstance(labels, str):
        raise ConfigError(f"labels is the string {shown(labels)}; expected a list: pass labels=[{shown(labels)}].")
    if not isinstance(labels, Sequence | np.ndarray) or not all(isinstance(label, str) for label in labels):
        raise ConfigError(f"labels is {shown(labels)}; expected a list of labels, such as ['Speech', 'Speech'].")
    return [str(label) for label in labels]
