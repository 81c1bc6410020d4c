"""What run.sh calls is what the commands of `s5lib` understand."""

from __future__ import annotations

import shlex

import pytest

from s5lib.bin.main import COMMANDS, build_parser


@pytest.mark.parametrize("stage", range(1, 7))
def test_the_command_of_each_stage_parses(bench, stage):
    (bench.place / "root/dev_set").mkdir(parents=True)
    (bench.place / "plugin.py").touch()
    line = (
        "--dry_run --corpus mine --data_root root --test_scenes 20 --tag t --tagger m2d --tagger_conf a=1 b=2 "
        "--separator resunetk --separator_conf c=3 --separator_conf d=4 --aligner pi --plugin plugin.py --plugin x.y"
    )
    printed = bench(*line.split(), "--stage", str(stage), "--stop_stage", str(stage)).stdout.splitlines()
    (command,) = [shlex.split(line) for line in printed if not line.startswith("#")]
    name, *arguments = command[1:]
    assert name in COMMANDS
    args = build_parser(name).parse_args(arguments)
    if name == "train":
        kind = args.kind
        assert getattr(args, f"{kind}_conf") == {"tagger": ["a=1", "b=2"], "separator": ["c=3", "d=4"]}[kind]
        assert args.plugin == [f"{bench.place}/plugin.py", "x.y"]
