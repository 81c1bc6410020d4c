"""Makes a package from what inference and scoring have left, checks it, and only then puts it in its place."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile

from s5lib.errors import ConfigError, DataError
from s5lib.provenance.digest import file_digest
from s5lib.provenance.files import atomic_write
from s5lib.submission.check import check_package
from s5lib.submission.rules import NAME_PATTERN, Rules
from s5lib.systems.outputs import file_label, read_record, read_sources
from s5lib.untrusted import Record, is_number, read_json_lines, to_json
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
        ConfigError: ``name`` is none that a package has.
        DataError: a recording or a file is missing, was made by another system, or is against the rules.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise ConfigError(
            f"--name {name!r}: expected AUTHOR_AFFILIATION_task4_N of letters, digits and '-', N from 1 to 99, such as "
            "Suzuki_NTT_task4_1."
        )
    infer_dir = infer_dir / "predicted" if (infer_dir / "predicted").is_dir() else infer_dir
    records = {key: read_record(infer_dir / f"{key}.json") for key in sorted(rules.soundscapes or {})}
    if not records:
        raise DataError("there are no recordings: the rules name no soundscape.")
    made_by = _one_system(records, infer_dir)
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
        "dev_set_test_results.json": {**_development(scores), "nparams": nparams, "config": config},
    }
    target = out / f"{name}.zip"
    try:
        with atomic_write(target) as temporary:
            # The folder's name is the file's, so the check has to see the file under it.
            draft = temporary.with_name(f".{name}.draft") / target.name
            draft.parent.mkdir(exist_ok=True)
            try:
                _write(draft, name, texts, infer_dir, records, rules)
                violations = check_package(draft, rules)
                if violations:
                    raise DataError(f"the package would break {len(violations)} rules, the first: {violations[0]}.")
                draft.replace(temporary)
            finally:
                draft.unlink(missing_ok=True)
                draft.parent.rmdir()
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
        for key in records:
            labels, estimates = read_sources(infer_dir, key, rules.soundscapes[key])
            for index, (label, estimate) in enumerate(zip(labels, estimates, strict=True)):
                add(f"eval_out/{_file(key, index, label)}", _float_wav(estimate, rules.sample_rate))


def _file(soundscape: str, index: int, label: str) -> str:
    return f"{soundscape}_{index}_{file_label(label)}.wav"


def _float_wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """Return a WAV file of 32-bit floats: no value is rounded, and none is clipped."""
    stream = io.BytesIO()
    wavfile.write(stream, sample_rate, samples.astype(np.float32))
    return stream.getvalue()


def _one_system(records: dict[str, dict], infer_dir: Path) -> dict[str, Any]:
    """Return what made all recordings.

    Raises:
        DataError: they come from different systems, were made with given labels, or do not say where they come from.
    """
    first = next(iter(records))
    made_by = records[first].get("made_by")
    if not isinstance(made_by, dict) or not isinstance(made_by.get("models"), dict):
        raise DataError(f"{infer_dir / first}.json does not say which models made it: run the inference again.")
    for key, record in records.items():
        if record.get("made_by") != made_by:
            raise DataError(f"{infer_dir}: {first} and {key} were made by different systems: run the inference again.")
        if record.get("labels") != "predicted":
            raise DataError(f"{infer_dir / key}.json: its labels were given, a package has predicted ones.")
    return made_by


def _count_parameters(made_by: dict) -> int:
    """Return the number of parameters of all models.

    Raises:
        DataError: a model's file is not the one any more that made the estimates.
        CheckpointError: it cannot be loaded.
    """
    from s5lib.models import load_model

    count = 0
    for kind, model in made_by["models"].items():
        path = Path(model["file"])
        if not path.is_file():
            raise DataError(f"the {kind} {path}, whose parameters have to be counted, is not there any more.")
        if file_digest(path) != model["sha256"]:
            raise DataError(f"the {kind} {path} has changed since the inference: run the inference again.")
        count += sum(parameter.numel() for parameter in load_model(path)[0].parameters())
    return count


def _development(scores: Path) -> dict[str, Any]:
    """Return the scores of the development set's test split: means, and in ``details`` those of each scene.

    Raises:
        DataError: the file is missing, damaged, or has no scores with predicted labels.
    """
    details = []
    if not scores.exists():
        raise DataError(f"--scores {scores}: no such file. Run the scoring stage first (run.sh --stage 5).")
    advice = "Expected are scores with predicted labels: the .jsonl that 's5lib score' writes beside its table."
    for place, content in read_json_lines(scores, advice=advice):
        row = Record(content, place, advice=advice)
        score = row.record("predicted")
        details.append(
            {
                "soundscape": row.text("id"),
                "CAPI-SDRi": score.number("value", None),
                **{count: score.integer(count, least=0) for count in ("tp", "fn", "fp")},
                "sources": [_source(pair, score) for pair in score.items("pairs")],
            }
        )
    values = [scene["CAPI-SDRi"] for scene in details if scene["CAPI-SDRi"] is not None]
    if not values:
        raise DataError(f"--scores {scores}: no scene has a CA-PI-SDRi; there is no mean.")
    right = sum(scene["fn"] == scene["fp"] == 0 for scene in details)
    found = sum(scene["tp"] for scene in details)
    counted = sum(scene["tp"] + scene["fn"] + scene["fp"] for scene in details)
    return {
        "CAPI-SDRi": {"mean": sum(values) / len(values)},
        "label_metrics": {"accuracy_mix": 100 * right / len(details), "accuracy_src": 100 * found / max(1, counted)},
        "details": details,
    }


def _source(pair: Any, score: Record) -> dict[str, Any]:
    if not (isinstance(pair, list) and len(pair) > 3 and isinstance(pair[2], str) and is_number(pair[3])):
        score.reject("pairs", "pairs of reference, estimate, label and SDRi")
    return {"label": pair[2], "SDRi": float(pair[3])}
