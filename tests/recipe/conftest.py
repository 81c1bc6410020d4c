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

from s5lib.bin.main import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
RUN = REPOSITORY / "egs/dcase26_s5/run.sh"

FAKE_PYTHON = f"""#!/bin/bash
case "$*" in *check_install.py\\ --quick*) dirname "$0" ;; *) exec {shlex.quote(sys.executable)} "$@" ;; esac
"""

# Records each call as one line of NUL-separated words, and makes the files that the next stage looks for.
FAKE_S5LIB = r"""#!/bin/bash
printf '%s\0' "$@" >>"${CALLS}" && echo >>"${CALLS}"
declare -A given=()
for ((i = 1; i < $#; i++)); do j=$((i + 1)); given[${!i}]=${!j}; done
echo "this is s5lib $1"
if [[ -n ${BEHAVIOUR-} && ${AT-} == "$1" ]]; then eval "${BEHAVIOUR}"; fi
case $1 in
    prepare) mkdir -p "${given[--data_dir]}/test" && : >"${given[--data_dir]}/test/wav.scp" ;;
    train) mkdir -p "${given[--expdir]}" && : >"${given[--expdir]}/model.safetensors" ;;
    infer) mkdir -p "${given[--out]}" ;;
    score) : >"${given[--out]}" && : >"${given[--out]%.md}.jsonl" ;;
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


def value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


def assert_fit_together(commands: list[list[str]], given: set[str]) -> None:
    """Each command parses, and reads only what was given or what a command before it writes."""
    written = set(given)
    for command in commands:
        build_parser(command[0]).parse_args(command[1:])
        if command[0] in ("infer", "score", "package"):
            options = ("--tagger", "--separator", "--joint_model", "--infer_dir", "--scores")
            assert {value(command, option) for option in options if option in command} <= written
        assert {word.rpartition("=")[2] for word in command if word.endswith(".jsonl")} <= written
        out = {"train": "--expdir", "prepare": "--data_dir"}.get(command[0], "--out")
        assert value(command, out) not in written
        written |= {value(command, out) + end for end in ("", "/model.safetensors")}
        written.add(value(command, out).removesuffix(".md") + ".jsonl")


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
        return ["--datadir", "data", "--dumpdir", "dump", "--expdir", "exp", "--ngpu", "0", "--nj", "2"]

    def __call__(self, *arguments: str, here: bool = True, script: Path = RUN) -> subprocess.CompletedProcess:
        return subprocess.run(
            [script, *(self.arguments if here else []), *arguments],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            preexec_fn=default_signals,
        )

    def printed(self, line: str, **more) -> list[list[str]]:
        """The commands that a dry run prints, without what stands before `s5lib`."""
        done = self("--dry_run", *line.split(), **more)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return [shlex.split(row)[1:] for row in done.stdout.splitlines() if not row.startswith("#")]

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call of `s5lib`, in order."""
        file = self.place / "calls"
        return [line.split("\0")[:-1] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def bench(tmp_path, monkeypatch):
    place, commands = tmp_path / "a place", tmp_path / "bin"
    write_script(commands / "python3", FAKE_PYTHON)
    write_script(commands / "s5lib", FAKE_S5LIB)
    place.mkdir()
    monkeypatch.chdir(RUN.parent)  # where the parsers look for the configurations that printed commands name
    return Bench(place, commands)
