"""What a sweep runs: commands of `s5lib`, grouped into runs that have a folder and a log each."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Command", "Common", "SweepRun", "as_typed"]

Command = list[str]
"""The arguments of one call of `s5lib`."""


def as_typed(command: Command) -> str:
    """Return a command as one types it.

    >>> as_typed(["score", "--out", "my results.md"])
    "s5lib score --out 'my results.md'"
    """
    return shlex.join(["s5lib", *command])


@dataclass(frozen=True)
class SweepRun:
    """Commands that run one after the other; when one fails, the rest of its run is left out."""

    name: str
    """of the variant; runs of one name differ in their seed"""
    folder: Path
    commands: list[Command]

    @property
    def log(self) -> Path:
        """The file that gets the output of all commands."""
        return self.folder / "run.log"

    @property
    def results(self) -> str:
        """The scores that the last command, `s5lib score`, writes beside its table."""
        return self.commands[-1][-1].removesuffix(".md") + ".jsonl"


@dataclass(frozen=True)
class Common:
    """What all runs of a sweep share; from it come the commands."""

    corpus: str
    data_dir: Path
    expdir: Path
    ngpu: int
    nj: int
    """processes of each run"""
    train_options: list[str]
    """as typed, in place of the configuration's"""

    def train(self, kind: str, config: Path, folder: Path, seed: int, *options: str) -> Command:
        """Return the command that trains a model in ``folder``."""
        where = ["--data_dir", str(self.data_dir), "--expdir", str(folder), *self._devices()]
        return ["train", kind, "--config", str(config), *where, "--seed", str(seed), *options, *self.train_options]

    def evaluate(self, folder: Path, suffix: str, *models: str) -> list[Command]:
        """Return the commands that run a system on the test set and score it, into ``folder/RESULTS{suffix}.md``."""
        test, out = str(self.data_dir / "test"), str(folder / f"infer{suffix}/test")
        return [
            ["infer", "--data_dir", test, *models, "--out", out, *self._devices()],
            ["score", "--data_dir", test, "--infer_dir", out, "--out", str(folder / f"RESULTS{suffix}.md")],
        ]

    def _devices(self) -> list[str]:
        return ["--ngpu", str(self.ngpu), "--nj", str(self.nj)]
