"""Data directories from a corpus in the DCASE 2026 layout: its rendered sets, and its sets of scene metadata.

References of a rendered set are ``oracle_target/NAME_I_LABEL.wav`` (2026, I from 0) or ``NAME_LABEL.wav`` (2025,
distinct labels); names are compared as a whole, so that ``eval_1`` never takes what belongs to ``eval_10``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from s5lib.audio import by_stem, find_audio_files, probe
from s5lib.data.directory import DataDirectory, Recording
from s5lib.errors import DataError, nearest
from s5lib.provenance import folder_lock
from s5lib.scenes.corpus import class_labels, find_root, metadata_files
from s5lib.scenes.dcase_json import parse_metadata, read_metadata
from s5lib.scenes.render import Renderer
from s5lib.scenes.scene_folder import SceneFolder, digest_of

__all__ = ["data_directory_from_metadata", "data_directory_from_synthesized", "read_synthesized"]


def data_directory_from_synthesized(
    folder: str | os.PathLike, out: str | os.PathLike, labels: tuple[str, ...] | None = None
) -> DataDirectory:
    """Make a data directory of a rendered set; the audio stays where it is.

    Args:
        folder: holds ``soundscape/`` and, where the references are known, ``oracle_target/``.
        out: the data directory.
        labels: class labels; by default those of the corpus that ``folder`` belongs to, where it belongs to one.

    Raises:
        DataError: nothing is there, or a reference belongs to no mixture or has an unknown label.
    """
    return DataDirectory.write(out, read_synthesized(folder, labels))


def read_synthesized(folder: str | os.PathLike, labels: tuple[str, ...] | None = None) -> list[Recording]:
    """Return the recordings of a rendered set; for arguments and errors see :func:`data_directory_from_synthesized`."""
    folder = Path(folder).absolute()
    if labels is None and folder.parent.name == "synthesized" and (folder.parents[1] / "sound_event/train").is_dir():
        labels = class_labels(folder.parents[1])
    mixtures = by_stem(_audio(folder / "soundscape"))
    if not mixtures:
        raise DataError(f"{folder / 'soundscape'}: no recordings there; expected NAME.wav files.")
    known = (folder / "oracle_target").is_dir()
    found: dict[str, dict[int, tuple[str, Path]]] = {name: {} for name in mixtures}
    for path in _audio(folder / "oracle_target"):
        name, index, label = _reference_name(path, found, labels)
        if index in found[name]:
            raise DataError(f"{path}: number {index} of {name!r} a second time, beside {found[name][index][1].name}.")
        found[name][index] = (label, path)
    recordings = []
    for name, path in mixtures.items():
        indices = sorted(found[name])
        if indices != list(range(len(indices))):
            raise DataError(f"{folder / 'oracle_target'}: {name!r} has references number {indices}; some are missing.")
        references = [found[name][index] for index in indices]
        recordings.append(
            Recording(
                id=name,
                mixture=os.fspath(path),
                labels=tuple(label for label, _ in references) if known else None,
                sources=tuple(os.fspath(source) for _, source in references),
                num_samples=probe(path).frames,
            )
        )
    return recordings


def _audio(folder: Path) -> list[Path]:
    return find_audio_files(folder, recursive=False).files if folder.is_dir() else []


def _reference_name(path: Path, found: dict[str, dict], labels: tuple[str, ...] | None) -> tuple[str, int, str]:
    """Split a reference's file name into mixture, number and label; without a number it is the next free one."""
    parts = path.stem.split("_")
    candidates = []
    for cut in range(1, len(parts)):
        name, rest = "_".join(parts[:cut]), parts[cut:]
        if name not in found:
            continue
        if len(rest) > 1 and rest[0].isdecimal():
            candidates.append((name, int(rest[0]), "_".join(rest[1:])))
        else:
            candidates.append((name, len(found[name]), "_".join(rest)))
    if not candidates:
        raise DataError(f"{path}: belongs to no mixture; expected NAME_I_LABEL or NAME_LABEL of a file in soundscape/.")
    if labels is not None:
        fitting = [candidate for candidate in candidates if candidate[2] in labels]
        if not fitting:
            label = candidates[-1][2]
            raise DataError(f"{path}: unknown label {label!r}. {nearest(label, labels)}")
        candidates = fitting
    if len(candidates) > 1:
        choices = " or ".join(f"number {index} of {name!r}, {label}" for name, index, label in candidates)
        raise DataError(f"{path}: can be {choices}: rename the mixture and its references.")
    return candidates[0]


def data_directory_from_metadata(
    data_root: str | os.PathLike,
    name: str,
    out: str | os.PathLike,
    audio_dir: str | os.PathLike,
    preset: str = "dcase2026",
    progress: Callable[[list[Path]], Iterable[Path]] = iter,
) -> DataDirectory:
    """Render the scenes of ``metadata/NAME`` into ``audio_dir`` and make a data directory of them.

    Scenes that are finished, see :mod:`s5lib.scenes.scene_folder`, are not rendered again.

    Args:
        data_root: the corpus.
        name: the set, ``valid`` for one.
        out: the data directory.
        audio_dir: gets ``soundscape/``, ``oracle_target/`` and ``metadata/``.
        preset: of the renderer.
        progress: wraps the list of files; ``tqdm``, for one.

    Raises:
        DataError: two scenes have one name; as :func:`s5lib.scenes.corpus.metadata_files` and the renderer.
    """
    root, files = find_root(data_root), metadata_files(data_root, name)
    names = {path.stem: path for path in files}
    for path in files:
        if names[path.stem] != path:
            raise DataError(f"{path} and {names[path.stem]}: two scenes of one name; rename one.")
    renderer, folder, asked = Renderer(root, preset), SceneFolder(audio_dir), {"metadata": name, "preset": preset}
    with folder_lock(audio_dir):
        stamps = folder.claim(asked)
        folder.keep_only(names)
        for path in progress(files):
            metadata = read_metadata(path)
            description = parse_metadata(metadata, root)
            try:
                made_from = digest_of({**asked, "scene": stamps[path], "of": stamps.digest(description.files, root)})
            except OSError as error:
                raise DataError(f"{path}: {error.filename}: {error.strerror}.") from error
            if not folder.is_finished(path.stem, made_from):
                if not folder.marker.is_file():
                    folder.note(asked, stamps)
                folder.write(path.stem, renderer(description), metadata, made_from)
        folder.note(asked, stamps)
    return data_directory_from_synthesized(audio_dir, out, class_labels(root))
