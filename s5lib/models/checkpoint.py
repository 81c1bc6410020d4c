"""s5lib's checkpoints: one safetensors file, whose header says which component the weights belong to.

The header is JSON under the key ``s5lib``: format, kind, name, distribution and version of the component, its
configuration, the labels and what it was trained on.  Nothing in the file is code.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from s5lib.config.options import Option
from s5lib.errors import CheckpointError
from s5lib.models.backbone import is_backbone, load_backbone
from s5lib.models.official import LABELS, TRAINED_ON, is_official, load_official_model, official_state
from s5lib.models.weights import built_for, load_state
from s5lib.provenance.files import atomic_write
from s5lib.untrusted import Record, parse_json, reason, shown, to_json

__all__ = [
    "load_checkpoint",
    "load_model",
    "load_weights",
    "model_header",
    "read_header",
    "save_checkpoint",
    "separate",
]

FORMAT = 1


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    kind: str,
    name: str,
    distribution: str,
    version: str,
    labels: Sequence[str],
    trained_on: Mapping[str, Any] | None = None,
) -> None:
    """Write ``model``'s weights and what is needed to rebuild it.

    Args:
        path: of the file, ``.safetensors``; folders above it are made, an older file is replaced at the end.
        kind: ``tagger``, ``separator`` or ``joint_model``.
        name: of the component, as in :func:`s5lib.plugins.create`.
        distribution: the installed package that the component came from.
        version: of that package.
        labels: of the classes, in the order of their indices.
        trained_on: ``duration`` of the training scenes in seconds, and ``statistics`` of the mixtures, as
            :class:`s5lib.data.statistics.MixtureStatistics` gives them; either may be missing.

    Raises:
        CheckpointError: the number of ``labels`` differs from the number of classes, :func:`read_header` would refuse
            the header, as with a label twice, or the file cannot be written.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile has wrapped
    config: Any = model.config
    if len(labels) != config.num_classes:
        raise CheckpointError(f"{len(labels)} labels were given for a model of {config.num_classes} classes.")
    header = {
        "format": FORMAT,
        "kind": kind,
        "name": name,
        "distribution": distribution,
        "version": version,
        "config": {name: _plain(value) for name, value in dataclasses.asdict(config).items()},
        "labels": list(labels),
        "trained_on": dict(trained_on or {}),
    }
    path, text = Path(path), to_json(header)
    _checked_header(text, path)  # or an older file would give way to one that nobody can read
    try:
        with atomic_write(path) as temporary:
            save_file(separate(model.state_dict()), temporary, metadata={"s5lib": text})
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}.") from error


def _plain(value: Any) -> Any:
    """JSON has no infinity; an option takes it as text."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def separate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make the tensors contiguous, on the host, and none a part of another: safetensors holds each by itself."""
    tensors, seen = {}, set()
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        tensors[name] = tensor
    return tensors


def read_header(path: str | Path) -> dict[str, Any]:
    """Return the header of a checkpoint without reading its weights.

    Raises:
        CheckpointError: there is no such file, or it is not a checkpoint of s5lib.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}{_files_beside(path)}")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a safetensors file, or is damaged ({reason(error)}).") from error
    if "s5lib" not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file, but has no s5lib header: 's5lib convert {path} OUT' makes a checkpoint of "
            "the official models' weights."
        )
    return _checked_header(metadata["s5lib"], path)


def _checked_header(text: str, path: Path) -> dict[str, Any]:
    place = f"{path}: the s5lib header"
    header = Record(parse_json(text, place, error=CheckpointError), place, error=CheckpointError)
    if header.integer("format", least=1) > FORMAT:
        raise CheckpointError(
            f"{path} has format {header.get('format')}, this s5lib reads formats up to {FORMAT}: update s5lib."
        )
    for key in ("kind", "name", "distribution", "version"):
        if not header.text(key).isprintable():
            header.reject(key, "printable text")
    header.record("config")
    if "trained_on" in header:
        header.record("trained_on")
    if not all(isinstance(label, str) and label.isprintable() for label in header.items("labels")):
        header.reject("labels", "printable text")
    labels = header.items("labels")
    if "" in labels or len(set(labels)) < len(labels):
        header.reject("labels", "distinct labels, none empty")
    return dict(header.values)


def _files_beside(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f": there is no folder {folder}."
    names = sorted(item.name for item in folder.iterdir() if item.suffix in (".safetensors", ".ckpt", ".pth"))
    return f"; beside it: {', '.join(names[:8])}." if names else f"; {folder} holds no checkpoint."


def load_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return ``(header, state)`` of a checkpoint: what the component is, and its weights by name.

    Raises:
        CheckpointError: see :func:`read_header`.
    """
    header = read_header(path)
    try:
        with safe_open(path, "pt") as file:
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not iterable
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({reason(error)}).") from error


def load_model(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return ``(model, header)`` of a checkpoint, s5lib's own or an official one; the model is in eval mode.

    Raises:
        CheckpointError: the file is unreadable, unsafe, or its weights do not fit the component.
        PluginError: the component is not installed here, or comes from another distribution.
        ConfigError: the component has no such options any more.
    """
    if is_official(path):
        return load_official_model(path)
    from s5lib.plugins import find

    header, state = load_checkpoint(path)
    component = find(header["kind"], header["name"], distribution=header["distribution"], version=header["version"])
    _refuse_files(component.options(), header, path)
    component.load()
    model = built_for(state, path, lambda: component.create(**header["config"]))
    if len(header["labels"]) != model.config.num_classes:
        raise CheckpointError(
            f"{path}: the s5lib header has {len(header['labels'])} labels, but the model has "
            f"{model.config.num_classes} classes."
        )
    load_state(model, state, path)
    return model.eval(), header


def model_header(path: str | Path) -> dict[str, Any]:
    """Return ``labels`` and ``trained_on`` of a checkpoint, s5lib's own or an official one, without building the model.

    Raises:
        CheckpointError: the file is unreadable or no checkpoint.
    """
    if is_official(path):
        return {"labels": list(LABELS), "trained_on": TRAINED_ON}
    return {"trained_on": {}, **read_header(path)}


def _refuse_files(options: Sequence[Option], header: Mapping[str, Any], path: str | Path) -> None:
    """Refuse options in a header, which is untrusted, that would make a component read a file of this machine."""
    for option in options:
        value = header["config"].get(option.name)
        if option.names_file and value and not (isinstance(value, str) and re.fullmatch("[A-Za-z0-9+/]+=*", value)):
            raise CheckpointError(
                f"{path}: the option {option.name!r} in its header is {shown(value)}, which would be read from this "
                "machine's files; expected the content itself, in base64."
            )


def load_weights(model: nn.Module, path: str | Path) -> list[str]:
    """Load a checkpoint of ``model``'s kind into it: s5lib's own, an official one, or M2D's published backbone.

    Returns:
        The labels that the weights were trained for; none of a backbone.

    Raises:
        CheckpointError: the file is unreadable or unsafe, or its weights do not fit; all differences are listed.
    """
    if is_official(path):
        load_state(model, official_state(path), path)
        return list(LABELS)
    if is_backbone(path):
        load_backbone(model, path)
        return []
    header, state = load_checkpoint(path)
    load_state(model, state, path)
    return list(header["labels"])
