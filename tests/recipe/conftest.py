"""A bench for the recipe's shell: a fake `s5lib` that records its arguments, and a Python that claims to have it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = REPOSITORY / "egs/dcase26_s5/run.sh"

FAKE_PYTHON = f"""#!/bin/bash
# tells that s5lib's commands are in this folder; is the real Python for anything else
case "$*" in
    *check_install.py\\ --quick*) dirname "$0" ;;
    *) exec {shlex.quote(sys.executable)} "$@" ;;
esac
"""

# Records each call as one line of NUL-separated words, and makes the files that the next stage looks for.
FAKE_S5LIB = r"""#!/bin/bash
{
    flock 9 # several runs may call at a time
    printf '%s\0' "$@"
    printf '\n'
} >>"${CALLS}" 9>"${CALLS}.lock"
declare -A given=()
for ((i = 1; i <= $#; i++)); do
    if [[ ${!i} == --* ]]; then j=$((i + 1)); given[${!i#--}]=${!j-}; fi
done
echo "this is s5lib $1"
if [[ -n ${BEHAVIOUR-} && ${AT-} == "$1" ]]; then eval "${BEHAVIOUR}"; fi
case $1 in
    prepare) mkdir -p "${given[data_dir]}/test"; : >"${given[data_dir]}/test/wav.scp" ;;
    train) mkdir -p "${given[expdir]}"; : >"${given[expdir]}/model.safetensors" ;;
    infer) mkdir -p "${given[out]}" ;;
    score) echo "| CA-PI-SDRi |" >"${given[out]}"; : >"${given[out]%.md}.jsonl" ;;
esac
"""


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def default_signals() -> None:
    """In a child: react to Ctrl-C, though the tests may have been started where it is ignored, as by nohup."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def copy_recipe(root: Path) -> Path:
    """Make a repository at ``root`` that has the recipe and no environment in tools/; return its run.sh."""
    for folder in ("egs/TEMPLATE", "egs/dcase26_s5", "s5lib"):
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        (root / folder).symlink_to(REPOSITORY / folder)
    (root / "tools").mkdir()
    for name in ("setup.py", "constraints.txt", "tools/install.sh", "tools/test.sh", "tools/check_install.py"):
        shutil.copy(REPOSITORY / name, root / name)
    return root / "egs/dcase26_s5/run.sh"


@dataclass
class Bench:
    """Runs run.sh in ``place``, a folder with a space in its name, with data, dump and experiment folders there."""

    place: Path
    commands: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHON", "CUDA_VISIBLE_DEVICES")}
        path = f"{self.commands}:{os.environ['PATH']}"
        return {**kept, "PATH": path, "CALLS": str(self.place / "calls"), **self.variables}

    @property
    def arguments(self) -> list[str]:
        """Options that keep everything in ``place`` and do not depend on the machine."""
        return [
            "--datadir",
            "data",
            "--dumpdir",
            "dump",
            "--expdir",
            "exp",
            "--ngpu",
            "0",
            "--nj",
            "2",
            "--data_config",
            "data.yaml",
            "--tagger_config",
            "tagger.yaml",
            "--separator_config",
            "separator.yaml",
        ]

    def __call__(self, *arguments: str, here: bool = True, script: Path = RUN) -> subprocess.CompletedProcess:
        own = self.arguments if here else []
        return subprocess.run(
            [script, *own, *arguments],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            preexec_fn=default_signals,
        )

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call of `s5lib`, in order."""
        file = self.place / "calls"
        return [line.split("\0")[:-1] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def bench(tmp_path):
    place, commands = tmp_path / "a place", tmp_path / "bin"
    write_script(commands / "python3", FAKE_PYTHON)
    write_script(commands / "s5lib", FAKE_S5LIB)
    place.mkdir()
    for name in ("data.yaml", "tagger.yaml", "separator.yaml"):
        (place / name).write_text("# nothing\n")
    return Bench(place, commands)
