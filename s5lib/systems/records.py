"""The record of a separated recording, ``NAME.json``: which files hold its sources, and what they were made from.

The record decides about ownership: a file that no record of s5lib lists is never replaced or deleted, nor one whose
name is not of a source or a remainder of the record's recording: the record may have come with a stranger's folder.
It is written last, so that its presence means that the recording is finished.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from s5lib.audio import split_entry
from s5lib.audio.writing import FORMATS
from s5lib.errors import DataError, nearest
from s5lib.provenance import FileStamp, file_digest, problem_of, remove
from s5lib.untrusted import json_record, open_regular, read_json, to_json

__all__ = [
    "OF_LABELS",
    "WRITTEN_BY",
    "check_made_from",
    "check_one_system",
    "check_targets",
    "discard",
    "file_label",
    "file_stem",
    "gains_of",
    "identity",
    "is_output",
    "owned_files",
    "read_record",
    "record_path",
    "recording_text",
    "separate_own_outputs",
    "system_digest",
]

_NAME_BYTES, _LABEL_BYTES = 140, 90  # with number, ending and the parts of a scratch name below 255
WRITTEN_BY = "written_by"  # the first entry of a record, by which it is recognised, even if it was cut short
_ENDINGS = "|".join(sorted({ending for ending, *_ in FORMATS.values()}))
_OUTPUT = re.compile(rf"_((0|[1-9][0-9]*)_[\w.-]*(~[0-9a-f]{{6}})?|remainder)\.({_ENDINGS})")  # after the stem
_BEGIN = f'{{\n "{WRITTEN_BY}": "s5lib '.encode()


def file_label(label: str) -> str:
    """Return ``label`` as a part of a file name that cannot leave its folder; other labels give other parts.

    >>> file_label("Speech"), file_label("Door&Bell"), file_label("Door_Bell")
    ('Speech', 'Door_Bell~32cb33', 'Door_Bell')
    """
    return _part(label, re.sub(r"[^\w.-]+", "_", label), _LABEL_BYTES)


def file_stem(name: str) -> str:
    """Return the name of a recording as file names begin with it: as it is, if it is valid text and not too long.

    >>> file_stem("take 1"), file_stem("take\\udcff")
    ('take 1', 'take_~bf3878')
    """
    return _part(name, re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff/]", "_", name), _NAME_BYTES)


def is_output(file: str, name: str) -> bool:
    """Return whether a file of this name can be a source or the remainder of the recording ``name``.

    >>> [is_output(file, "a") for file in ("a_0_Dog.wav", "a_remainder.flac", "a.wav", "a_thesis.wav", "b_0_Dog.wav")]
    [True, True, False, False, False]
    """
    stem = file_stem(name)
    return file.startswith(stem) and _OUTPUT.fullmatch(file, len(stem)) is not None


def _part(text: str, valid: str, most: int) -> str:
    if valid == text and len(text.encode()) <= most:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{valid.encode()[: most - 7].decode('utf-8', 'ignore')}~{digest}"


def record_path(folder: str | os.PathLike[str], name: str) -> Path:
    """Return the path of a recording's record."""
    return Path(folder) / f"{file_stem(name)}.json"


def recording_text(entry: str) -> str:
    """Return the absolute path of a recording as valid text: bytes of a name that are not UTF-8 become ``\\xff``."""
    path, offset = split_entry(os.path.abspath(entry))
    return os.fsencode(path).decode("utf-8", "backslashreplace") + offset


def read_record(path: Path) -> dict[str, Any]:
    """Return the content of a recording's record; ``sources`` is a list of mappings with ``label`` and ``file``.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if not path.exists():
        raise DataError(f"{path} is missing: {path.stem} was not inferred. Run the inference stage again.")
    advice = "It is damaged: delete it and run the inference stage again."
    record = json_record(path, advice=advice)
    sources = [
        {
            **entry.values,
            "label": entry.text("label"),
            "file": entry.name("file"),
            "probability": entry.number("probability", 1.0, least=0, most=1),
        }
        for entry in record.records("sources")
    ]
    return {**record.values, "sources": sources, "gain": record.number("gain", 1.0, above=1e-30, most=1)}


def gains_of(path: Path) -> dict[str, float]:
    """Return the gains of the files that the record at ``path`` lists; none if it is not s5lib's own.

    Raises:
        DataError: the record is damaged.
    """
    try:
        listed = owned_files(path)
    except DataError:
        return {}
    return dict.fromkeys(listed, float(read_record(path)["gain"])) if listed else {}


def owned_files(path: Path) -> set[str]:
    """Return the names of the outputs that the record at ``path`` lists; none if there is no record.

    Raises:
        DataError: the file there was not written by s5lib.
    """
    if not os.path.exists(path):
        return set()
    with open_regular(path, advice="Choose another folder by --out, or rename it.") as stream:
        begin = stream.read(len(_BEGIN))
    try:
        record = read_json(path)
        made_by = record.get("made_by")
        if begin == _BEGIN or (isinstance(made_by, dict) and {"s5lib", "models"} <= made_by.keys()):
            listed = {*record.get("files", {}), *(entry["file"] for entry in record.get("sources", []))}
            return {file for file in listed if is_output(file, path.stem)}
    except (DataError, AttributeError, KeyError, TypeError):
        if begin in (_BEGIN, b""):  # cut short, by a power cut for one
            return set()
    raise DataError(
        f"{path} already exists and was not written by s5lib: choose another folder by --out, or rename it."
    )


def check_targets(scratch: Path, folder: Path, names: Iterable[str], owned: set[str]) -> None:
    """Check that files can be moved to a folder without loss: what has the name there is owned, or the same.

    Raises:
        DataError: a file there was not written by s5lib.
        OSError: one cannot be read.
    """
    for name in names:
        target = folder / name
        if not os.path.lexists(target) or (name in owned and not target.is_dir()):
            continue
        if not target.is_file() or file_digest(target) != file_digest(scratch / name):
            raise DataError(
                f"{target} already exists and was not written by s5lib: choose another folder by --out, or rename it."
            )


def discard(folder: Path, name: str) -> None:
    """Remove a recording's result, if there is one; the record last, without which its files would be nobody's.

    Raises:
        DataError: what is there was not written by s5lib.
        OSError: a file cannot be removed.
    """
    path = record_path(folder, name)
    for file in owned_files(path):
        (folder / file).unlink(missing_ok=True)
    remove(path)


def separate_own_outputs(files: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the files that s5lib has not written as sources of a recording, and those that it has, by the records."""
    listed: dict[str, set[str]] = {}
    others: list[str] = []
    own: list[str] = []
    for path in files:
        folder, file = os.path.split(path)
        stem = os.path.splitext(file)[0]
        is_own = False
        for number in re.finditer(r"_(?=[0-9]+_|remainder$)", stem):
            record = os.path.join(folder, f"{stem[: number.start()]}.json")
            if record not in listed:
                try:
                    listed[record] = owned_files(Path(record))
                except DataError:
                    listed[record] = set()
            is_own = is_own or file in listed[record]
        (own if is_own else others).append(path)
    return others, own


def check_made_from(
    path: Path, entry: str, labels: Iterable[str] | None = None, references: Iterable[str] | None = None
) -> dict[str, Any]:
    """Check that a result was made from a recording as it is now, and return its record.

    One that does not say what it was made from passes.

    Args:
        path: of the record.
        entry: the recording, as ``wav.scp`` names it.
        labels: that the sources must have, in any order; None: any.
        references: labels that the models must know, where the record lists those that they do.

    Raises:
        DataError: it was made from another recording or for other labels, a file of it is no longer as it was written,
            or there is no result.
    """
    record = read_record(path)
    known = record.get("class_labels")
    if isinstance(known, list) and (foreign := sorted(set(references or ()) - {str(label) for label in known})):
        raise DataError(
            f"{path}: its models do not know the label {foreign[0]!r} of its references. "
            f"{nearest(foreign[0], known)} Score it against data with the models' labels."
        )
    stamp = FileStamp.read(record.get("recording_stamp"))
    if stamp is not None:
        file, offset = split_entry(os.path.abspath(entry))
        try:
            same = FileStamp.of(file, stamp).sha256 == stamp.sha256
        except OSError as error:
            raise DataError(f"{entry}: {error.strerror}.") from error
        if not same or not str(record.get("recording")).endswith(offset):
            raise DataError(f"{path} was made from another version of {entry}. Run the inference stage again.")
    found = sorted(source["label"] for source in record["sources"])
    if labels is not None and found != sorted(labels):
        raise DataError(
            f"{path} has sources of {', '.join(found) or 'nothing'}; the references now are of "
            f"{', '.join(sorted(labels)) or 'nothing'}. Run the inference stage again."
        )
    if problem := problem_of(path, record.get("files") or {}):
        raise DataError(f"{path}: {problem}. Run the inference stage again.")
    return record


OF_LABELS = frozenset({"tagger", "tagger_code", "calibration"})
"""The parts of an :func:`identity` on which sources of given labels do not depend."""


def check_one_system(records: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Check that one system has made all results, and return what made the first; None where no result says it.

    Args:
        records: by their paths; those of predicted labels first.

    Raises:
        DataError: two were made by different models or with different settings.
    """
    saying = [path for path, record in records.items() if isinstance(record.get("made_by"), dict)]
    systems = {path: identity(records[path]["made_by"]) for path in saying}
    if not systems:
        return None
    first = next(iter(systems))
    for path, system in systems.items():
        given = "given" in (records[first].get("labels"), records[path].get("labels"))
        for key in sorted((systems[first].keys() | system.keys()) - (OF_LABELS if given else set())):
            if systems[first].get(key) != system.get(key):
                raise DataError(
                    f"{first} and {path} were made by different systems: the {key.replace('_', ' ')} differs. Run the "
                    "inference stage again, for all kinds of labels."
                )
    return dict(records[first]["made_by"])


_EARLIER = {
    "normalisation": "sn3d",
    "channels": "all",
    "sample_rate": "model",
    "remainder": False,
    "match_level": False,
    "spatial_filter": False,
}
"""Settings that results of earlier versions do not mention, as they were."""


def identity(made_by: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a record's ``made_by`` that the result depends on: not paths of models nor s5lib's version.

    Raises:
        DataError: it is not what inference writes.
    """
    try:
        models = made_by["models"].items()
        digests = {str(kind): str(model["sha256"]) for kind, model in models}
        digests |= {f"{kind}_code": str(model["code"]) for kind, model in models if "code" in model}
    except (KeyError, TypeError, AttributeError):
        raise DataError("there is no record of the models. Run the inference stage again.") from None
    settings = {key: value for key, value in made_by.items() if key not in ("s5lib", "models", "compiled")}
    if "calibration" in settings:  # as a whole: what it does not mention counts, too
        settings["calibration"] = to_json(settings["calibration"], sort_keys=True)
    return {**digests, **_EARLIER, **settings}


def system_digest(made_by: Mapping[str, Any]) -> str:
    """Return a digest of models and settings, by which scores and other results of one system know each other.

    The format of the files and whether there is a remainder do not matter.
    """
    parts = {
        key: value
        for key, value in identity(made_by).items()
        if key not in ("format", "remainder")
        and (key not in _EARLIER or value != _EARLIER[key])  # so that results stay the same as settings are added
    }
    return hashlib.sha256(to_json(parts, sort_keys=True, default=str).encode()).hexdigest()
