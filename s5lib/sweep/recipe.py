"""What a sweep takes from a recipe's folder: configurations, trained models, and the settings in db.sh and cmd.sh."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from s5lib.errors import ConfigError

__all__ = ["Recipe", "visible_gpu"]

_PRELUDE = 'die() { printf "%s\\n" "$*" >&2; exit 1; }; cpu_cmd=() cuda_cmd=() train_cmd=(); declare -A corpora=()'


@dataclass(frozen=True)
class Recipe:
    """A recipe's folder, such as ``egs/dcase26_s5``, and a corpus."""

    folder: Path
    corpus: str

    def config(self, kind: str, given: Path | None) -> Path:
        """Return ``given`` or the corpus's ``conf/CORPUS/KIND.yaml``, mini's where the corpus has none.

        Raises:
            ConfigError: there is no such file.
        """
        candidates = [given] if given else [self.folder / f"conf/{name}/{kind}.yaml" for name in (self.corpus, "mini")]
        for file in candidates:
            if file.is_file():
                return file
        raise ConfigError(
            f"there is no {candidates[-1]}. Give --{kind}_config FILE, or the recipe's folder: --recipe DIR."
        )

    def model(self, kind: str, given: Path | None) -> Path:
        """Return ``given`` or where the recipe trains that model."""
        return given or self.folder / f"exp/{self.corpus}/{kind}/model.safetensors"

    def data_root(self) -> str | None:
        """Return where db.sh says that the corpus is."""
        return next(iter(self._read("db.sh", "${corpora[${corpus}]-}", corpus=self.corpus)), None)

    def launchers(self, ngpu: int, nj: int) -> dict[str, list[str]]:
        """Return what cmd.sh puts before each command of `s5lib`, such as srun and its options."""
        arrays = {"prepare": "cpu_cmd", "train": "train_cmd", "infer": "cuda_cmd", "score": "cpu_cmd"}
        options = {"ngpu": str(ngpu), "nj": str(nj), "num_nodes": "1"}
        return {command: self._read("cmd.sh", f"${{{array}[@]}}", **options) for command, array in arrays.items()}

    def _read(self, script: str, words: str, **variables: str) -> list[str]:
        if not (self.folder / script).is_file():
            return []
        program = f'{_PRELUDE}; . ./{script} && printf "%s\\0" "{words}"'
        done = subprocess.run(
            ["bash", "-c", program], cwd=self.folder, env={**os.environ, **variables}, capture_output=True, text=True
        )
        if done.returncode:
            raise ConfigError(f"{self.folder / script} cannot be read: {done.stderr.strip()}")
        return [word for word in done.stdout.split("\0") if word]


def visible_gpu() -> int:
    """Return 1 where nvidia-smi lists a GPU that ``CUDA_VISIBLE_DEVICES`` does not hide, else 0, as run.sh does."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    except OSError:
        return 0
    return int(listed.startswith("GPU ") and os.environ.get("CUDA_VISIBLE_DEVICES") != "")
