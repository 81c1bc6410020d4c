"""The stages of run.sh: that their commands fit together, what is printed and logged, prerequisites and failures."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from s5lib.bin.main import build_parser

from .conftest import REPOSITORY, RUN, assert_fit_together, copy_recipe, value, write_script

COMPONENTS = (
    "--corpus mine --data_root root --test_scenes 20 --tag t --tagger m2d --tagger_conf a=1 b=2 --separator x/net "
    "--separator_conf c=3 --separator_conf=d=4 --aligner pi --plugin p.py --plugin x.y --tagger_cache 9 --seed 3"
)
JOINT = "--system joint --joint_model tcn --joint_model_conf width=8 --aligner ca"


@pytest.mark.parametrize(
    "line, suffix",
    [
        ("", ""),
        (COMPONENTS, "_m2d_x_net_pi_t"),
        (JOINT, "_joint_tcn_ca"),
        ("--system iterative --rounds 3 --spatial_filter", "_iterative_3"),
        ("--system joint --spatial_filter", "_joint_spatial_filter"),
        ("--labels oracle --eval_set eval --train_conf max_steps=5 lr=1e-3", ""),
    ],
)
def test_commands_fit_together(bench, line, suffix):
    commands = bench.printed(f"--stop_stage 6 {line}")
    assert_fit_together(commands, set())
    names = ["prepare", "train", "train", "infer", "score", "package"]
    if "joint" in line:
        names.remove("train")
    if "eval_set" in line:
        names.insert(-1, "infer")
    assert [command[0] for command in commands] == names
    (score,) = (command for command in commands if command[0] == "score")
    assert value(score, "--out") == f"{bench.place}/exp/RESULTS{suffix}.md"


def test_options_reach_the_commands_that_read_them(bench):
    prepare, tagger, separator, infer = (
        build_parser(command[0]).parse_args(command[1:]) for command in bench.printed(f"{COMPONENTS} --stop_stage 4")
    )
    plugins = [f"{bench.place}/p.py", "x.y"]
    assert (prepare.corpus, prepare.data_root, prepare.test_scenes) == ("mine", f"{bench.place}/root", 20)
    assert (tagger.tagger, tagger.tagger_conf, tagger.tagger_cache) == ("m2d", ["a=1", "b=2"], 9)
    assert (separator.separator, separator.separator_conf, separator.aligner) == ("x/net", ["c=3", "d=4"], "pi")
    assert separator.tagger_cache is None
    assert tagger.plugin == separator.plugin == infer.plugin == plugins
    assert prepare.seed == tagger.seed == separator.seed == 3
    tagger, separator = bench.printed("--stage 2 --stop_stage 3 --train_conf max_steps=5 --train_conf=lr=1e-3")
    assert tagger[-4:] == separator[-4:] == ["--max_steps", "5", "--lr", "1e-3"]
    tagger, separator = bench.printed("--stage 2 --stop_stage 3 --scenes_conf rotate=true speed=[0.8,1.25]")
    assert tagger[-4:] == separator[-4:] == ["--scenes_conf", "rotate=true", "--scenes_conf", "speed=[0.8,1.25]"]


def test_clips_become_the_corpus(bench):
    line = "--corpus kitchen --clips clips --rooms rooms --num_rooms 5 --noise street --interference Rain,Fan --nj 3 "
    line += "--duration 20 --test_scenes 9 --valid_scenes 8 --zero_target 0 --stop_stage 1"
    new, prepare = (build_parser(words[0]).parse_args(words[1:]) for words in bench.printed(line))
    place = str(bench.place)
    assert list(map(str, (new.clips, new.rooms, new.noise))) == [
        f"{place}/{name}" for name in ("clips", "rooms", "street")
    ]
    assert (new.interference, new.num_rooms, new.nj, new.noise_seconds) == ("Rain,Fan", 5, 3, 20.0)
    assert str(new.out) == prepare.data_root == f"{place}/dump/corpus"
    assert (prepare.duration, prepare.test_scenes, prepare.valid_scenes, prepare.zero_target) == (20.0, 9, 8, 0)
    (bench.place / "radio").mkdir()
    new, _ = bench.printed("--corpus kitchen --clips clips --interference radio --stop_stage 1")
    assert value(new, "--interference") == f"{place}/radio" and "--noise_seconds" not in new
    new, _ = bench.printed("--corpus kitchen --clips . --interference radio --stop_stage 1")
    assert value(new, "--interference") == "radio"
    new, _ = bench.printed("--corpus kitchen --clips clips --stop_stage 1")
    assert "--interference" not in new
    for wrong in ("--clips clips", "--corpus dcase26 --clips clips", "--corpus k --noise street --data_root d"):
        done = bench("--dry_run", *wrong.split())
        assert done.returncode != 0 and "--clips" in done.stderr


def test_models_take_the_place_of_their_stages(bench):
    (bench.place / "other.safetensors").touch()
    _, train, infer = bench.printed("--tag b --tagger_model other.safetensors --stop_stage 4")
    assert value(infer, "--tagger") == f"{bench.place}/other.safetensors"
    assert value(infer, "--separator") == f"{value(train, '--expdir')}/model.safetensors"
    (infer,) = bench.printed("--stage 4 --stop_stage 4 --labels oracle")
    assert "--tagger" not in infer
    done = bench("--stage", "3", "--separator_model", "nowhere.pt")
    assert done.returncode == 1 and "nowhere.pt" in done.stderr


@pytest.mark.parametrize("given, folder", [("--tagger m2d", "tagger_m2d"), ("", "tagger")])
def test_without_a_tagger_of_the_tag_the_one_of_the_same_name_is_used(bench, given, folder):
    for name in ("tagger", "tagger_m2d", "separator_wide"):
        (bench.place / "exp" / name).mkdir(parents=True)
        (bench.place / "exp" / name / "model.safetensors").touch()
    (infer,) = (words for words in bench.printed(f"--tag wide --stage 4 {given}") if words[0] == "infer")
    assert value(infer, "--tagger") == f"{bench.place}/exp/{folder}/model.safetensors"


def test_a_run_of_all_stages_prints_and_logs_each_command(bench):
    done = bench()
    assert done.returncode == 0, done.stderr
    assert [call[0] for call in bench.calls] == ["prepare", "train", "train", "infer", "score"]
    lines = done.stdout.splitlines()
    command = next(i for i, line in enumerate(lines) if line.startswith("s5lib prepare --corpus mini"))
    assert lines[command + 1] == "this is s5lib prepare"
    log = (bench.place / "exp/logs/stage1.log").read_text().splitlines()
    assert log[0].endswith(lines[command]) and log[1:] == ["this is s5lib prepare"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d \(run.sh\) stage 5: done in \d+ s", lines[-1])
    assert bench("--stage", "3", "--stop_stage", "3").returncode == 0
    assert (bench.place / "exp/logs/stage3.log").read_text().count("this is s5lib train") == 2


@pytest.mark.parametrize(
    "stage, path, maker",
    [
        (2, "data/test/wav.scp", 1),
        (4, "exp/tagger/model.safetensors", 2),
        (5, "exp/infer/test", 4),
        (6, "exp/RESULTS.jsonl", 5),
    ],
)
def test_a_stage_before_the_one_it_needs(bench, stage, path, maker):
    if stage > 2:
        (bench.place / "data/test").mkdir(parents=True)
        (bench.place / "data/test/wav.scp").touch()
    done = bench("--stage", str(stage))
    assert done.returncode == 1 and bench.calls == []
    assert f"{bench.place}/{path}" in done.stderr and f"'--stage {maker}'" in done.stderr


def test_a_failing_command_is_shown_with_the_last_lines_of_this_run(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": "echo once"}
    bench("--stop_stage", "1")
    bench.variables["BEHAVIOUR"] = "seq 1 30; echo 's5lib prepare: error: no such label' >&2; exit 3"
    done = bench()
    assert done.returncode == 3 and len(bench.calls) == 2
    assert "stage 1 (data) failed with status 3" in done.stderr and "a\\ place" in done.stderr
    assert f"{bench.place}/exp/logs/stage1.log" in done.stderr and "once" not in done.stderr
    assert [line.strip() for line in done.stderr.splitlines()[-2:]] == ["30", "s5lib prepare: error: no such label"]
    bench.variables["BEHAVIOUR"] = "kill -9 $$"
    assert bench().returncode == 137


def test_bad_experiment_folders(bench):
    (bench.place / "file").touch()
    for folder in ("file", "/proc/nowhere"):
        done = bench("--expdir", folder)
        assert done.returncode == 1 and bench.calls == [] and "--expdir" in done.stderr and folder in done.stderr


def test_a_dry_run_touches_nothing(bench):
    before = sorted(RUN.parent.iterdir())
    bench.printed("")
    assert bench.calls == [] and before == sorted(RUN.parent.iterdir())
    assert not (bench.place / "exp").exists() and not (bench.place / "data").exists()


def test_from_any_folder_with_defaults_of_the_corpus(bench, tmp_path):
    (tmp_path / "decoy/egs/dcase26_s5").mkdir(parents=True)
    bench.variables["CDPATH"] = str(tmp_path / "decoy")
    line = ["egs/dcase26_s5/run.sh", "--dry_run", "--corpus", "other", "--stage", "4"]
    done = subprocess.run(line, cwd=REPOSITORY, env=bench.environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"# in {RUN.parent}, after")
    assert "--data_dir data/other/test" in done.stdout and "exp/other/tagger/model.safetensors" in done.stdout


def test_one_gpu_where_there_is_any(bench):
    for lists, hidden, ngpu in (
        ("echo GPU 0: one", False, "1"),
        ("echo GPU 0: one", True, "0"),
        ("exit 6", False, "0"),
    ):
        write_script(bench.commands / "nvidia-smi", f"#!/bin/bash\n{lists}\n")
        bench.variables = {"CUDA_VISIBLE_DEVICES": ""} if hidden else {}
        infer, _ = bench.printed("--stage 4", here=False)
        assert value(infer, "--ngpu") == ngpu


def test_slurm_starts_each_command_as_a_step(bench, tmp_path):
    script = copy_recipe(tmp_path / "a repository")
    script.parent.unlink()
    ignored = shutil.ignore_patterns("exp", "data", "dump")
    shutil.copytree(RUN.parent, script.parent, ignore=ignored)
    text = (script.parent / "cmd.sh").read_text().replace("cmd_backend=local", "cmd_backend=slurm")
    (script.parent / "cmd.sh").write_text(text.replace("slurm_options=()", "slurm_options=(--account='my project')"))
    write_script(bench.commands / "srun", '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done; exec "$@"\n')
    done = bench("--ngpu", "4", "--num_nodes", "2", "--nj", "6", script=script)
    assert done.returncode == 0, done.stderr
    data, tagger, separator, inference, scores = (
        re.sub(r" s5lib .*", "", line) for line in done.stdout.splitlines() if line.startswith("srun")
    )
    alone = "srun --account=my\\ project --nodes=1 --ntasks=1 --cpus-per-task=6"
    assert data == scores == alone and inference == f"{alone} --gres=gpu:4"
    training = "--nodes=2 --ntasks-per-node=4 --gres=gpu:4 --cpus-per-task=8 --kill-on-bad-exit=1 --signal=TERM@120"
    assert tagger == separator == f"srun --account=my\\ project {training}"
    assert value(bench.calls[1], "--ngpu") == "4" and value(bench.calls[1], "--num_nodes") == "2"
