"""The experiments of egs/dcase26_s5/local, with a fake `s5lib`: which runs, in which folders, what is done again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from .conftest import RUN, default_signals

LOCAL = RUN.parent / "local"
TOLD = 'if [[ $* == *--estimate* ]]; then echo "about 4 minutes (5 steps of train; measured on this machine): 240.0 s"; exit; fi; '
KEEP = TOLD + (
    'for n in 1 2 3; do mkdir -p "${given[expdir]}/last/steps"; : >"${given[expdir]}/last/steps/step_000000$n.safetensors"; '
    ': >"${given[expdir]}/last/model.safetensors"; done'
)


@pytest.fixture
def experiment(bench):
    """Call an experiment with everything in the bench's place."""
    bench.variables |= {"AT": "train", "BEHAVIOUR": TOLD}

    def call(name, *arguments):
        own = ["--datadir", "data", "--dumpdir", "dump", "--expdir", "exp", "--ngpu", "0", "--jobs", "2"]
        return bench(*own, *arguments, here=False, script=LOCAL / name)

    call.bench = bench
    return call


def trained(calls, what="train"):
    return [call for call in calls if call[0] == what and "--estimate" not in call]


def test_each_loss_is_trained_with_each_seed_and_its_time_is_told_before(experiment):
    done = experiment("ablate_losses.sh", "--seeds", "0", "7", "--train_conf", "max_steps=5")
    assert done.returncode == 0, done.stderr
    told = next(line for line in done.stdout.splitlines() if "training takes about" in line)
    assert "6 of 6 runs, 2 at a time" in told and told.endswith("training takes about 12 min in all")  # 6 x 4 min / 2
    assert done.stdout.index(told) < done.stdout.index("started, log in")
    place, calls = experiment.bench.place, experiment.bench.calls
    folders = {call[call.index("--expdir") + 1]: call for call in trained(calls)}
    assert set(folders) == {f"{place}/exp/{a}/seed{s}/separator_{a}" for a in ("ca_pi", "ca", "pi") for s in (0, 7)}
    for folder, call in folders.items():
        aligner, seed = folder.split("/")[-3:-1]
        words = " ".join(call)
        assert f"--aligner {aligner} --max_steps 5" in words and f"--seed {seed[4:]} " in words
    infers = trained(calls, "infer")
    assert len(infers) == 6 and all(
        call[call.index("--labels") + 1 : call.index("--labels") + 3] == ["oracle", "--out"] for call in infers
    )
    table = calls[-1]
    assert table[0] == "tabulate" and f"pi={place}/exp/pi/seed7/RESULTS_pi.jsonl" in table
    assert table[table.index("--figures") + 1] == "pi_sdri"


def test_the_separators_options_go_to_trainings_and_to_the_trial(experiment):
    done = experiment("ablate_losses.sh", "--seeds", "0", "--separator_conf", "slot_order=given", "channels=[4, 8]")
    assert done.returncode == 0, done.stderr
    calls = [call for call in experiment.bench.calls if call[0] == "train"]
    assert len(calls) == 4 and sum("--estimate" in call for call in calls) == 1
    for call in calls:
        given = [call[i + 1] for i, word in enumerate(call) if word == "--separator_conf"]
        assert given == ["slot_order=given", "channels=[4, 8]"]


def test_what_is_done_is_not_done_again(experiment):
    assert experiment("ablate_losses.sh", "--seeds", "0").returncode == 0
    before = len(experiment.bench.calls)
    done = experiment("ablate_losses.sh", "--seeds", "0", "--aligners", "ca_pi", "ca", "pi")
    assert done.returncode == 0 and done.stdout.count("done already") == 3
    assert [call[0] for call in experiment.bench.calls[before:]] == ["prepare", "tabulate"]
    done = experiment("ablate_losses.sh", "--seeds", "0", "--train_conf", "lr=1")
    assert "3 of 3 runs" in done.stdout  # with other options it is another run


def test_a_failed_run_stops_no_other_and_is_told(experiment):
    experiment.bench.variables["BEHAVIOUR"] = (
        TOLD + 'if [[ $* == *"--aligner ca "* || $* == *"--aligner ca" ]]; then echo "no such luck" >&2; exit 1; fi'
    )
    done = experiment("ablate_losses.sh", "--seeds", "0")
    assert done.returncode == 1
    assert "1 runs failed: ca, seed 0. Mend what the logs tell" in done.stderr
    assert "no such luck" in done.stdout
    assert not trained(experiment.bench.calls, "tabulate") and len(trained(experiment.bench.calls, "score")) == 2
    experiment.bench.variables["BEHAVIOUR"] = TOLD
    before = len(experiment.bench.calls)
    done = experiment("ablate_losses.sh", "--seeds", "0")
    assert done.returncode == 0, done.stderr
    assert len(trained(experiment.bench.calls[before:])) == 1


def test_interruption_stops_all_that_was_started(experiment):
    bench = experiment.bench
    bench.variables["BEHAVIOUR"] = TOLD + 'sleep 60; echo "not reached" >"${given[expdir]}.late"'
    own = ["--datadir", "data", "--dumpdir", "dump", "--expdir", "exp", "--ngpu", "0", "--jobs", "2", "--seeds", "0"]
    process = subprocess.Popen(
        [LOCAL / "ablate_losses.sh", *own],
        cwd=bench.place,
        env=bench.environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        preexec_fn=default_signals,
    )
    deadline = time.monotonic() + 60
    while len(trained(bench.calls)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 143 and "The same command goes on where it stopped." in errors
    left = subprocess.run(["pgrep", "-f", str(bench.place)], capture_output=True, text=True, check=False).stdout.split()
    assert [pid for pid in left if int(pid) != os.getpid()] == []


def test_taggers_differ_in_their_channels(experiment):
    (experiment.bench.place / "separator.safetensors").touch()
    done = experiment("tagger_table.sh", "--separator_model", "separator.safetensors")
    assert done.returncode == 0, done.stderr
    assert {call[call.index("--tagger_conf") + 1] for call in trained(experiment.bench.calls)} == {
        "input_channels=1",
        "input_channels=4",
    }
    table = experiment.bench.calls[-1]
    assert [word.partition("=")[0] for word in table[1:3]] == ["1 channel", "4 channels"]
    done = experiment("tagger_table.sh", "--separator_model", "other.safetensors")
    assert (
        done.returncode == 1 and "there is no trained separator" in done.stderr and "other.safetensors" in done.stderr
    )


def test_plane_combines_each_tagger_with_each_separator(experiment):
    experiment.bench.variables["BEHAVIOUR"] = KEEP
    done = experiment("metric_plane.sh", "--points", "3")
    assert done.returncode == 0, done.stderr
    calls = experiment.bench.calls
    assert all(call[call.index("--keep_models") + 1] == "3" for call in trained(calls))
    labels = [call[call.index("--labels") + 1] for call in trained(calls, "infer")]
    assert labels.count("predicted") == 9 and labels.count("oracle") == 3
    systems = [calls[-1][i + 1 : i + 5] for i, word in enumerate(calls[-1]) if word == "--system"]
    assert len(systems) == 9 and len({tuple(s[:2]) for s in systems}) == 9
    assert systems[0][:2] == ["step 1", "step 1"] and systems[-1][:2] == ["step 3", "step 3"]
    for tagger, separator, predicted, oracle in systems:
        assert f"step_000000{tagger[-1]}" in predicted and f"step_000000{separator[-1]}" in predicted
        assert f"step_000000{separator[-1]}" in oracle


def test_systems_share_tagger_and_separator(experiment):
    place = experiment.bench.place
    for name in ("tagger", "separator"):
        (place / f"{name}.safetensors").touch()
    done = experiment(
        "compare_systems.sh", "--tagger_model", "tagger.safetensors", "--separator_model", "separator.safetensors"
    )
    assert done.returncode == 0, done.stderr
    calls = experiment.bench.calls
    configs = {call[1]: Path(call[call.index("--config") + 1]) for call in trained(calls)}
    assert {kind: "/".join(path.parts[-2:]) for kind, path in configs.items()} == {
        "joint_model": "mini/joint_model.yaml",
        "separator": "mini/resunet.yaml",
    }
    assert yaml.safe_load(configs["separator"].read_text())["separator"] == "resunet"  # whose sizes are then used
    infers = [" ".join(call) for call in trained(calls, "infer")]
    assert len(infers) == 4 and sum("--system iterative" in call for call in infers) == 1
    assert sum(f"--tagger {place}/tagger.safetensors" in call for call in infers) == 3
    assert sum("separator_resunet/model.safetensors" in call for call in infers) == 1
    assert calls[-1][0] == "tabulate" and len([word for word in calls[-1] if word.endswith(".jsonl")]) == 4


@pytest.mark.parametrize("name", ["ablate_losses.sh", "tagger_table.sh", "metric_plane.sh", "compare_systems.sh"])
def test_help_and_wrong_options(experiment, name):
    done = experiment(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: local/{name}") and "--seeds N ..." in done.stdout
    done = experiment(name, "--seeds", "one")
    assert done.returncode == 2 and "--seed is a whole number from 0 up, not 'one'." in done.stderr
    done = experiment(name, "--sedes", "1")
    assert done.returncode == 2 and "no option '--sedes'" in done.stderr and "'seeds'" in done.stderr
    assert experiment.bench.calls == []
