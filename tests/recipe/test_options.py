"""The command line of run.sh: what is understood, what is refused and how."""

from __future__ import annotations

import re

import pytest

from .conftest import REPOSITORY

WRONG = {
    "--stage 99": "--stage '99'",
    "--stage 1.5": "--stage '1.5'",
    "--stage 4 --stop_stage 2": "--stage --stop_stage",
    "--seperator x": "'--seperator' 'separator'",
    "--stage": "--stage value",
    "--expdir --nj 3": "--expdir '--nj'",
    "--expdir=": "--expdir empty",
    "--nj 0": "--nj '0'",
    "--seed -3": "--seed '-3'",
    "--dry_run=perhaps": "--dry_run 'perhaps'",
    "--corpus ../x": "--corpus '../x'",
    "--system both": "--system 'both'",
    "--rounds 2": "--rounds iterative",
    "--system joint --separator_conf a=1": "--separator_conf joint",
    "--labels oracles": "--labels 'oracles'",
    "--train_conf 500": "--train_conf '500'",
    "--scenes_conf rotate": "--scenes_conf 'rotate'",
    "--train_conf max_steps=5 seed=5": "--train_conf 'seed'",
    "--train_conf expdir=other": "--train_conf 'expdir'",
    "--train_conf separator_conf=a=1": "--train_conf 'separator_conf'",
    "--nj 3 --train_conf num_workers=2": "--train_conf 'num_workers'",
    "--aligner pi --train_conf aligner=ca": "--train_conf 'aligner'",
    "--system joint --tagger_config x": "--tagger_config joint",
    "--system joint --separator_config x": "--separator_config joint",
    "--system joint --tagger_cache 9": "--tagger_cache joint",
    "--joint_model_config x": "--joint_model_config joint",
    "--tagger_model x --tagger m2d": "--tagger --tagger_model",
    "--tagger_model x --tagger_conf a=1": "--tagger_conf --tagger_model",
    "--tagger_model x --tagger_config y": "--tagger_config --tagger_model",
    "--tagger_model x --tagger_cache 9": "--tagger_cache --tagger_model",
    "--separator_model x --separator resunet": "--separator --separator_model",
    "--separator_model x --separator_conf a=1": "--separator_conf --separator_model",
    "--separator_model x --separator_config y": "--separator_config --separator_model",
    "--separator_model x --aligner pi": "--aligner --separator_model",
    "--tagger_model x --separator_model y --train_conf max_steps=5": "--train_conf trained",
    "--tagger_model x --separator_model y --scenes_conf rotate=no": "--scenes_conf trained",
    "stage": "'stage'",
}


def test_wrong_usage_is_refused_with_one_line(bench):
    for line, words in WRONG.items():
        done = bench(*line.split())
        assert done.returncode == 2 and done.stdout == "", line
        assert done.stderr.startswith("run.sh: error: ") and done.stderr.count("\n") == 1
        assert all(word in done.stderr for word in words.split()), done.stderr
    assert bench.calls == []


@pytest.mark.parametrize(
    "line, word",
    [
        ("--corpus dcase26", "local/data.sh"),
        ("--data_root other", "mini"),
        ("--tagger_config nowhere.yaml", "nowhere.yaml"),
        ("--data_config nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_missing_data_and_configurations_are_reported_before_anything_runs(bench, line, word):
    done = bench(*line.split())
    assert done.returncode == 1 and bench.calls == [] and word in done.stderr and line.split()[0] in done.stderr


def test_data_root_is_needed_by_stage_1_alone(bench):
    assert bench.printed("--corpus mine --stage 2")


def test_help_lists_every_option_and_needs_nothing(bench):
    bench.variables["PATH"] = "/usr/bin:/bin"
    done = bench("--help", "--stage", "1", here=False)
    assert done.returncode == 0 and done.stderr == ""
    source = (REPOSITORY / "egs/TEMPLATE/s5.sh").read_text()
    names = " ".join(re.findall(r"^(?:value|list|flag)_options=\(([^)]*)\)", source, re.MULTILINE)).split()
    assert len(names) > 30 and all(f"--{name} " in done.stdout for name in names)
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_spellings(bench):
    plain = bench.printed("--dry_run --tag a.b --aligner pi --stop_stage 3 --seed 8 --nj 8")
    assert plain == bench.printed("--dry-run --tag=a.b --aligner=pi --stop-stage=3 --seed 08 --nj=08")


def test_nothing_is_evaluated(bench):
    value = "$(touch hacked);`touch hacked`"
    bench("--stop_stage", "2", "--tagger", value, "--tagger_conf=name=a b", f"k={value}", "x=[1, 2]")
    conf = [word for pair in ("name=a b", f"k={value}", "x=[1, 2]") for word in ("--tagger_conf", pair)]
    assert bench.calls[1][-8:] == ["--tagger", value, *conf] and not list(bench.place.rglob("hacked"))
