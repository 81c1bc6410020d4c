"""Published models by name: downloaded once, verified, and kept in the user's cache (``~/.cache/s5lib``).

No SHA-256 of these archives is published beside them.  GitHub gives one for each file of a release since June 2025,
which is asked for and checked.  Of older releases (M2D's) there is none: these come over TLS alone, and the log says
what their SHA-256 is.  Whatever comes, s5lib reads nothing but tensors from it.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from s5lib.errors import ConfigError, DataError, nearest
from s5lib.provenance import atomic_write, file_digest, folder_lock, no_empty_folders
from s5lib.untrusted import json_record
from s5lib.untrusted.archives import check_members, open_zip, reported

__all__ = ["MODELS", "WEIGHTS", "PublishedArchive", "fetch_models", "fetch_weights"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedArchive:
    """A zip archive of checkpoints, a file of a release on GitHub."""

    url: str
    files: Mapping[str, str]
    """what each is for -> name in the archive, without folders"""
    sha256: str | None = None
    """where it is published; None: as the release says"""
    api: str = "https://api.github.com"

    @property
    def release(self) -> str:
        """The address of the release's description."""
        owner, name, _, _, tag, _ = self.url.split("/")[-6:]
        return f"{self.api}/repos/{owner}/{name}/releases/tags/{tag}"


_BASELINE = "https://github.com/nttcslab/dcase2026_task4_baseline/releases/download/v1.0.0/baseline_checkpoint.zip"
_M2D = "m2d_as_vit_base-80x1001p16x16p32k-240413_AS-FT_enconly"

MODELS = {
    "dcase26-baseline": PublishedArchive(_BASELINE, {"tagger": "m2dat_4c.ckpt", "separator": "resunetk.ckpt"}),
    "dcase26-baseline-1c": PublishedArchive(_BASELINE, {"tagger": "m2dat_1c.ckpt", "separator": "resunetk.ckpt"}),
}
"""Systems, for ``s5lib infer --models NAME`` and ``load_system(NAME)``."""
WEIGHTS = {
    "m2d": PublishedArchive(
        f"https://github.com/nttcslab/m2d/releases/download/v0.3.0/{_M2D}.zip",
        {"weights": "weights_ep69it3124-0.47998.pth"},
    )
}
"""Initial weights, for ``s5lib train tagger --init NAME``."""


def fetch_models(name: str) -> dict[str, Path]:
    """Return the checkpoints of a system of :data:`MODELS`, by kind; they are downloaded if they are not in the cache.

    Raises:
        ConfigError: there is no such name.
        DataError: the download fails, or what comes is not what was published.
    """
    if name not in MODELS:
        raise ConfigError(f"there are no published models {name!r}. {nearest(name, MODELS)}")
    return _fetched(MODELS[name])


def fetch_weights(name: str) -> Path:
    """Return a file of :data:`WEIGHTS`; as :func:`fetch_models`."""
    if name not in WEIGHTS:
        raise ConfigError(f"there are no published weights {name!r}. {nearest(name, WEIGHTS)}")
    return _fetched(WEIGHTS[name])["weights"]


def _fetched(archive: PublishedArchive) -> dict[str, Path]:
    import pooch

    folder = Path(pooch.os_cache("s5lib")) / Path(archive.url).stem
    files = {kind: folder / file for kind, file in archive.files.items()}
    if all(path.is_file() for path in files.values()):
        return files
    try:
        with no_empty_folders(folder), folder_lock(folder):
            if not all(path.is_file() for path in files.values()):
                _download(archive, folder)
    except OSError as error:
        raise DataError(f"{error.filename or folder}: {error.strerror or error}. Is there room?") from error
    return files


def _download(archive: PublishedArchive, folder: Path) -> None:
    log.info("downloading %s to %s; its authors' licence applies", archive.url, folder)
    digest = archive.sha256 or _published_digest(archive, folder)
    packed = Path(_retrieved(archive.url, digest and f"sha256:{digest}", folder))
    if digest is None:
        log.warning("%s has no published checksum; its SHA-256 is %s", archive.url, file_digest(packed))
    try:
        _extract(packed, archive.url, folder)
    finally:
        packed.unlink()
    missing = [file for file in archive.files.values() if not (folder / file).is_file()]
    if missing:
        raise DataError(f"{archive.url} does not hold {', '.join(missing)}: has it changed?")


def _published_digest(archive: PublishedArchive, folder: Path) -> str | None:
    """Return the SHA-256 that the release gives for the archive; None where it gives none."""
    description = Path(_retrieved(archive.release, None, folder))
    try:
        for asset in json_record(description).records("assets"):
            if asset.text("browser_download_url") == archive.url:
                kind, _, digest = asset.text("digest", "").partition(":")
                return digest if kind == "sha256" else None
    finally:
        description.unlink()
    return None


def _retrieved(url: str, known_hash: str | None, folder: Path) -> str:
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)  # it says where each file goes and what its hash is
    try:
        path: str = pooch.retrieve(url, known_hash, path=folder, progressbar=False)
    except (OSError, ValueError) as error:  # of requests, and of a wrong checksum
        instead = f"Without it, put the files of {folder.name}.zip into {folder}."
        raise DataError(f"{url}: {error}. Is the network reachable? {instead}") from error
    return path


def _extract(packed: Path, where: str, folder: Path) -> None:
    """Unpack the checkpoints, whatever folders they are in."""
    with open_zip(packed, where) as content, reported(where):
        members = [member for member in content.infolist() if Path(member.filename).suffix in (".ckpt", ".pth")]
        check_members(members, packed.stat().st_size, where)
        for member in members:
            target = folder / os.path.basename(member.filename)
            with content.open(member) as source, atomic_write(target) as temporary, open(temporary, "wb") as stream:
                shutil.copyfileobj(source, stream, 1 << 20)
