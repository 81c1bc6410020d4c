"""From checkpoints to a system that is ready to use."""

from __future__ import annotations

from pathlib import Path

from s5lib.errors import CheckpointError, ConfigError
from s5lib.models import load_model
from s5lib.systems.tag_separate import TagThenSeparate

__all__ = ["load_system"]


def load_system(
    tagger: str | Path | None = None, separator: str | Path | None = None, device: str = "cpu"
) -> TagThenSeparate:
    """Load a system from its checkpoints, s5lib's own.

    Args:
        tagger: checkpoint of the tagger; None: labels have to be given with each recording.
        separator: checkpoint of the separator; None: only tagging.
        device: as torch names it, ``"cpu"`` or ``"cuda"``.

    Raises:
        ConfigError: neither checkpoint was given.
        CheckpointError: a checkpoint is unreadable, of the wrong kind, or the two do not fit together.
    """
    if tagger is None and separator is None:
        raise ConfigError("a system needs a tagger, a separator or both; give at least one checkpoint.")
    models, headers = {}, {}
    for kind, path in (("tagger", tagger), ("separator", separator)):
        if path is not None:
            models[kind], headers[kind] = load_model(path)
            if headers[kind]["kind"] != kind:
                raise CheckpointError(f"{path} holds a {headers[kind]['kind']}; expected a {kind}.")
    if len(models) == 2:
        _check_pair(tagger, separator, models, headers)
    labels = headers.get("separator", headers.get("tagger"))["labels"]
    return TagThenSeparate(models.get("tagger"), models.get("separator"), labels, device)


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
