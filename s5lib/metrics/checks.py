"""Argument checks of the metrics: errors name the argument, its value and what is expected."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from s5lib.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import TypeIs

    Labels: TypeAlias = Sequence[Hashable] | np.ndarray | Tensor
    Waveforms: TypeAlias = np.ndarray | Tensor
    Signals: TypeAlias = Waveforms | Sequence[Waveforms | Sequence[float]]
    """What users may pass: an array, a tensor, or a list of waveforms."""

__all__ = [
    "check_energies",
    "check_plain",
    "check_same_kind",
    "check_tensors",
    "checked_labels",
    "checked_waveforms",
    "is_tensor",
]


def is_tensor(value: object) -> TypeIs[Tensor]:
    """Whether this is a torch tensor, found out without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def check_plain(name: str, value: Any, meta: bool = False) -> None:
    """Refuse arrays and tensors that are no plain lists of real numbers, though they look like such.

    Args:
        name: of the argument, for the message.
        value: anything; what is neither an array nor a tensor passes.
        meta: whether a tensor on the meta device, which has a shape and no values, is good enough.

    Raises:
        DataError: ``value`` is masked, complex, sparse, quantised, nested, or on the meta device.
    """
    if isinstance(value, np.ma.MaskedArray) or type(value).__name__ == "MaskedTensor":
        kind, cure = "masked", "fill or remove what is masked"
    elif not isinstance(value, np.ndarray) and not is_tensor(value):
        return
    elif "complex" in str(value.dtype):
        kind, cure = f"of dtype {value.dtype}, complex", "give waveforms, not spectra"
    elif not is_tensor(value):
        return
    elif value.is_meta and not meta:
        kind, cure = "on the meta device, without values", "move the model that made it to a real device"
    elif value.is_quantized:
        kind, cure = "quantised", "dequantise it"
    elif value.is_nested or str(value.layout) != "torch.strided":
        kind, cure = f"{'nested' if value.is_nested else 'sparse'} ({value.layout})", "make it dense"
    else:
        return
    raise DataError(f"{name} is {kind}, expected a plain array or tensor of real numbers: {cure}.")


def check_tensors(**values: Any) -> None:
    """Refuse what a loss cannot take: other than plain tensors of real numbers, all on one device.

    Raises:
        DataError: an argument is none; the message names it.
    """
    devices = {}
    for name, value in values.items():
        if not is_tensor(value):
            raise DataError(f"{name} is a {type(value).__name__}; expected a tensor, as torch.as_tensor makes it.")
        check_plain(name, value, meta=True)  # a model's cost is measured on the meta device
        devices[name] = str(value.device)
    if len(set(devices.values())) > 1:
        places = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise DataError(f"the tensors are on different devices ({places}); move them to one.")


def checked_labels(name: str, labels: Labels) -> list[Hashable]:
    """Return labels as a list of strings, or of class indices 0 and up.

    Raises:
        DataError: no sequence, a single string, several dimensions, or a label that marks silence.
    """
    if labels is None or isinstance(labels, (str, bytes, dict, set)):
        raise DataError(f"{name} is {labels!r}; a sequence of labels is expected, one for each source.")
    check_plain(name, labels)
    if isinstance(labels, np.ndarray) or is_tensor(labels):
        if labels.ndim != 1:
            raise DataError(f"{name} has shape {list(labels.shape)}; one label for each source, [K], is expected.")
        labels = labels.tolist()
    try:
        # items of numpy and torch are unwrapped: two equal tensors would count as two classes
        unwrapped = [label.item() if hasattr(label, "item") else label for label in labels]
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"{name} is {labels!r}; a sequence of labels is expected, one for each source.") from None
    for k, label in enumerate(unwrapped):
        silent = label is None or label == "" or (isinstance(label, int | float | np.number) and not label >= 0)
        if silent or not isinstance(label, Hashable):
            raise DataError(
                f"{name}[{k}] is {label!r}; a label is a class's name, or its index from 0. Leave silent slots out."
            )
    return unwrapped


def check_same_kind(estimated_labels: list[Hashable], reference_labels: list[Hashable]) -> None:
    """Refuse names on one side with indices on the other: no pair would ever match.

    Raises:
        DataError: names on one side, indices on the other.
    """
    kinds = [{isinstance(label, str) for label in labels} for labels in (estimated_labels, reference_labels)]
    if all(kinds) and kinds[0].isdisjoint(kinds[1]):
        raise DataError(
            f"estimated_labels and reference_labels are of different kinds ({estimated_labels[0]!r}, "
            f"{reference_labels[0]!r}); names on both sides, or indices on both, are expected."
        )


def _stacked(name: str, value: Signals) -> Waveforms:
    """Return ``value``, an array, a tensor or a sequence of equally long waveforms, as one array or tensor."""
    for part in value if isinstance(value, (list, tuple)) else (value,):
        check_plain(name, part, meta=True)  # see _same_home
    if isinstance(value, np.ndarray) or is_tensor(value):
        return value
    if not isinstance(value, (list, tuple)):
        raise DataError(f"{name} is a {type(value).__name__}; a numpy array or a torch tensor is expected.")
    if not value:
        return np.zeros((0, 0), dtype=np.float32)
    try:
        shapes = [list(np.shape(row)) for row in value]
    except ValueError:
        raise DataError(f"{name} holds lists of several lengths; waveforms of one length [T] are expected.") from None
    if any(shape != shapes[0] for shape in shapes):
        raise DataError(f"{name} holds waveforms of shapes {shapes}; all must have the same length [T].")
    if not any(is_tensor(row) for row in value):
        return np.stack([np.asarray(row) for row in value])
    import torch

    rows = [torch.as_tensor(row) for row in value]
    if len({row.device for row in rows}) > 1:
        raise DataError(f"{name} holds tensors on different devices; move them to one.")
    return torch.stack(rows)


def _check_dtype(name: str, value: Waveforms) -> None:
    if is_tensor(value):
        known = value.is_floating_point()
    else:
        known = np.issubdtype(value.dtype, np.floating) and value.dtype.itemsize <= 8
    if not known:
        raise DataError(
            f"{name} is of dtype {value.dtype}; a float dtype of at most 64 bits is expected. Integer samples must be "
            "scaled first, alike in estimates, references and mixture (int16: divide by 32768)."
        )


def checked_waveforms(estimates: Signals, references: Signals, mixture: Signals) -> Sequence[Waveforms]:
    """Return ``estimates [E, T]``, ``references [R, T]`` and ``mixture [T]``, all arrays or all tensors of one device.

    Raises:
        DataError: a shape, dtype or device is invalid.
    """
    given = {"estimates": estimates, "references": references, "mixture": mixture}
    values = {name: _stacked(name, value) for name, value in given.items()}
    mixture = values["mixture"]
    if mixture.ndim != 1:
        raise DataError(
            f"mixture has shape {list(mixture.shape)}; one channel, [T], is expected: the reference channel, such as "
            "mixture[0]."
        )
    samples = mixture.shape[0]
    if samples == 0:
        raise DataError("mixture has no samples; [T] with T of at least 1 is expected.")
    for name in ("estimates", "references"):
        value = values[name]
        if value.ndim >= 1 and value.shape[0] == 0:
            values[name] = mixture[None][:0]
        elif value.ndim != 2 or value.shape[1] != samples:
            raise DataError(
                f"{name} has shape {list(value.shape)}; a mixture of {samples} samples needs [K, T] = [K, {samples}]: "
                "one row for each source, no channels."
            )
    for name, value in values.items():
        _check_dtype(name, value)
    return _same_home(values)


def _same_home(values: dict[str, Waveforms]) -> Sequence[Waveforms]:
    """Return the values; arrays become tensors where one is a tensor, on its device."""
    tensors = {name: value for name, value in values.items() if is_tensor(value)}
    if not tensors:
        return tuple(values.values())
    devices = {name: str(value.device) for name, value in tensors.items()}
    if len(set(devices.values())) > 1:
        places = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise DataError(f"the waveforms are on different devices ({places}); move them to one.")
    for name in tensors:
        check_plain(name, values[name])
    import torch

    device = next(iter(tensors.values())).device
    for name, value in values.items():
        if not is_tensor(value):
            # torch takes neither negative strides nor foreign byte orders
            value = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("="))
        values[name] = torch.as_tensor(value, device=device).detach()
    return tuple(values.values())


def check_energies(name: str, waveforms: Waveforms, energies: np.ndarray) -> None:
    """Refuse waveforms ``[K, T]`` whose ``energies [K]`` are not finite, saying where the first such sample is.

    Raises:
        DataError: a NaN, an infinite or an overflowing sample.
    """
    for k in np.flatnonzero(~np.isfinite(energies)):
        row = waveforms[k].double().cpu().numpy() if is_tensor(waveforms) else waveforms[k]
        place = name if name == "mixture" else f"{name}[{k}]"
        bad = np.flatnonzero(~np.isfinite(row))
        if len(bad):
            raise DataError(f"{place} has the value {row[bad[0]]} at sample {bad[0]}; samples must be finite.")
        raise DataError(f"{place} has values up to {abs(row).max():g}, too large to square; scale all signals down.")
