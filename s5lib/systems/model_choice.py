"""Which models are meant: by a name, by a folder of experiments, or without a word."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from s5lib.errors import CheckpointError, nearest
from s5lib.models.named import MODELS, fetch_models
from s5lib.untrusted import shown

__all__ = ["default_models", "find_models"]

log = logging.getLogger(__name__)

_DEFAULT = "dcase26-baseline"


def find_models(choice: str) -> dict[str, Path]:
    """Return the checkpoints by kind: a tagger and a separator, or a joint model.

    Args:
        choice: a name of :data:`s5lib.models.named.MODELS`, or a folder of finished trainings, such as ``exp/mini``.

    Raises:
        CheckpointError: it is neither.
        DataError: published models cannot be downloaded.
    """
    if choice in MODELS:
        return fetch_models(choice)
    folder = Path(choice)
    if not choice or not os.path.isdir(choice):  # as pathlib, but for names that are too long
        raise CheckpointError(
            f"{shown(choice)} is not a checkpoint, a folder or the name of published models. {nearest(choice, MODELS)}"
        )
    if not (found := _trained(folder)):
        raise CheckpointError(
            f"{folder} holds no finished models: expected tagger/model.safetensors and separator/model.safetensors in "
            "it, or joint_model/model.safetensors."
        )
    return found


def default_models(folder: Path = Path("exp")) -> dict[str, Path]:
    """Return the models of the newest of the experiments in ``folder``, or, if there is none, the published baseline.

    Raises:
        DataError: published models cannot be downloaded.
    """
    experiments = [found for path in folder.glob("*") if path.is_dir() and (found := _trained(path))]
    if not experiments:
        log.info("no models given, and %s holds none; using the published %s", folder, _DEFAULT)
        return fetch_models(_DEFAULT)
    newest = max(experiments, key=lambda found: max(map(_time, found.values())))
    log.info("no models given; using the newest: %s", ", ".join(map(str, newest.values())))
    return newest


def _trained(folder: Path) -> dict[str, Path]:
    tagger, separator, joint_model = (
        _best_match(folder.glob(f"{kind}*/model.safetensors"), kind) for kind in ("tagger", "separator", "joint_model")
    )
    if tagger and separator:
        return {"tagger": tagger, "separator": separator}
    return {"joint_model": joint_model} if joint_model else {}


def _best_match(files: Iterable[Path], kind: str) -> Path | None:
    """Return the model of the recipe's default component, in a folder named by the kind alone, or the newest one."""
    return max(files, key=lambda path: (path.parent.name == kind, _time(path)), default=None)


def _time(path: Path) -> float:
    return path.stat().st_mtime
