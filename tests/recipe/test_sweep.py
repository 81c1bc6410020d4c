"""`s5lib sweep`: that its commands fit together, and how they are executed, with small programs in place of s5lib."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from s5lib.bin.main import build_parser, main
from s5lib.errors import ConfigError, S5Error
from s5lib.sweep import execute as module
from s5lib.sweep.execute import execute, training_seconds
from s5lib.sweep.experiments import plane
from s5lib.sweep.recipe import Recipe
from s5lib.sweep.runs import Common, SweepRun

from .conftest import RUN, assert_fit_together, value

RECIPE = RUN.parent
EXPERIMENTS = ("losses", "taggers", "plane", "systems")
# Writes its arguments and threads into a file "calls"; ends with status 1 where an argument is "fail".
PROGRAM = """
import os, pathlib, sys, time
with pathlib.Path("calls").open("a") as calls: print(os.environ["OMP_NUM_THREADS"], *sys.argv[1:], file=calls)
if "wait" in sys.argv: time.sleep(60)
print("this is", sys.argv[1]); sys.exit("no such luck" if "fail" in sys.argv else 0)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "PROGRAM", [sys.executable, "-c", PROGRAM])
    return lambda: Path("calls").read_text().splitlines()


def printed_commands(capsys, *words: str) -> list[list[str]]:
    assert main(["sweep", *words, "--recipe", str(RECIPE), "--ngpu", "0", "--dry_run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [shlex.split(line)[1:] for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_commands_fit_together(experiment, capsys):
    seeds = [] if experiment == "plane" else ["--seeds", "3", "4"]
    given = ["--train_conf", "max_steps=5", "lr=1e-3", "--scenes_conf", "rotate=no"]
    commands = printed_commands(capsys, experiment, *seeds, *given)
    recipe_models = {str(RECIPE / f"exp/mini/{kind}/model.safetensors") for kind in ("tagger", "separator")}
    assert_fit_together(commands, recipe_models)
    trained = [command for command in commands if command[0] == "train"]
    own = ["--max_steps", "5", "--lr", "1e-3", "--scenes_conf", "rotate=no"]
    assert all(command[-6:] == own for command in trained)
    if seeds:
        assert {value(command, "--seed") for command in trained} == {"3", "4"}


def test_losses_differ_in_the_aligner_alone(capsys):
    words = ["--aligners", "ca_pi", "mine", "--separator_conf", "slot_order=given", "channels=[4, 8]", "--seeds", "0"]
    first, second = [c for c in printed_commands(capsys, "losses", *words) if c[0] == "train"]
    differing = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    assert differing.pop() == ("ca_pi", "mine")
    ((a, b),) = differing
    assert Path(a).name == "separator_ca_pi" and Path(b).name == "separator_mine"
    assert first.count("--separator_conf") == 2 and "channels=[4, 8]" in first


def test_taggers_and_systems(capsys):
    commands = printed_commands(capsys, "taggers", "--channels", "1", "2", "--separator_model", "other.safetensors")
    assert [value(c, "--tagger_conf") for c in commands if c[0] == "train"] == ["input_channels=1", "input_channels=2"]
    assert {value(c, "--separator") for c in commands if c[0] == "infer"} == {"other.safetensors"}
    commands = printed_commands(capsys, "systems")
    configs = {c[1]: Path(value(c, "--config")) for c in commands if c[0] == "train"}
    assert yaml.safe_load(configs["separator"].read_text())["separator"] == "resunet"
    assert yaml.safe_load(configs["joint_model"].read_text())["joint_model"]
    assert [value(c, "--system") for c in commands if "--system" in c] == ["iterative"]
    assert sum("--spatial_filter" in c for c in commands) == 1


def test_systems_have_a_tagger_for_all_seeds_or_one_for_each(capsys):
    words = ["--seeds", "0", "1", "--tagger_model", "a", "b", "--separator_model", "c"]
    asked = [c for c in printed_commands(capsys, "systems", *words) if c[0] == "infer" and "--tagger" in c]
    for seed, tagger in enumerate("ab"):
        own = [c for c in asked if f"seed{seed}" in value(c, "--out")]
        assert len(own) == 4 and {value(c, "--tagger") for c in own} == {tagger}
    assert {value(c, "--separator") for c in asked if "single" not in value(c, "--out")} == {"c"}
    assert main(["sweep", "systems", "--recipe", str(RECIPE), "--dry_run", *words, "--seeds", "0", "1", "2"]) == 1
    assert "--tagger_model names 2 files; expected one, or one for each seed (3)." in capsys.readouterr().err


def keep(folder, step, *numbers):
    """Write what a step of a training leaves."""
    (folder / step / "steps").mkdir(parents=True)
    (folder / step / "model.safetensors").write_text(step)
    for number in numbers:
        (folder / f"{step}/steps/step_{number:07d}.safetensors").touch()


@pytest.mark.parametrize("kind", ["tagger", "separator"])
@pytest.mark.parametrize("state", ["finished", "finished meanwhile"])
@pytest.mark.parametrize("kept, points", [(3, 5), (5, 3), (0, 3), (3, 3)])
def test_plane_has_as_many_models_as_points(tmp_path, kind, state, kept, points):
    """An earlier sweep has trained for another number: said before any training, or as soon as it is seen."""
    common = Common("mini", tmp_path / "data", tmp_path / "exp", 0, 1, [])
    folder = tmp_path / f"exp/{kind}/{kind}"
    keep(folder, "train", *range(100, 100 * (kept + 1), 100))
    phases = plane(common, 0, Path("t.yaml"), Path("s.yaml"), points)
    if state == "finished meanwhile":
        next(phases)
    (folder / "model.safetensors").write_text("train")
    if kept == points:
        next(phases)
        return
    with pytest.raises(ConfigError, match=f"{kind} .*kept {kept} models.*--points asks for {points}.*--expdir"):
        next(phases)


def test_plane_combines_the_models_that_the_last_step_keeps(tmp_path):
    common = Common("mini", tmp_path / "data", tmp_path / "exp", 0, 1, [])
    phases = plane(common, 0, Path("t.yaml"), Path("s.yaml"), 2)
    trainings = next(phases)
    for run, step, other in zip(trainings, ("finetune", "train"), ("head", None), strict=True):
        folder = Path(value(run.commands[0], "--expdir"))
        if other:
            keep(folder, other, 200)
        keep(folder, step, 200, 1000)
        (folder / "model.safetensors").write_text(step)
    runs, (table,) = next(phases), next(phases)[0].commands
    kept = {value(command, "--tagger") for run in runs for command in run.commands if "--tagger" in command}
    assert {Path(name).parts[-3:] for name in kept} == {
        ("finetune", "steps", f"step_000{n}.safetensors") for n in ("0200", "1000")
    }
    assert len(runs) == 2 + 4 and table.count("--system") == 4
    first = table.index("--system")
    assert table[first + 1 : first + 3] == ["step 200", "step 200"]
    build_parser("plane").parse_args(table[1:])


def test_runs_side_by_side_with_their_threads_and_logs(program, tmp_path):
    runs = [SweepRun(f"run {n}", tmp_path / f"r{n}", [["train", str(n)], ["score", str(n)]]) for n in range(3)]
    execute(runs, jobs=2, threads=5)
    calls = program()
    assert sorted(calls) == sorted(f"5 {what} {n}" for n in range(3) for what in ("train", "score"))
    assert all(calls.index(f"5 train {n}") < calls.index(f"5 score {n}") for n in range(3))
    assert calls.index("5 train 2") > min(calls.index("5 score 0"), calls.index("5 score 1"))  # two at a time
    log = ["s5lib train 0", "this is train", "s5lib score 0", "this is score"]
    assert (tmp_path / "r0/run.log").read_text().splitlines() == log


def test_a_failed_run_leaves_the_others_alone(program, tmp_path, caplog):
    bad = SweepRun("bad", tmp_path / "bad", [["train", "fail"], ["score", "bad"]])
    good = SweepRun("good", tmp_path / "good", [["train", "ok"], ["score", "ok"]])
    with caplog.at_level("INFO", "s5lib"), pytest.raises(S5Error) as caught:
        execute([bad, good], jobs=1, threads=1)
    assert (
        "1 of 2" in str(caught.value) and str(bad.log) in str(caught.value) and str(good.log) not in str(caught.value)
    )
    assert program() == ["1 train fail", "1 train ok", "1 score ok"] and "no such luck" in caplog.text


def test_commands_have_their_launchers(program, tmp_path):
    launcher = [sys.executable, "-c", "import os, sys; os.execv(sys.argv[2], sys.argv[2:] + ['launched'])", "--"]
    execute([SweepRun("one", tmp_path, [["train"], ["score"]])], 1, 1, {"train": launcher})
    assert program() == ["1 train launched", "1 score"]


def test_duration_is_that_of_the_untrained(program, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PROGRAM", [sys.executable, "-c", "print('about 2 minutes: 120.5 s')"])
    runs = [SweepRun("", tmp_path, [["train", "tagger", "--expdir", f"{tmp_path}/{n}"], ["score"]]) for n in range(3)]
    (tmp_path / "1").mkdir()
    (tmp_path / "1/model.safetensors").touch()
    assert training_seconds(runs, 1) == 241.0
    monkeypatch.setattr(module, "PROGRAM", [sys.executable, "-c", "raise SystemExit('no data')"])
    with pytest.raises(S5Error, match="no data"):
        training_seconds(runs, 1)


def test_a_signal_stops_everything(tmp_path):
    code = f"""
import pathlib, sys
from s5lib.sweep import execute as module
from s5lib.sweep.runs import SweepRun
module.PROGRAM = [sys.executable, "-c", {PROGRAM!r}]
with module.signals_end():
    module.execute([SweepRun(n, pathlib.Path(n), [["wait", n], ["late", n]]) for n in "ab"], 2, 1)
"""
    sweep = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    calls, deadline = tmp_path / "calls", time.monotonic() + 60
    while not (calls.exists() and len(calls.read_text().splitlines()) == 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    since = time.monotonic()
    sweep.send_signal(signal.SIGTERM)
    assert sweep.wait(timeout=30) == 143
    assert time.monotonic() - since < 30 and "late" not in calls.read_text()


def test_settings_of_the_recipe(tmp_path):
    (tmp_path / "db.sh").write_text('declare -A corpora=([real]="/data/my corpus")\n')
    text = (RECIPE / "cmd.sh").read_text().replace("cmd_backend=local", "cmd_backend=slurm")
    (tmp_path / "cmd.sh").write_text(text.replace("slurm_options=()", "slurm_options=(--account='my project')"))
    assert Recipe(tmp_path, "real").data_root() == "/data/my corpus"
    assert Recipe(tmp_path, "mini").data_root() is None
    launchers = Recipe(tmp_path, "real").launchers(ngpu=2, nj=3)
    assert launchers["score"] == ["srun", "--account=my project", "--nodes=1", "--ntasks=1", "--cpus-per-task=3"]
    assert {"--gres=gpu:2", "--ntasks-per-node=2"} <= set(launchers["train"])
    assert not any(Recipe(RECIPE, "mini").launchers(0, 1).values())  # as delivered


@pytest.mark.parametrize(
    "line, words",
    [
        ("losses --sedes 1", "--sedes --seeds"),
        ("losses --seeds one", "--seeds 'one'"),
        ("losses --jobs 0", "--jobs '0'"),
        ("losses --train_conf 500", "--train_conf KEY=VALUE"),
        ("losses --seeds 0 1 0", "--seeds 0 twice"),
        ("losses --aligners pi pi", "--aligners pi twice"),
        ("taggers --channels 4 4", "--channels 4 twice"),
        ("losses --corpus ../x", "--corpus '../x'"),
        ("plane --points 2", "--points '2'"),
        ("plane --seeds 1 2", "'2'"),
        ("plane --aligners pi", "--aligners"),
        ("loses", "'loses' losses"),
    ],
)
def test_wrong_usage(line, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["sweep", *line.split()])
    message = capsys.readouterr().err
    assert caught.value.code == 2 and message.count("\n") == 1 and all(word in message for word in words.split())


@pytest.mark.parametrize(
    "line, words",
    [
        ("losses --train_conf max_steps=5 seed=7", "'seed' --seeds"),
        ("losses --train_conf aligner=pi", "'aligner' --aligners"),
        ("plane --train_conf keep_models=7", "'keep_models' --points"),
        ("taggers --train_conf expdir=x", "'expdir' max_steps"),
        ("systems --train_conf max_step=5", "'max_step' 'max_steps'"),
        ("losses --train_conf max_steps=few", "'max_steps' 'few' integer"),
        ("losses --train_conf max_steps=0", "--max_steps 1"),
        ("plane --scenes_conf rotated=no", "'rotated' 'rotate'"),
        ("systems --scenes_conf rotate=around", "'rotate' 'around' auto"),
    ],
)
def test_training_options_that_would_change_what_is_compared_or_cannot_be(line, words, capsys):
    assert main(["sweep", *line.split(), "--recipe", str(RECIPE), "--dry_run"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and all(word in message for word in words.split()), message


@pytest.mark.parametrize("line, word", [("taggers", "--separator_model"), ("losses --separator_config x", "x")])
def test_missing_files(line, word, capsys, tmp_path):
    shutil.copytree(RECIPE / "conf", tmp_path / "conf")
    assert main(["sweep", *line.split(), "--recipe", str(tmp_path)]) == 1
    assert word in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_scripts_of_the_recipe(bench):
    names = dict(losses="ablate_losses", taggers="tagger_table", plane="metric_plane", systems="compare_systems")
    for experiment, name in names.items():
        done = bench("--expdir", "exp", here=False, script=RECIPE / f"local/{name}.sh")
        assert done.returncode == 0, done.stderr
        assert bench.calls[-1] == ["sweep", experiment, "--recipe", str(RECIPE), "--expdir", "exp"]


@pytest.mark.slow
def test_losses_from_start_to_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    conf = RECIPE / "conf/ci"
    words = ["--data_config", str(conf / "data.yaml"), "--separator_config", str(conf / "separator.yaml")]
    words += ["--datadir", "data", "--dumpdir", "dump", "--expdir", "exp", "--aligners", "ca", "pi", "--seeds", "0"]
    line = ["sweep", "losses", "--recipe", str(RECIPE), *words, "--train_conf", "max_steps=2", "--ngpu", "0"]
    assert main(line) == 0
    model = tmp_path / "exp/pi/seed0/separator_pi/model.safetensors"
    made, table = model.stat().st_mtime_ns, (tmp_path / "exp/RESULTS.md").read_text()
    assert "| ca " in table and "| pi " in table and (tmp_path / "exp/RESULTS.png").exists()
    assert main(line) == 0 and model.stat().st_mtime_ns == made and (tmp_path / "exp/RESULTS.md").read_text() == table
