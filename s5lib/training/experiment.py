"""The experiment folder: what was asked is written down, checked on return, and held by one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import TextIO

import yaml

from s5lib.errors import ConfigError
from s5lib.provenance.files import write_text
from s5lib.untrusted import Record, parse_yaml, read_yaml, shown
from s5lib.version import __version__

__all__ = ["Experiment"]

# May differ between a run and its continuation: the weights stay the same.
_FREE = {"keep_models", "num_workers", "save_interval", "tensorboard_scenes"}

# Open files of the locks that this process holds.  A lock lasts until the last process that has the file open ends: one
# that was forked, to mix scenes, would hold the folder for some seconds after its parent was killed.
_held: set[TextIO] = set()


def _let_go() -> None:
    while _held:
        _held.pop().close()


os.register_at_fork(after_in_child=_let_go)


class Experiment:
    """A folder with ``config.yaml`` (what was asked), the run's files, and at its end ``model.safetensors``."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config_file = self.folder / "config.yaml"
        self.model_file = self.folder / "model.safetensors"
        self.resume_file = self.folder / "resume.ckpt"

    @property
    def finished(self) -> bool:
        """Whether the final model is there."""
        return self.model_file.exists()

    def open(self, asked: dict, defaults: dict | None = None) -> None:
        """Make the folder for ``asked``, or check that it was made for the same.

        Args:
            asked: nested options.
            defaults: nested in the same way; what a folder of an earlier version does not say had this value.

        Raises:
            ConfigError: the folder cannot be written, or holds a run with other options.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.config_file.exists():
                self._compare(asked, defaults or {})
                return
            write_text(self.config_file, yaml.safe_dump({**asked, "made_with": versions()}, sort_keys=False))
        except OSError as error:
            raise ConfigError(
                f"cannot write into the experiment folder {self.folder}: {error.strerror}. Choose another --expdir."
            ) from None

    def _compare(self, asked: dict, defaults: dict) -> None:
        how = {"error": ConfigError, "advice": "Use another --tag or --expdir, or delete that folder."}
        found = Record(read_yaml(self.config_file, **how), self.config_file, **how).values
        different = [
            f"{name} was {shown(old)}, now {shown(new)}"
            for name, old, new in _differences(
                found, *(parse_yaml(yaml.safe_dump(d), "the options") for d in (asked, defaults))
            )
            if name.rpartition(".")[2] not in _FREE
        ]
        if different:
            raise ConfigError(
                f"{self.folder} holds a run with other options: {'; '.join(different[:5])}. "
                "Use another --tag or --expdir, or delete that folder."
            )

    @contextlib.contextmanager
    def lock(self):
        """Hold the folder for this process.

        Raises:
            ConfigError: another process that still lives holds it.
        """
        with open(self.folder / ".lock", "a+", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stream.seek(0)
                raise ConfigError(
                    f"{self.folder} is in use by process {stream.read().strip() or 'unknown'}. "
                    "Wait for it, or use another --tag or --expdir."
                ) from None
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            _held.add(stream)
            try:
                yield
            finally:
                _held.discard(stream)


def _differences(old, new, defaults, name=""):
    """Yield ``(name, old, new)`` of what differs between two nested mappings."""
    for key in new:
        default = defaults.get(key)
        here, there = old.get(key, default), new[key]
        path = f"{name}.{key}" if name else key
        if isinstance(here, dict) and isinstance(there, dict):
            yield from _differences(here, there, default if isinstance(default, dict) else {}, path)
        elif here != there:
            yield path, here, there


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
