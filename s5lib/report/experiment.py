"""The contents of an experiment folder: trained models with their curves, systems with their scores and outputs.

The layout is the recipe's::

    EXPDIR/{tagger,separator,joint_model}*/config.yaml, model.safetensors, STEP/history.jsonl
    EXPDIR/RESULTS*.jsonl, infer*/SET/{predicted,oracle}/NAME.json

A system is one ``RESULTS*.jsonl``; its outputs are those of the ``infer*`` with the same ending, and its models those
whose digest stands in the outputs' JSON.  Outputs of another system than the scores are not used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from s5lib.errors import DataError, nearest
from s5lib.evaluation import RecordingScores, Summary, read_results
from s5lib.provenance.digest import file_digest
from s5lib.report.charts import rounded
from s5lib.systems.records import check_one_system, read_record, record_path, system_digest
from s5lib.untrusted import Record, is_number, parse_json, read_bytes, yaml_record
from s5lib.untrusted.documents import LINES_BYTES

__all__ = ["Experiment", "System", "TrainedModel", "read_experiments"]

KINDS = ("tagger", "separator", "joint_model")


@dataclass(frozen=True)
class TrainedModel:
    """A model that was trained, or still is."""

    name: str
    """Of its folder: ``tagger``, ``separator_pi``."""
    folder: Path
    config: dict
    """What ``config.yaml`` says."""
    history: dict[str, list[dict]]
    """By step: what was logged, line by line."""

    @property
    def kind(self) -> str:
        """``tagger``, ``separator`` or ``joint_model``."""
        return str(self.config.get("kind") or next(kind for kind in KINDS if self.name.startswith(kind)))

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the weights, and the step that left them; the last step's stand for the whole."""
        found = {}
        for path in [*sorted(self.folder.glob("*/model.safetensors")), self.folder / "model.safetensors"]:
            if path.is_file():
                found[file_digest(path)] = path.parent.name if path.parent != self.folder else ""
        return found


@dataclass(frozen=True)
class System:
    """A system that was scored."""

    name: str
    results: Path
    summary: Summary
    """Its scores."""
    outputs: Path | None
    """``predicted`` or, if such labels were not scored, ``oracle``; None where there are no outputs of the scores."""
    made_by: dict = field(default_factory=dict)
    """How its outputs were made, as they say; empty if they do not."""
    made_again: bool = False
    """Whether there are outputs, but another system has made them than what was scored."""

    @property
    def has_oracle(self) -> bool:
        """Whether it was scored with oracle labels."""
        return any(recording.oracle for recording in self.summary.recordings)

    @property
    def has_all_figures(self) -> bool:
        """Whether it was scored with oracle and with predicted labels."""
        return bool(self.summary.groups("oracle") and self.summary.groups("predicted"))

    @property
    def models(self) -> dict[str, dict]:
        """By kind: ``file`` and ``sha256`` of the weights it ran with."""
        found = self.made_by.get("models")
        return (
            {kind: model for kind, model in found.items() if isinstance(model, dict)} if isinstance(found, dict) else {}
        )

    @property
    def settings(self) -> list[tuple[str, str]]:
        """What it ran with beside the models: name and value."""
        return [(str(key), rounded(value)) for key, value in self.made_by.items() if key != "models"]


@dataclass(frozen=True)
class Experiment:
    """All that was found in one place."""

    name: str
    folder: Path
    models: tuple[TrainedModel, ...]
    systems: tuple[System, ...]
    whole: bool = True
    """Whether the folder was asked for; otherwise some of its results, so that models they did not use are of no
    interest."""

    @property
    def shown_models(self) -> tuple[TrainedModel, ...]:
        """The models whose training the page shows."""
        used = {str(model.get("sha256")) for system in self.systems for model in system.models.values()}
        return tuple(model for model in self.models if self.whole or used & model.digests.keys())


def read_experiments(paths: Sequence[str | Path]) -> list[Experiment]:
    """Read experiment folders, or single ``RESULTS.jsonl`` (or the ``.md`` beside it) of one.

    Raises:
        DataError: a path is missing, nothing in it is of an experiment, or a file in it is damaged.
    """
    places: dict[Path, list[Path] | None] = {}  # folder -> results, None: all
    for path in map(Path, paths):
        if path.is_dir():
            places[path] = None
        else:
            results = path.with_suffix(".jsonl")
            if not results.is_file():
                beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
                raise DataError(
                    f"{path}: no such experiment folder or RESULTS.jsonl. In {path.parent}/: "
                    f"{nearest(path.name, beside)}"
                )
            listed = places.setdefault(path.parent, [])
            if listed is not None and results not in listed:
                listed.append(results)
    names = _names(list(places))
    return [_read(folder, names[folder], results, len(places) > 1) for folder, results in places.items()]


def _names(folders: list[Path]) -> dict[Path, str]:
    """Return a short unique name for each folder: its own, preceded by as many of those above it as necessary."""
    full = {folder: folder.resolve().parts for folder in folders}
    for depth in range(1, 1 + max(map(len, full.values()))):
        names = {folder: "/".join(parts[-depth:]) for folder, parts in full.items()}
        if len(set(names.values())) == len(names):
            break
    return names


def _read(folder: Path, name: str, results: list[Path] | None, several: bool) -> Experiment:
    models = tuple(
        _model(path) for kind in KINDS for path in sorted(folder.glob(f"{kind}*")) if (path / "config.yaml").is_file()
    )
    found = sorted(folder.glob("RESULTS*.jsonl")) if results is None else results
    if not models and not found:
        raise DataError(
            f"{folder}: nothing to report, neither a trained model (tagger/config.yaml, ...) nor RESULTS.jsonl. "
            "Give the folder that the recipe calls --expdir, such as exp/mini."
        )
    return Experiment(name, folder, models, tuple(_system(path, name, several) for path in found), results is None)


def _model(folder: Path) -> TrainedModel:
    path = folder / "config.yaml"
    config = dict(yaml_record(path, advice="Expected is what 's5lib train' writes.").values)
    steps = config["steps"] if isinstance(config.get("steps"), dict) else {}
    found = {path.parent.name: path for path in folder.glob("*/history.jsonl")}
    order = [step for step in steps if step in found] + sorted(set(found) - set(steps))
    return TrainedModel(folder.name, folder, config, {step: _history(found[step]) for step in order})


def _history(path: Path) -> list[dict]:
    """Read what a training logged; a last line that is not finished is of a training that goes on."""
    rows, advice = [], "It is not what training logs: remove the line."
    for number, line in enumerate(read_bytes(path, LINES_BYTES).split(b"\n")[:-1], 1):
        place = f"{path}, line {number}"
        row = Record(parse_json(line, place, advice=advice), place, advice=advice)
        numbers = {key: value for key, value in row.values.items() if is_number(value)}
        rows.append({**numbers, "step": row.integer("step", least=0)})
    return rows


def _system(results: Path, experiment: str, several: bool) -> System:
    suffix = results.stem.removeprefix("RESULTS")
    variant = suffix.strip("_")
    name = f"{experiment}: {variant}" if several and variant else variant or experiment
    summary = Summary(read_results(results))
    outputs = _outputs(results.parent / f"infer{suffix}", summary.recordings)
    made_by, made_again = _made_by(outputs, summary.recordings) if outputs else ({}, False)
    return System(name, results, summary, None if made_again else outputs, made_by, made_again)


def _outputs(infer: Path, scored: Sequence[RecordingScores]) -> Path | None:
    """Return the folder of the outputs that were scored, those of predicted labels first."""
    sets = [path for path in sorted(infer.glob("*")) if (path / "predicted").is_dir() or (path / "oracle").is_dir()]
    folder = next((path for path in sets if path.name == "test"), sets[0] if len(sets) == 1 else None)
    kinds = [kind for kind in ("predicted", "oracle") if any(getattr(recording, kind) for recording in scored)]
    return next((folder / kind for kind in kinds if (folder / kind).is_dir()), None) if folder else None


def _made_by(outputs: Path, scored: Sequence[RecordingScores]) -> tuple[dict, bool]:
    """Return what made the outputs, as they say, and whether it is another system than what was scored."""
    records = {}
    for recording in scored:
        path = record_path(outputs, recording.id)
        with contextlib.suppress(DataError):  # missing or damaged, which matters only where it is to be heard
            records[path] = read_record(path)
    system = scored[0].system  # of all, as the file was read
    try:
        made_by = check_one_system(records)
        if made_by and system not in (None, system_digest(made_by)):
            return {}, True
        return made_by or {}, False
    except DataError:  # of several systems, as scores of one never are
        return {}, system is not None
