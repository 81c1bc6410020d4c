"""Two processes that share each step are one process: the same mixtures, gradients, figures; and what they write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from distributed_run import run
from safetensors.torch import load_file

from s5lib.errors import ConfigError
from s5lib.training.processes import Processes, find_processes
from s5lib.training.resume import resume_step

HERE = Path(__file__).parent
MODEL = ["n_fft=128", "hop_length=64", "channels=[2,4]", "condition_size=4"]
NORMALISED = ["--plugin", str(HERE / "plain_separator.py"), "--separator", "normalised"]
STEPS, BATCH = 3, 4


def command(data, expdir, *more):
    """Arguments of a short training, with a learning rate so small that the weights stay the same: Adam's first steps
    would amplify rounding differences."""
    options = [word for option in MODEL for word in ("--separator_conf", option)] if "--separator" not in more else []
    return [
        "train",
        "separator",
        "--data_dir",
        str(data),
        "--expdir",
        str(expdir),
        *options,
        "--batch_size",
        str(BATCH),
        "--max_steps",
        str(STEPS),
        "--valid_interval",
        "2",
        "--num_workers",
        "0",
        "--lr",
        "1e-9",
        *more,
    ]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "RANK", "WORLD_SIZE")}
    return {**kept, "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(scope="module")
def one(tiny_data, tmp_path_factory):
    """What one process sees and writes."""
    folder = tmp_path_factory.mktemp("one")
    assert run(folder / "notes", command(tiny_data, folder, *NORMALISED)) == 0
    return folder


@pytest.fixture(scope="module")
def two(tiny_data, tmp_path_factory):
    """The same with two processes."""
    folder = tmp_path_factory.mktemp("two")
    arguments = command(tiny_data, folder, *NORMALISED, "--num_processes", "2", "--sync_batchnorm", "true")
    line = [sys.executable, str(HERE / "distributed_run.py"), str(folder / "notes"), *arguments]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "output").write_text(done.stdout)
    return folder


def notes(folder, rank=0):
    return torch.load(folder / f"notes/rank_{rank}.pt", weights_only=True)


def rows(folder):
    """The validations, without what depends on the time."""
    found = [json.loads(line) for line in (folder / "train/history.jsonl").read_text().splitlines()]
    timed = ("mixtures_per_second", "waiting_for_data")
    return [{name: value for name, value in row.items() if name not in timed} for row in found]


def test_each_mixture_is_seen_once(one, two):
    ids = notes(one)["ids"]
    shares = [notes(two, rank)["ids"] for rank in (0, 1)]
    assert {step: shares[0][step] + shares[1][step] for step in ids} == ids
    assert sorted(id for step in ids.values() for id in step) == [
        f"train-0-{index:09d}" for index in range(STEPS * BATCH)
    ]


def difference(found, expected):
    """Norm of the difference over the norm, of all gradients together."""
    wrong = sum((found[name] - gradient).square().sum() for name, gradient in expected.items())
    return (wrong / sum(gradient.square().sum() for gradient in expected.values())).sqrt().item()


def test_gradients_are_those_of_one_process(one, two):
    """At the first step, where the weights are equal; without synchronised normalisation the difference is 0.1."""
    (first, *_), (shared, *_), (other, *_) = (notes(*which)["gradients"] for which in ((one,), (two,), (two, 1)))
    assert shared.keys() == first.keys() and difference(other, shared) == 0
    assert difference(shared, first) <= 1e-4


def test_figures_are_those_of_one_process(one, two):
    """Three scenes in two batches, and two in one: the mean of the two processes' means would be another number."""
    for found, expected in zip(rows(two), rows(one), strict=True):
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_step_in_parts_is_the_same_step(tiny_data, tmp_path):
    """Gradient accumulation, with a model without batch normalisation: the statistics of a part are another thing."""
    more = ["--plugin", str(HERE / "plain_separator.py"), "--separator", "plain"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(whole / "notes", command(tiny_data, whole, *more)) == 0
    assert run(parts / "notes", command(tiny_data, parts, *more, "--accumulate", "2")) == 0
    assert notes(parts)["ids"] == notes(whole)["ids"]
    for found, expected in zip(notes(parts)["gradients"], notes(whole)["gradients"], strict=True):
        assert difference(found, expected) <= 1e-5
    for found, expected in zip(rows(parts), rows(whole), strict=True):
        assert found == pytest.approx(expected, abs=1e-4)


def test_one_process_writes(two):
    assert "2 processes on 1 machines, each with 2 of a step's mixtures" in (two / "output").read_text()
    assert (two / "output").read_text().count("is trained") == 1
    assert [row["step"] for row in rows(two)] == [2, 3]  # the last, whatever the interval
    assert (two / "model.safetensors").exists() and not list(two.rglob("*.part"))
    assert resume_step(two / "train/resume.ckpt") == 3  # kept, so that the run can be extended


def test_processes_that_do_not_fit_are_reported(tiny_data, tmp_path, capsys, monkeypatch):
    from s5lib.bin.main import main

    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    for more, message in (
        (
            ["--num_processes", "3"],
            "step train: --batch_size 4 cannot be shared equally by 3 processes in --accumulate 1 parts",
        ),
        (["--accumulate", "3"], "choose a multiple of 3"),
        (["--num_processes", "2", "--ngpu", "1"], "--num_processes 2 with --ngpu 1: there is one process per GPU"),
        (["--num_nodes", "2"], "--num_nodes 2: the machines cannot find each other"),
    ):
        assert main(command(tiny_data, tmp_path / "exp", *more)) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "exp").exists()


SLURM = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "4", "SLURM_PROCID": "6"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}


def test_who_has_started_the_processes():
    assert find_processes(ngpu=4, environ=SLURM) == Processes(4, 2, 6, "slurm")
    assert find_processes(ngpu=4, environ={**SLURM, "SLURM_JOB_NAME": "interactive"}) == Processes(4, 1, 0, "s5lib")
    assert find_processes(ngpu=2, environ={"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}) == Processes(
        2, 1, 0, "s5lib"
    )
    assert find_processes(environ={**SLURM, **TORCHRUN}) == Processes(4, 2, 3, "torchrun")
    by_hand = {"MASTER_ADDR": "first", "NODE_RANK": "1", "LOCAL_RANK": "1"}
    assert find_processes(ngpu=2, num_nodes=2, environ=by_hand) == Processes(2, 2, 3, "s5lib")
    assert find_processes(environ={"LOCAL_RANK": "1"}).is_main  # left over from something else


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        ({"ngpu": 2}, SLURM, "srun started 4 processes per machine, but 2 were requested; pass --ngpu 4"),
        ({"ngpu": 4, "num_nodes": 3}, SLURM, "srun works on 2 machines, but --num_nodes is 3"),
        ({"num_processes": 2}, TORCHRUN, "torchrun started 4 processes per machine, but 2 were requested"),
        ({"ngpu": 8}, {"SLURM_STEP_NUM_TASKS": "8"}, "without --ntasks-per-node"),
    ],
)
def test_other_processes_than_asked_for_are_reported(options, environ, message):
    with pytest.raises(ConfigError, match=message):
        find_processes(environ=environ, **options)


def wait_for(path, process):
    for _ in range(6000):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("starter", ["s5lib", "torchrun"])
def test_a_signal_stops_all_processes_after_the_same_step(tiny_data, tmp_path, starter):
    """SIGTERM to the main process only; then the same command again, and an uninterrupted one: the same weights."""
    more = ["--max_steps", "40", "--valid_interval", "20", "--save_interval", "1"]
    if starter == "s5lib":
        start = [sys.executable, "-m", "s5lib.bin.main"]
        more += ["--num_processes", "2"]
    else:
        start = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node",
            "2",
            "-m",
            "s5lib.bin.main",
        ]
    folder = tmp_path / "cut"
    line = [*start, *command(tiny_data, folder, *more)]
    with subprocess.Popen(
        line, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_for(folder / "train/resume.ckpt", process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == (143 if starter == "s5lib" else 1), output  # torchrun has a status of its own
    assert output.count("the same command resumes there") == 1, output
    assert not (folder / "model.safetensors").exists()
    assert "resumed from" in subprocess.run(line, env=environment(), check=True, capture_output=True, text=True).stdout
    whole = [*start, *command(tiny_data, tmp_path / "whole", *more)]
    subprocess.run(whole, env=environment(), check=True, capture_output=True)
    found, expected = (load_file(tmp_path / name / "model.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(found[name], value) for name, value in expected.items())
