"""Running stages: commands, folders, prerequisites, logs and failures, with a fake `s5lib`."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from .conftest import REPOSITORY, RUN, copy_recipe, write_script


def test_all_stages_call_their_commands_in_order(bench):
    done = bench()
    assert done.returncode == 0, done.stderr
    here, sizes = bench.place, ["--ngpu", "0", "--nj", "2"]
    assert bench.calls == [
        ["prepare", "--corpus", "mini", "--config", f"{here}/data.yaml", "--data_dir", f"{here}/data"]
        + ["--dump_dir", f"{here}/dump", "--nj", "2", "--seed", "0"],
        ["train", "tagger", "--config", f"{here}/tagger.yaml", "--data_dir", f"{here}/data"]
        + ["--expdir", f"{here}/exp/tagger", *sizes, "--seed", "0"],
        ["train", "separator", "--config", f"{here}/separator.yaml", "--data_dir", f"{here}/data"]
        + ["--expdir", f"{here}/exp/separator", *sizes, "--seed", "0"],
        ["infer", "--data_dir", f"{here}/data/test", "--tagger", f"{here}/exp/tagger/model.safetensors"]
        + ["--separator", f"{here}/exp/separator/model.safetensors", "--labels", "predicted", "oracle"]
        + ["--out", f"{here}/exp/infer/test", *sizes],
        ["score", "--data_dir", f"{here}/data/test", "--infer_dir", f"{here}/exp/infer/test"]
        + ["--out", f"{here}/exp/RESULTS.md"],
    ]


def test_each_command_is_printed_before_it_runs_and_its_output_is_on_screen_and_in_the_log(bench):
    done = bench("--stop_stage", "1")
    lines = done.stdout.splitlines()
    command = next(i for i, line in enumerate(lines) if line.startswith("s5lib prepare --corpus mini"))
    assert lines[command + 1] == "this is s5lib prepare"
    log = (bench.place / "exp/logs/stage1.log").read_text().splitlines()
    assert log[0].endswith(lines[command]) and log[1:] == ["this is s5lib prepare"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d \(run.sh\) stage 1: done in \d+ s", lines[-1])


def test_one_stage_alone_and_a_log_that_grows(bench):
    bench()
    assert bench("--stage", "3", "--stop_stage", "3").returncode == 0
    assert [call[:2] for call in bench.calls[5:]] == [["train", "separator"]]
    log = (bench.place / "exp/logs/stage3.log").read_text()
    assert log.count("this is s5lib train") == 2


MISSING = {
    2: ("the data directories", "data/test/wav.scp", 1),
    3: ("the data directories", "data/test/wav.scp", 1),
    4: ("a trained separator", "exp/separator/model.safetensors", 3),
    5: ("the system's outputs", "exp/infer/test", 4),
    6: ("the scores of the test set", "exp/RESULTS.jsonl", 5),
}


@pytest.mark.parametrize("stage", MISSING)
def test_a_stage_before_the_one_it_needs(bench, stage):
    what, path, maker = MISSING[stage]
    if stage > 3:
        bench("--stop_stage", "2" if stage == 4 else "3")
    before = len(bench.calls)
    done = bench("--stage", str(stage), "--stop_stage", str(stage))
    assert done.returncode == 1 and len(bench.calls) == before
    assert f"stage {stage} needs {what}, and there is no {bench.place}/{path}." in done.stderr
    assert f"Stage {maker} makes it: give the same options with '--stage {maker}'." in done.stderr


def test_options_reach_the_commands_that_read_them(bench):
    (bench.place / "root/dev_set").mkdir(parents=True)
    line = (
        "--corpus real --data_root root --test_scenes 20 --tag t1 --tagger m2d --tagger_conf depth=2 "
        "--separator acme/net --separator_conf a=1 b=2 --aligner pi --plugin plugin.py --plugin package.module --seed 3"
    )
    assert bench(*line.split()).returncode == 0
    prepare, tagger, separator, infer, score = (" ".join(call) for call in bench.calls)
    plugins = f"--plugin {bench.place}/plugin.py --plugin package.module"
    assert f"--data_root {bench.place}/root --test_scenes 20" in prepare and "--seed 3" in prepare
    assert tagger.endswith(f"/exp/tagger_m2d_t1 --ngpu 0 --nj 2 --seed 3 --tagger m2d --tagger_conf depth=2 {plugins}")
    assert separator.endswith(
        "/exp/separator_acme_net_pi_t1 --ngpu 0 --nj 2 --seed 3 --separator acme/net --separator_conf a=1 --separator_conf b=2 "
        f"--aligner pi {plugins}"
    )
    assert (
        "/exp/tagger_m2d_t1/model" in infer
        and "/exp/separator_acme_net_pi_t1/model" in infer
        and infer.endswith(plugins)
    )
    assert "/exp/infer_m2d_acme_net_pi_t1/test" in score and score.endswith("/exp/RESULTS_m2d_acme_net_pi_t1.md")


def test_the_package_of_the_test_set_or_of_the_evaluation_set(bench):
    assert bench().returncode == 0
    before = len(bench.calls)
    done = bench("--stage", "6", "--submission", "Suzuki_NTT_task4_2")
    assert done.returncode == 0, done.stderr
    here = bench.place
    (package,) = bench.calls[before:]
    assert package == [
        *("package", "--name", "Suzuki_NTT_task4_2", "--data_dir", f"{here}/data/test"),
        *(
            "--infer_dir",
            f"{here}/exp/infer/test",
            "--scores",
            f"{here}/exp/RESULTS.jsonl",
            "--out",
            f"{here}/exp/submission",
        ),
    ]
    (here / "eval").mkdir()
    assert bench("--stage", "6", "--eval_set", "eval").returncode == 0
    infer, package = bench.calls[before + 1 :]
    assert infer[:2] == ["infer", f"{here}/eval"] and infer[6:10] == [
        "--labels",
        "predicted",
        "--out",
        f"{here}/exp/infer/eval",
    ]
    assert package[3:7] == ["--data_dir", f"{here}/eval", "--infer_dir", f"{here}/exp/infer/eval"]


def test_trained_models_take_the_place_of_their_stages(bench):
    (bench.place / "other.safetensors").touch()
    done = bench("--tag", "b", "--tagger_model", "other.safetensors")
    assert [call[:2] for call in bench.calls[:2]] == [["prepare", "--corpus"], ["train", "separator"]]
    assert f"stage 2: skipped; the tagger is {bench.place}/other.safetensors" in done.stdout
    assert bench.calls[2][3:5] == ["--tagger", f"{bench.place}/other.safetensors"]
    assert bench.calls[2][5:7] == ["--separator", f"{bench.place}/exp/separator_b/model.safetensors"]
    done = bench("--stage", "3", "--separator_model", "nowhere.pt")
    assert done.returncode == 1 and f"--separator_model: there is no file {bench.place}/nowhere.pt." in done.stderr


def test_options_of_the_training_reach_it_and_oracle_labels_need_no_tagger(bench):
    done = bench("--stop_stage", "3", "--train_conf", "max_steps=5", "keep_models=2", "--train_conf=lr=1e-3")
    assert done.returncode == 0, done.stderr
    for call in bench.calls[1:]:
        assert call[-6:] == ["--max_steps", "5", "--keep_models", "2", "--lr", "1e-3"]
    (bench.place / "exp/tagger/model.safetensors").unlink()
    assert bench("--stage", "4", "--stop_stage", "4", "--labels", "oracle").returncode == 0
    assert "--tagger" not in bench.calls[-1] and bench.calls[-1][5:7] == ["--labels", "oracle"]
    done = bench("--labels", "oracles")
    assert done.returncode == 2 and "--labels is predicted, oracle or both, not 'oracles'." in done.stderr
    done = bench("--train_conf", "500")
    assert done.returncode == 2 and "--train_conf is KEY=VALUE, such as max_steps=500, not '500'." in done.stderr


def test_joint_system_trains_one_model_and_predicts_labels(bench):
    (bench.place / "joint.yaml").write_text("# nothing\n")
    line = "--system joint --joint_model_config joint.yaml --joint_model tcn --joint_model_conf width=8 --aligner ca"
    done = bench(*line.split())
    assert done.returncode == 0, done.stderr
    here, (prepare, train, infer, score) = bench.place, bench.calls
    assert prepare[0] == "prepare" and "stage 2: skipped; the joint model" in done.stdout
    assert train[:4] == ["train", "joint_model", "--config", f"{here}/joint.yaml"]
    assert train[6:8] == ["--expdir", f"{here}/exp/joint_model_tcn_ca"]
    assert train[-6:] == ["--joint_model", "tcn", "--joint_model_conf", "width=8", "--aligner", "ca"]
    assert infer[3:7] == ["--joint_model", f"{here}/exp/joint_model_tcn_ca/model.safetensors", "--labels", "predicted"]
    assert f"{here}/exp/infer_joint_tcn_ca/test" in infer and score[-1] == f"{here}/exp/RESULTS_joint_tcn_ca.md"


def test_iterative_system_takes_the_same_models(bench):
    bench("--stop_stage", "3")
    done = bench("--stage", "4", "--system", "iterative", "--rounds", "3")
    assert done.returncode == 0, done.stderr
    infer = bench.calls[3]
    assert infer[3:7:2] == ["--tagger", "--separator"] and f"{bench.place}/exp/tagger/model.safetensors" in infer
    assert infer[-4:] == ["--system", "iterative", "--rounds", "3"]
    assert bench.calls[4][-1] == f"{bench.place}/exp/RESULTS_iterative_3.md"


def test_a_joint_system_without_its_model(bench):
    bench("--stop_stage", "1")
    done = bench("--stage", "4", "--system", "joint")
    assert done.returncode == 1 and "stage 4 needs a trained joint model" in done.stderr


def test_a_missing_model_hints_at_the_option_for_another(bench):
    bench("--stop_stage", "1")
    done = bench("--stage", "4")
    assert "Stage 2 makes it" in done.stderr and "Or name another one: --tagger_model FILE." in done.stderr


def test_default_folders_keep_corpora_apart(bench):
    done = bench("--dry_run", "--corpus", "other", "--stage", "4", here=False)
    assert "--data_dir data/other/test" in done.stdout and "exp/other/tagger/model.safetensors" in done.stdout


@pytest.mark.parametrize(
    "lists, variables, ngpu",
    [
        ("echo 'GPU 0: one'; echo 'GPU 1: two'", {}, 1),
        ("echo 'GPU 0: one'", {"CUDA_VISIBLE_DEVICES": ""}, 0),
        ("echo 'No devices were found'; exit 6", {}, 0),
    ],
    ids=["two", "hidden", "none"],
)
def test_one_gpu_where_there_is_any(bench, lists, variables, ngpu):
    write_script(bench.commands / "nvidia-smi", f"#!/bin/bash\n{lists}\n")
    bench.variables |= variables
    assert f"--ngpu {ngpu} " in bench("--dry_run", "--stage", "4", here=False).stdout


def test_a_dry_run_prints_all_commands_and_touches_nothing(bench):
    before = sorted(REPOSITORY.joinpath("egs/dcase26_s5").iterdir())
    done = bench("--dry_run")
    assert done.returncode == 0 and done.stderr == "" and bench.calls == []
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("s5lib")] == [
        "prepare",
        "train",
        "train",
        "infer",
        "score",
    ]
    assert not (bench.place / "exp").exists() and not (bench.place / "data").exists()
    assert before == sorted(REPOSITORY.joinpath("egs/dcase26_s5").iterdir())


def test_from_any_folder_with_a_search_path_for_folders(bench, tmp_path):
    (tmp_path / "decoy/egs/dcase26_s5").mkdir(parents=True)
    bench.variables["CDPATH"] = str(tmp_path / "decoy")
    line = ["egs/dcase26_s5/run.sh", "--dry_run", "--stage", "4"]
    done = subprocess.run(line, cwd=REPOSITORY, env=bench.environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"# in {RUN.parent}, after")


def test_a_repository_with_spaces_in_its_path(bench, tmp_path):
    done = bench("--stop_stage", "1", script=copy_recipe(tmp_path / "my repository"))
    assert done.returncode == 0, done.stderr


def test_a_failing_command_is_shown_with_its_log(bench):
    bench.variables |= {"AT": "infer", "BEHAVIOUR": "seq 1 30; echo 's5lib infer: error: no such label' >&2; exit 3"}
    done = bench()
    assert done.returncode == 3 and [call[0] for call in bench.calls] == ["prepare", "train", "train", "infer"]
    first, command, log, title, *last = done.stderr.splitlines()
    assert first == "run.sh: error: stage 4 (inference) failed with status 3."
    assert command.startswith("  command: s5lib infer --data_dir ") and "a\\ place" in command
    assert log == f"  log: {bench.place}/exp/logs/stage4.log"
    assert [line.strip() for line in last] == [*map(str, range(20, 31)), "s5lib infer: error: no such label"]


def test_last_lines_are_those_of_this_run(bench):
    bench.variables |= {"AT": "prepare", "BEHAVIOUR": "echo once"}
    bench("--stop_stage", "1")
    bench.variables["BEHAVIOUR"] = "echo twice; exit 1"
    done = bench("--stop_stage", "1")
    assert "twice" in done.stderr and "once" not in done.stderr


def test_a_command_that_is_killed_fails_the_run(bench):
    bench.variables |= {"AT": "train", "BEHAVIOUR": "kill -9 $$"}
    done = bench()
    assert done.returncode == 137 and "stage 2 (tagger) failed with status 137" in done.stderr


def test_a_missing_command_fails_the_run(bench):
    (bench.commands / "s5lib").unlink()
    bench.variables["PATH"] = f"{bench.commands}:/usr/bin:/bin"
    done = bench()
    assert done.returncode == 127 and "s5lib: command not found" in done.stderr


def test_bad_experiment_folders(bench):
    (bench.place / "file").touch()
    for folder in ("file", "/proc/nowhere"):
        done = bench("--expdir", folder)
        assert done.returncode == 1 and bench.calls == []
        assert "cannot write into the experiment folder /" in done.stderr and "--expdir" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_experiment_folder(bench):
    folder = bench.place / "exp"
    folder.mkdir(mode=0o555)
    done = bench()
    assert done.returncode == 1 and f"cannot write into the experiment folder {folder}." in done.stderr


def test_two_runs_side_by_side(bench):
    bench.variables |= {"AT": "train", "BEHAVIOUR": "sleep 0.3"}
    line = [RUN, *bench.arguments, "--stage", "1"]
    runs = [
        subprocess.Popen([*line, "--expdir", name], cwd=bench.place, env=bench.environment, stdout=subprocess.PIPE)
        for name in ("exp 1", "exp 2")
    ]
    assert [run.wait(timeout=60) for run in runs if run.communicate()] == [0, 0]
    for name in ("exp 1", "exp 2"):
        assert (bench.place / name / "RESULTS.md").exists()
        assert (bench.place / name / "logs/stage2.log").read_text().count("this is s5lib train") == 1


def test_a_cluster_command_goes_before(bench, tmp_path):
    recipe = tmp_path / "egs/mine"
    recipe.mkdir(parents=True)
    for name in ("run.sh", "path.sh", "db.sh"):
        (recipe / name).write_bytes((RUN.parent / name).read_bytes())
    (recipe / "run.sh").chmod(0o755)
    (recipe / "cmd.sh").write_text("cpu_cmd=()\ncuda_cmd=(srun '--comment=a b')\n")
    for name in ("TEMPLATE", "../tools"):
        (recipe.parent / name).symlink_to(REPOSITORY / "egs" / name)
    done = bench("--dry_run", "--stage", "4", "--stop_stage", "4", script=recipe / "run.sh")
    assert "srun --comment=a\\ b s5lib infer" in done.stdout
