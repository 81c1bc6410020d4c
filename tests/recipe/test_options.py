"""The command line of run.sh: what is understood, what is refused and how."""

from __future__ import annotations

import pytest

WRONG = {
    "--stage abc": "--stage is a whole number from 1 to",
    "--stage 99": "--stage is a whole number from 1 to",
    "--stage 0": "--stage is a whole number from 1 to",
    "--stage -1": "--stage is a whole number from 1 to",
    "--stage 1.5": "not '1.5'",
    "--stop_stage=x": "--stop_stage is a whole number",
    "--stage 4 --stop_stage 2": "nothing to do: --stage 4 is after --stop_stage 2",
    "--stge 2": "no option '--stge'",
    "--seperator x": "Did you mean 'separator'?",
    "--stage": "--stage needs a value",
    "--expdir --nj 3": "--expdir needs a value, but the next word is the option '--nj'",
    "--expdir=": "the value of --expdir is empty",
    "--nj 0": "--nj is a whole number from 1 up, not '0'",
    "--ngpu all": "--ngpu is a whole number from 0 up, not 'all'",
    "--seed -3": "--seed is a whole number from 0 up",
    "--test_scenes 0": "--test_scenes is a whole number from 1 up",
    "--dry_run=perhaps": "--dry_run is true or false, not 'perhaps'",
    "--corpus ../x": "--corpus becomes part of file names",
    "--tag a/b": "--tag becomes part of file names",
    "--system both": "--system is tag_separate, iterative or joint, not 'both'",
    "--rounds 2": "--rounds has no place here: it needs --system iterative",
    "--system iterative --rounds 0": "--rounds is a whole number from 1 up",
    "--joint_model tcn": "--joint_model has no place here: it needs --system joint",
    "--system joint --separator_conf a=1": "--separator_conf has no place here",
    "stage": "unexpected argument 'stage'",
    "-x": "unexpected argument '-x'",
    "--": "unexpected argument '--'",
}


@pytest.mark.parametrize("line, message", WRONG.items(), ids=WRONG.keys())
def test_wrong_usage_is_refused_with_one_line(bench, line, message):
    done = bench(*line.split())
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.startswith("run.sh: error: ")
    assert done.stderr.count("\n") == 1 and done.stdout == "" and bench.calls == []


def test_an_unset_variable_as_a_value_is_refused(bench):
    done = bench("--corpus", "mine", "--data_root", "")
    assert done.returncode == 2 and "the value of --data_root is empty" in done.stderr


WRONG_DATA = {
    "none": ("--corpus dcase26", "local/data.sh fetches the official one"),
    "none, of one's own": ("--corpus mine", "--corpus mine needs --data_root DIR"),
    "not there": ("--corpus mine --data_root nowhere", "there is no folder"),
    "empty": ("--corpus mine --data_root empty", "is empty"),
    "another layout": ("--corpus mine --data_root other", "has neither dev_set/ nor sound_event/"),
    "given for mini": ("--data_root other", "mini is made by the library"),
}


@pytest.mark.parametrize("line, message", WRONG_DATA.values(), ids=WRONG_DATA.keys())
def test_wrong_data_root(bench, line, message):
    (bench.place / "empty").mkdir()
    (bench.place / "other/pictures").mkdir(parents=True)
    done = bench(*line.split())
    assert done.returncode == 1 and message in done.stderr and bench.calls == []


def test_data_root_is_asked_for_by_stage_1_alone(bench):
    (bench.place / "data/test").mkdir(parents=True)
    (bench.place / "data/test/wav.scp").touch()
    assert bench("--corpus", "mine", "--stage", "2").returncode == 0


def test_data_root_may_be_dev_set_itself(bench):
    (bench.place / "root/dev_set/sound_event").mkdir(parents=True)
    for root in ("root", "root/dev_set"):
        done = bench("--corpus", "mine", "--data_root", root, "--stop_stage", "1")
        assert done.returncode == 0, done.stderr
        assert f" --data_root {bench.place}/{root} " in " ".join(bench.calls[-1])


@pytest.mark.parametrize("kind", ["data", "tagger", "separator"])
def test_missing_config(bench, kind):
    done = bench(f"--{kind}_config", "nowhere.yaml")
    assert done.returncode == 1 and bench.calls == []
    assert f"--{kind}_config: there is no file {bench.place}/nowhere.yaml. This recipe has" in done.stderr


def test_help_tells_every_option_and_needs_nothing(bench):
    bench.variables["PATH"] = "/usr/bin:/bin"
    done = bench("--help", "--stage", "1", here=False)
    assert done.returncode == 0 and done.stderr == ""
    for option in [
        "stage",
        "stop_stage",
        "corpus",
        "data_root",
        "data_config",
        "test_scenes",
        "datadir",
        "dumpdir",
        "expdir",
        "tag",
        "tagger_config",
        "tagger",
        "tagger_conf",
        "tagger_model",
        "separator_model",
        "separator_config",
        "separator",
        "separator_conf",
        "aligner",
        "plugin",
        "system",
        "rounds",
        "joint_model_config",
        "joint_model",
        "joint_model_conf",
        "submission",
        "eval_set",
        "ngpu",
        "nj",
        "seed",
        "dry_run",
        "help",
    ]:
        assert f"--{option} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_both_spellings_of_a_value_and_hyphens(bench):
    plain = bench("--dry_run", "--tag", "a.b", "--aligner", "pi", "--stop_stage", "3").stdout
    assert plain == bench("--dry-run", "--tag=a.b", "--aligner=pi", "--stop-stage=3").stdout
    assert "separator_pi_a.b" in plain


def test_a_value_may_hold_an_equals_sign_and_spaces(bench):
    bench("--stop_stage", "2", "--tagger_conf=name=a b", "--tagger_conf", "depth=3", "x=[1, 2]", "--tagger=my/t")
    train = bench.calls[1]
    assert train[-8:-6] == ["--tagger", "my/t"]
    assert train[-6:] == ["--tagger_conf", "name=a b", "--tagger_conf", "depth=3", "--tagger_conf", "x=[1, 2]"]


def test_nothing_is_evaluated(bench):
    value = "$(touch hacked);`touch hacked`"
    bench("--stop_stage", "3", "--separator", value, "--separator_conf", f"k={value}")
    assert bench.calls[2][-4:] == ["--separator", value, "--separator_conf", f"k={value}"]
    assert not list(bench.place.rglob("hacked"))


def test_leading_zeros_are_no_octal(bench):
    done = bench("--dry_run", "--seed", "010", "--nj", "08", "--stop_stage", "1")
    assert "--nj 8 --seed 10" in done.stdout
