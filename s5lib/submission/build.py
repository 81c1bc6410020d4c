"""Builds a package from the results of inference and scoring, checks it, and only then puts it in place."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from s5lib.audio import encode_audio
from s5lib.errors import ConfigError, DataError
from s5lib.evaluation import read_results
from s5lib.metrics import ScoreTotal
from s5lib.provenance.digest import file_digest
from s5lib.provenance.files import move, require_replaceable, scratch_folder
from s5lib.submission.check import check_package
from s5lib.submission.rules import NAME_PATTERN, Rules
from s5lib.systems.outputs import read_sources
from s5lib.systems.records import (
    check_made_from,
    check_one_system,
    file_label,
    read_record,
    record_path,
    system_digest,
)
from s5lib.untrusted import to_json
from s5lib.version import __version__

__all__ = ["build_package"]

_SINCE = (1980, 1, 1, 0, 0, 0)  # of all members: equal packages shall be equal files


def build_package(name: str, infer_dir: Path, scores: Path, out: Path, rules: Rules) -> Path:
    """Write ``out/NAME.zip`` and return its path.

    Args:
        name: AUTHOR_AFFILIATION_task4_N.
        infer_dir: what ``s5lib infer`` has written for the evaluation set with predicted labels.
        scores: ``RESULTS.jsonl`` of ``s5lib score`` on the development set's test split, by the same system.
        rules: with the names of the evaluation set's recordings: each has to be in ``infer_dir``.

    Raises:
        ConfigError: ``name`` is not a valid package name.
        DataError: a recording or file is missing, was made by another system, or violates a rule.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise ConfigError(
            f"--name {name!r}: expected AUTHOR_AFFILIATION_task4_N of letters, digits and '-', N from 1 to 99, such as "
            "Suzuki_NTT_task4_1."
        )
    infer_dir = infer_dir / "predicted" if (infer_dir / "predicted").is_dir() else infer_dir
    records = {}
    for key in sorted(rules.soundscapes or {}):
        path = record_path(infer_dir, key)
        records[key] = check_made_from(path, rules.recordings[key]) if rules.recordings else read_record(path)
    if not records:
        raise DataError("there are no recordings: a package needs at least one.")
    made_by = _one_system({record_path(infer_dir, key): record for key, record in records.items()})
    nparams, config = _count_parameters(made_by), {"s5lib": __version__, **made_by}
    probabilities = []
    for key, record in records.items():
        if record.get("sample_rate") != rules.sample_rate:
            raise DataError(f"{infer_dir / key}.json: {record.get('sample_rate')} Hz; expected {rules.sample_rate}.")
        listed = [
            {
                "filename": _file(key, index, entry["label"]),
                "label": entry["label"],
                "probability": entry["probability"],
            }
            for index, entry in enumerate(record["sources"])
        ]
        probabilities.append({"soundscape": key, "estimate": listed})
    texts = {
        "eval_results.json": {"nparams": nparams, "probabilities": probabilities, "config": config},
        "dev_set_test_results.json": {**_development(scores, made_by), "nparams": nparams, "config": config},
    }
    target = out / f"{name}.zip"
    require_replaceable({target: f"{name}/eval_".encode()})
    try:
        with scratch_folder(target) as scratch:  # the name of the zip's folder is the file's: the check compares them
            draft = scratch / target.name
            _write(draft, name, texts, infer_dir, records, rules)
            violations = check_package(draft, rules)
            if violations:
                raise DataError(f"the package would break {len(violations)} rules, the first: {violations[0]}.")
            move(draft, target, durable=True)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}.") from error
    return target


def _write(path: Path, name: str, texts: dict, infer_dir: Path, records: dict, rules: Rules) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:

        def add(member: str, content: str | bytes) -> None:
            info = zipfile.ZipInfo(f"{name}/{member}", _SINCE)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(info, content)

        for member, content in texts.items():
            add(member, to_json(content, indent=1) + "\n")
        lengths = rules.soundscapes or {}
        for key in records:
            labels, estimates = read_sources(infer_dir, key, lengths[key])
            for index, (label, estimate) in enumerate(zip(labels, estimates, strict=True)):
                add(f"eval_out/{_file(key, index, label)}", encode_audio(estimate, rules.sample_rate))


def _file(soundscape: str, index: int, label: str) -> str:
    return f"{soundscape}_{index}_{file_label(label)}.wav"


def _one_system(records: dict[Path, dict]) -> dict[str, Any]:
    """Return what made all recordings.

    Raises:
        DataError: they come from different systems, were made with given labels, or do not say where they come from.
    """
    for path, record in records.items():
        if not isinstance(record.get("made_by"), dict):
            raise DataError(f"{path} does not say which models made it: run the inference again.")
        if record.get("labels") != "predicted":
            raise DataError(f"{path}: its labels were given; a package needs predicted ones.")
    return check_one_system(records) or {}


def _count_parameters(made_by: dict) -> int:
    """Return the number of parameters of all models.

    Raises:
        DataError: a model's file has changed since it made the estimates.
        CheckpointError: it cannot be loaded.
    """
    from s5lib.models import load_model

    count = 0
    for kind, model in made_by["models"].items():
        path = Path(model["file"])
        if not path.is_file():
            raise DataError(f"the {kind} {path}, whose parameters have to be counted, no longer exists.")
        if file_digest(path) != model["sha256"]:
            raise DataError(f"the {kind} {path} has changed since the inference: run the inference again.")
        count += sum(parameter.numel() for parameter in load_model(path)[0].parameters())
    return count


def _development(scores: Path, made_by: dict) -> dict[str, Any]:
    """Return the scores of the development set's test split: means, and in ``details`` those of each scene.

    Raises:
        DataError: the file is missing, damaged, or has no scores with predicted labels, or they are another system's
            or have penalties, which the challenge's have not.
    """
    if not scores.exists():
        raise DataError(f"--scores {scores}: no such file. Run the scoring stage first (run.sh --stage 5).")
    results = read_results(scores)
    if results[0].system not in (None, system_digest(made_by)):
        raise DataError(
            f"--scores {scores}: of another system, or with other settings, than what made the estimates. Run "
            "'s5lib infer --data_dir' on both sets with the same models and options, then 's5lib score' again."
        )
    if results[0].options.penalty_fn or results[0].options.penalty_fp:
        raise DataError(f"--scores {scores}: with penalties. Run 's5lib score' without: the challenge has none.")
    details: list[dict[str, Any]] = []
    total = ScoreTotal()
    for recording in results:
        score = recording.predicted
        if score is None:
            raise DataError(f"--scores {scores}: {recording.id} has no scores with predicted labels.")
        sources = [{"label": pair.reference_label, "SDRi": pair.sdri} for pair in score.pairs]
        counts = {"tp": score.tp, "fn": score.fn, "fp": score.fp}
        details.append({"soundscape": recording.id, "CAPI-SDRi": score.value, **counts, "sources": sources})
        total += score
    if total.mean is None:
        raise DataError(f"--scores {scores}: no scene has a CA-PI-SDRi; so there is no mean.")
    labels = total.labels
    accuracies = {
        "accuracy_mix": 100 * labels.correct / labels.mixtures,
        "accuracy_src": 100 * labels.tp / max(1, labels.tp + labels.fn + labels.fp),
    }
    return {"CAPI-SDRi": {"mean": total.mean}, "label_metrics": accuracies, "details": details}
