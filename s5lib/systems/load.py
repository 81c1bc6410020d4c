"""From checkpoints to a system that is ready to use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from s5lib.errors import CheckpointError, ConfigError, nearest
from s5lib.models import accelerate, load_model
from s5lib.systems.base import System
from s5lib.systems.calibration import Calibration, find_calibration, with_threshold
from s5lib.systems.iterative import Iterative
from s5lib.systems.joint import Joint
from s5lib.systems.model_choice import find_models
from s5lib.systems.tag_separate import TagThenSeparate
from s5lib.systems.training_data import suitable_window, training_statistics
from s5lib.untrusted import reason, shown

__all__ = ["SYSTEMS", "check_models", "filters_spatially", "load_system"]

SYSTEMS = ("tag_separate", "iterative", "joint")


def load_system(
    tagger: str | Path | None = None,
    separator: str | Path | None = None,
    device: str = "cpu",
    *,
    joint_model: str | Path | None = None,
    system: str | None = None,
    rounds: int = 2,
    spatial_filter: bool = False,
    precision: str = "float32",
    compiled: bool = False,
    calibration: Calibration | str | Path | None = "auto",
    threshold: float | None = None,
) -> System:
    """Load a system from its checkpoints, s5lib's own or official ones.

    Args:
        tagger: checkpoint of the tagger; None: labels have to be given with each recording.  Alone, also the name of
            published models (:data:`s5lib.models.named.MODELS`), or a folder of experiments, as of
            :func:`s5lib.systems.model_choice.find_models`.
        separator: checkpoint of the separator; None: only tagging.
        device: as torch names it, ``"cpu"`` or ``"cuda"``.
        joint_model: checkpoint of a joint model, in place of the two.
        system: ``"tag_separate"``, ``"iterative"`` or ``"joint"``; None: ``"joint"`` for a joint model, otherwise
            ``"tag_separate"``.
        rounds: of ``"iterative"``: how often the separated sources are tagged again at the most.
        spatial_filter: whether the separated sources are refined by the spatial filters that follow from them; see
            :func:`s5lib.systems.spatial_filter.spatially_filtered`; ``"iterative"`` always does so, with models of two
            channels or more.
        precision: ``"float32"`` or ``"bfloat16"``; see :func:`s5lib.models.accelerate`.
        compiled: whether torch.compile generates code for the networks.
        calibration: of the tagger's decisions: ``"auto"``: what 's5lib calibrate' has left beside the tagger, if any;
            None: none; a file, or a calibration.
        threshold: the least probability of a source; takes the place of the calibration's bias of silence.  None: a
            source has to be likelier than silence.

    Raises:
        ConfigError: there is no such system, the checkpoints given are not those that it needs, or ``spatial_filter``
            is asked of models of one channel.
        CheckpointError: a checkpoint or the calibration asked for is unreadable, of the wrong kind, or what was given
            does not fit together.
    """
    paths: dict[str, Any] = {"tagger": tagger, "separator": separator, "joint_model": joint_model}
    _check_types(paths, device, rounds, {"compiled": compiled, "spatial_filter": spatial_filter}, calibration)
    alone = tagger is not None and separator is None and joint_model is None
    if alone and (os.path.isdir(str(tagger)) or not Path(str(tagger)).suffix):
        chosen = find_models(str(tagger))
        paths = {kind: chosen.get(kind) for kind in paths}
    system = check_models(system, **paths)
    models: dict[str, Any] = {}
    headers: dict[str, dict] = {}
    for kind, path in paths.items():
        if path is not None:
            model, headers[kind] = load_model(path)
            models[kind] = accelerate(model, precision=precision, compiled=compiled)
            if headers[kind]["kind"] != kind:
                raise CheckpointError(f"{path} holds a {headers[kind]['kind']}; expected a {kind}.")
    if system == "joint":
        decision = with_threshold(calibration if isinstance(calibration, Calibration) else None, threshold)
        found: System = Joint(models["joint_model"], headers["joint_model"]["labels"], device, calibration=decision)
    else:
        if len(models) == 2:
            _check_pair(paths["tagger"], paths["separator"], models, headers)
        labels = headers["separator" if "separator" in headers else "tagger"]["labels"]
        two = models.get("tagger"), models.get("separator"), labels, device
        calibration = with_threshold(find_calibration(calibration, paths["tagger"]), threshold)
        if calibration is not None:
            calibration.biases(labels)  # refuses one of other labels
        if system == "iterative":
            found = Iterative(*two, rounds=rounds, calibration=calibration)
        else:
            found = TagThenSeparate(*two, calibration=calibration)
    if spatial_filter and found.num_channels < 2 and system != "iterative":  # for which nobody has to ask
        raise ConfigError(
            f"spatial_filter needs a model of two channels or more; {paths[list(headers)[-1]]} hears one. Leave it "
            "out, or choose another model."
        )
    found.window_seconds = suitable_window(headers.values())
    found.statistics = training_statistics(headers.values())
    found.spatial_filter = filters_spatially(system, spatial_filter)
    return found


def filters_spatially(system: str, asked: bool) -> bool:
    """Return whether spatial filters refine the sources of ``system``; those of the iterative one always."""
    return asked or system == "iterative"


def _check_types(paths: dict[str, Any], device: Any, rounds: Any, switches: dict[str, Any], calibration: Any) -> None:
    """Raise ConfigError where an argument is of another type than :func:`load_system` takes."""
    for kind, path in paths.items():
        if path is not None and not isinstance(path, str | os.PathLike):
            raise ConfigError(f"{kind} is {shown(path)}; expected the path of a checkpoint.")
    if calibration is not None and not isinstance(calibration, Calibration | str | os.PathLike):
        raise ConfigError(f"calibration is {shown(calibration)}; expected 'auto', None, a file or a Calibration.")
    if isinstance(rounds, bool) or not isinstance(rounds, int):
        raise ConfigError(f"rounds is {shown(rounds)}; expected a whole number of 1 or more.")
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {shown(value)}; expected True or False.")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        cause = reason(error).partition(". ")[0]
        raise ConfigError(f"device is {shown(device)}, which torch cannot use ({cause}). Try 'cpu'.") from error


def check_models(system: str | None, tagger, separator, joint_model) -> str:
    """Return the system that is meant, after a check that the models given (None: not given) are its own.

    Raises:
        ConfigError: there is no such system, or a model is missing or has no place in it.
    """
    if system is None:
        system = "tag_separate" if joint_model is None else "joint"
    if system not in SYSTEMS:
        raise ConfigError(f"there is no system {system!r}. {nearest(system, SYSTEMS)}")
    if system == "joint":
        if joint_model is None:
            raise ConfigError("the system joint needs a joint model: --joint_model FILE.")
        if tagger is not None or separator is not None:
            raise ConfigError("the system joint has one model for both: leave out the tagger and the separator.")
    elif joint_model is not None:
        raise ConfigError(f"the system {system} does not use a joint model: leave it out, or choose the system joint.")
    elif tagger is None and separator is None:
        raise ConfigError("a system needs a tagger, a separator or both; give at least one checkpoint.")
    return system


def _check_pair(tagger, separator, models, headers):
    if headers["tagger"]["labels"] != headers["separator"]["labels"]:
        raise CheckpointError(
            f"{tagger} and {separator} were trained for other labels: "
            f"{', '.join(headers['tagger']['labels'])} and {', '.join(headers['separator']['labels'])}."
        )
    for name in ("sample_rate", "num_channels", "num_sources"):
        one, other = (getattr(models[kind].config, name) for kind in ("tagger", "separator"))
        if one != other:
            raise CheckpointError(f"{tagger} has {name} {one}, {separator} has {other}: they do not fit together.")
