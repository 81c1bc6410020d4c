"""The stages as steps of Slurm, with an `srun` that records its arguments and starts the command once."""

from __future__ import annotations

import shutil

import pytest

from .conftest import REPOSITORY, copy_recipe, write_script

FAKE_SRUN = r"""#!/bin/bash
while [[ $1 == --* ]]; do printf '%s\0' "$1" >>"${SRUN_CALLS}"; shift; done
printf '\n' >>"${SRUN_CALLS}"
exec "$@"
"""


@pytest.fixture
def slurm(bench, tmp_path):
    """Returns a function that runs a recipe whose cmd.sh says slurm, and one that tells srun's arguments per stage."""
    script = copy_recipe(tmp_path / "repository")
    recipe = script.parent
    recipe.unlink()
    shutil.copytree(REPOSITORY / "egs/dcase26_s5", recipe, ignore=shutil.ignore_patterns("exp", "data", "dump"))
    text = (recipe / "cmd.sh").read_text()
    text = text.replace("cmd_backend=local", "cmd_backend=slurm")
    (recipe / "cmd.sh").write_text(text.replace("slurm_options=()", "slurm_options=(--account='my project')"))
    write_script(bench.commands / "srun", FAKE_SRUN)
    bench.variables["SRUN_CALLS"] = str(bench.place / "srun_calls")

    def calls():
        return [line.split("\0")[:-1] for line in (bench.place / "srun_calls").read_text().splitlines()]

    return lambda *arguments: bench(*arguments, script=script), calls


def test_each_command_is_a_step(bench, slurm):
    run, calls = slurm
    done = run("--ngpu", "4", "--num_nodes", "2", "--nj", "6")
    assert done.returncode == 0, done.stderr
    data, tagger, separator, inference, scores = calls()
    alone = ["--account=my project", "--nodes=1", "--ntasks=1", "--cpus-per-task=6"]
    assert data == scores == alone and inference == [*alone, "--gres=gpu:4"]
    assert (
        tagger
        == separator
        == [
            "--account=my project",
            "--nodes=2",
            "--ntasks-per-node=4",
            "--gres=gpu:4",
            "--cpus-per-task=8",
            "--kill-on-bad-exit=1",
            "--signal=TERM@120",
        ]
    )
    train = bench.calls[1]
    assert train[train.index("--ngpu") :][:2] == ["--ngpu", "4"] and train[-2:] == ["--num_nodes", "2"]


def test_without_a_gpu_a_step_is_one_process(slurm):
    run, calls = slurm
    assert run("--ngpu", "0", "--stop_stage", "2").returncode == 0
    assert "--ntasks-per-node=1" in calls()[1] and not any("gres" in word for word in calls()[1])


def test_cache_is_the_taggers(bench):
    assert bench("--tagger_cache", "250", "--stop_stage", "3").returncode == 0
    tagger, separator = bench.calls[1:]
    assert tagger[-2:] == ["--tagger_cache", "250"] and "--tagger_cache" not in separator
    assert bench("--tagger_cache", "few").returncode == 2
