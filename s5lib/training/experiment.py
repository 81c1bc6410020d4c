"""The experiment folder: options are recorded, checked when a run resumes, and one run at a time holds it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import platform
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from s5lib.errors import CheckpointError, ConfigError, DataError, S5Error
from s5lib.models.checkpoint import read_header
from s5lib.provenance import Fingerprint, folder_lock, move, write_text
from s5lib.provenance.fingerprint import Change
from s5lib.training.history import read_history
from s5lib.untrusted import Record, yaml_record
from s5lib.version import __version__

__all__ = ["Experiment"]

log = logging.getLogger(__name__)

# May differ between a run and its continuation: the weights stay the same.
_FREE = {"keep_models", "num_workers", "save_interval", "tensorboard_scenes"}
_CONTENT = {"corpus": "training data", "init": "initial weights"}  # paths, and the digest of what lies there


class Experiment:
    """A folder with ``config.yaml`` (the options), the run's files and, once finished, ``model.safetensors``."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config_file = self.folder / "config.yaml"
        self.model_file = self.folder / "model.safetensors"
        self.resume_file = self.folder / "resume.ckpt"

    @property
    def is_begun(self) -> bool:
        """Whether there is anything that was trained."""
        return self.resume_file.exists() or self.model_file.exists()

    @property
    def finished(self) -> bool:
        """Whether the final model exists and is intact."""
        if not self.model_file.exists():
            return False
        try:
            read_header(self.model_file)
        except CheckpointError as error:
            log.warning("%s It is made again.", error)
            return False
        return True

    def finished_with(self, option: str, steps: int) -> bool:
        """Whether the final model is there, intact and that of ``steps`` steps, which ``option`` of the folder says.

        Any process may ask, while the main one extends the run.
        """
        if not self.finished:
            return False
        try:
            found = yaml_record(self.config_file)
            *names, last = option.split(".")
            for name in names:
                found = found.record(name)
            return bool(found.get(last, steps) == steps)
        except DataError:
            return True  # the main process reports it

    def open(
        self,
        asked: dict,
        completed: Callable[[Record], Mapping[str, Any]] | None = None,
        extends: str | None = None,
        state: Path | None = None,
        unused: Collection[str] = (),
    ) -> list[str]:
        """Make the folder for ``asked``, or check that it was made for the same; return what has changed of that.

        Args:
            asked: nested options, those that were left out with their defaults.
            completed: gives the options that a folder says, with those that an earlier version did not record.
            extends: the option with the number of steps, as ``steps.train.max_steps``, which may have grown.
            state: the file that a finished run goes on from; the model that it made before is kept under another name.
            unused: options on which nothing depends yet; what was recorded of them is replaced.

        Raises:
            ConfigError: the folder cannot be written, holds a run with other options, or one that cannot go on.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            changes: list[Change] = []
            if self.config_file.exists():
                changes = self._compare(asked, completed, extends, unused)
                if not changes:
                    return []
                for longer in (change for change in changes if change.name == extends):
                    self._extend(longer, state or self.resume_file)
            elif of_no_run := [file for file in (self.model_file, self.resume_file) if file.exists()]:
                raise ConfigError(
                    f"{of_no_run[0]} belongs to no run ({self.config_file} is missing). Choose another --expdir."
                )
            options = Fingerprint({**asked, "made_with": versions()}).as_json()
            write_text(self.config_file, yaml.safe_dump(options, sort_keys=False))
            return [change.name for change in changes]
        except OSError as error:
            raise self._not_written(error) from None

    @contextlib.contextmanager
    def no_empty_run(self, steps: Iterable[str]) -> Iterator[None]:
        """Remove what a ``with`` block has made of a new run that fails before it has trained anything.

        What is left is then neither taken for a run, nor in the way of the same command with better options.

        Args:
            steps: names of the run's steps, which have folders of their own.
        """
        is_new, folders = not self.config_file.exists(), [self.folder / step for step in steps]
        try:
            yield
        except S5Error:
            files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
            if is_new and not self.model_file.exists() and all(_says_only_what_was_asked(path) for path in files):
                for folder in folders:
                    shutil.rmtree(folder, ignore_errors=True)
                for file in (self.config_file, self.folder / "train.log"):
                    file.unlink(missing_ok=True)
            raise

    def _extend(self, longer: Change, state: Path) -> None:
        before = longer.before
        if self.model_file.exists():
            rows = read_history(state.with_name("history.jsonl"))
            before = rows[-1]["step"] if rows else before  # fewer, if it stopped early: a run ends with a validation
            if not state.exists():
                raise ConfigError(
                    f"{self.folder} finished after {before} steps, and {state}, from which it could continue to "
                    f"{longer.now}, is missing. --init {self.model_file} starts another run from its weights."
                )
            move(self.model_file, self.folder / f"model_{before}_steps.safetensors", durable=True)
        log.info(
            "%s: extended from %s to %s steps; the learning rate follows the schedule of the latter",
            self.folder,
            before,
            longer.now,
        )

    def _compare(
        self,
        asked: dict,
        completed: Callable[[Record], Mapping[str, Any]] | None,
        extends: str | None,
        unused: Collection[str],
    ) -> list[Change]:
        """Return the changes that are possible and are to be recorded; others are refused."""
        advice = "Use another --tag or --expdir, or delete that folder."
        found = yaml_record(self.config_file, error=ConfigError, advice=advice)
        changes = Fingerprint(asked).changes_since(completed(found) if completed else found.values)
        known = {path for path, content in _CONTENT.items() if content in found and content in asked}
        different = [c for c in changes if c.name not in known and c.name.rpartition(".")[2] not in _FREE]
        others = [c for c in different if c.name not in unused and not (c.name == extends and c.now > c.before)]
        if others:
            raise ConfigError(
                f"{self.folder} holds a run with other options: {'; '.join(map(str, others[:5]))}. {advice}"
            )
        return different

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder, made where it is missing, for this process.

        Raises:
            ConfigError: another process that still lives holds it, or it cannot be made.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(folder_lock(self.folder, wait=False))
            except OSError as error:
                raise self._not_written(error) from None
            yield

    def _not_written(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"cannot write into the experiment folder {self.folder}: {error.strerror}. Choose another --expdir."
        )


def _says_only_what_was_asked(path: Path) -> bool:
    return path.name in ("config.yaml", "hparams.yaml", "key.json") or path.name.startswith("events.out.tfevents")


def versions() -> dict[str, str]:
    """Return the versions that decide a result, and the state of the working copy that s5lib runs from."""
    names = ("torch", "torchaudio", "lightning", "numpy", "scipy")
    found = {"s5lib": __version__, "python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        found["git"] = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    return found
