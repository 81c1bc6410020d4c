"""The command line of every command: wrong values and unknown options are answered in one line, before any work."""

from __future__ import annotations

import argparse
import contextlib
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s5lib.bin import main as module
from s5lib.bin.main import COMMANDS, build_parser, main
from s5lib.bin.shared_options import device
from s5lib.config.command_line import component_options, joined_assignments, parse_assignments
from s5lib.errors import ConfigError, DataError

NUMBERS = ["", " ", "nan", "inf", "1e999", "-1", "0", "0.5", "x", "9" * 5000, "0x10", "--"]
CHECKED_LATER = {"lr", "clip", "weight_decay", "label_weight"}  # by TrainSettings


def options_of(command: str):
    """Yield each option of a command and of its sub-commands, with the parser that it belongs to."""
    parser = build_parser(command)
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for owner in inner[0].choices.values() if inner else [parser]:
        for action in owner._actions:
            action.required = False
        yield from ((owner, action) for action in owner._actions if action.option_strings and action.nargs != 0)


def answer(parser, action, text: str, capsys):
    """What the parser makes of ``text`` for one option, and the message with which it exits, if it does."""
    try:
        parsed = parser.parse_args([f"{action.option_strings[0]}={text}"])
    except SystemExit:
        return None, capsys.readouterr().err
    return getattr(parsed, action.dest), ""


@pytest.mark.parametrize("command", COMMANDS)
def test_values_are_usable_or_rejected_in_one_line(command, capsys):
    for parser, action in options_of(command):
        for text in NUMBERS if action.type not in (None, str) else ["", " "]:
            value, message = answer(parser, action, text, capsys)
            if isinstance(value, (int, float)):
                assert math.isfinite(value) or action.dest in CHECKED_LATER
            elif message or not text.strip():
                assert action.option_strings[0] in message and message.count("\n") == 1 and len(message) < 400


@pytest.mark.parametrize(
    "line, words",
    [
        ("infer x.wav --out o --separator s --nj -3", "--nj '-3'"),
        ("infer x.wav --out o --separator s --window 0", "--window '0'"),
        ("infer x.wav --out o --separator s --labels Speech,,Cough", "--labels empty"),
        ("infer x.wav --out o --separater s", "--separater --separator"),
        ("infer x.wav --out o --format wav", "'wav' float pcm24 flac"),
        ("infer x.wav --out o --system iteratif", "'iteratif' 'iterative'"),
        ("infer x.wav --out o --system iterative --rounds 0", "--rounds '0'"),
        ("prepare --data_dir d --dump_dir d --test-scene 3", "--test-scene --test_scenes"),
        ("synth --data_root d --out o --num_scenes 0", "--num_scenes '0'"),
        ("synth --data_root d --out o --num_scenes 1 --preset papers", "'papers' 'paper'"),
        ("train seperator --data_dir d --expdir e", "'seperator' 'separator'"),
        ("train separator --data_dr d --expdir e", "--data_dr --data_dir"),
        ("train separator --data_dir d --expdir e --schedule cosin", "'cosin' 'cosine'"),
        ("train separator --data_dir d --expdir e --max_steps 1.5", "--max_steps '1.5' integer"),
        ("calibrate --data_dir d --tagger t --separator s --folds 1", "--folds '1'"),
        ("score --out o --penalty_fn inf", "--penalty_fn 'inf'"),
        ("describe m2d --seconds 0", "--seconds '0'"),
        ("train separator --data_dir d --expdir e --num_processes 0", "--num_processes '0'"),
        ("report e --audio ogg", "'ogg' mp3 flac none"),
        ("plugins -x", "'-x'"),
    ],
)
def test_wrong_usage(line, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    message = capsys.readouterr().err
    assert caught.value.code == 2 and message.count("\n") == 1
    assert all(word in message for word in words.split()), message


def test_options_of_a_configuration_file(tmp_path, capsys):
    file = tmp_path / "my conf.yaml"
    line = ["train", "separator", "--config", str(file), "--data_dir", "d", "--expdir", "e"]
    for content, words in {
        "seperator: x": ["--seperator", "'--separator'"],
        "lr: fast": ["--lr", "'fast'"],
        "- 1": [str(file), "list"],
        "a: [": [str(file), "YAML"],
        "seed: ''": ["--seed", "empty"],
        "config: other.yaml": [str(file), "'config' cannot be set"],
    }.items():
        file.write_text(content)
        with pytest.raises(SystemExit):
            main(line)
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and all(word in message for word in words), message
    file.unlink()
    with pytest.raises(SystemExit):
        main(line)
    assert str(file) in capsys.readouterr().err


def test_help(capsys):
    assert main(["help"]) == 0
    usage = capsys.readouterr().out
    assert all(f"  {name} " in usage for name in COMMANDS)
    for words in (["help", "train"], ["train", "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 0
    once, again = capsys.readouterr().out.split("usage: ")[1:]
    assert once == again and "{constant,cosine}" in once and "{active,slots}" in once
    assert main(["hlep"]) == 2 and "'help'" in capsys.readouterr().err


@given(st.text(max_size=40))
@example("target_snr=[0,")
@example("x=&a [*a, *a]")
@example("=1")
@settings(deadline=None, max_examples=200)
def test_assignments_are_values_or_an_error(text):
    key, equals, _ = text.partition("=")
    with contextlib.suppress(ConfigError):
        assert list(parse_assignments([text], "draw_conf")) == [key.strip()] and equals


@pytest.mark.parametrize(
    "words, wanted",
    [
        ([], {"duration": 1.0, "rotate": True}),
        (["duration=2.0", "filter_db=6"], {"duration": 2.0, "rotate": True, "filter_db": 6}),
    ],
)
def test_assignments_join_those_of_the_file(tmp_path, words, wanted):
    file = tmp_path / "tagger.yaml"
    file.write_text("scenes_conf: {duration: 1.0, rotate: true}\n")
    line = ["tagger", "--data_dir", "x", "--expdir", "x", *(f"--scenes_conf={word}" for word in words)]
    parser = build_parser("train")
    assert joined_assignments(parser.parse_args([*line, "--config", str(file)]), "scenes_conf") == wanted
    assert joined_assignments(parser.parse_args(line), "scenes_conf") == parse_assignments(words)
    file.write_text("scenes_conf: [duration=1.0, rotate=true]\n")
    assert joined_assignments(parser.parse_args([*line, "--config", str(file)]), "scenes_conf") == wanted


@pytest.mark.parametrize(
    "words, wanted",
    [
        ("", {"n_fft": 256, "base": 8}),
        ("--separator_conf base=16", {"n_fft": 256, "base": 16}),
        ("--separator demo", {}),
        ("--separator demo --separator_conf base=8", {"base": 8}),
    ],
)
def test_a_list_of_assignments_belongs_to_the_files_component(tmp_path, words, wanted):
    file = tmp_path / "separator.yaml"
    file.write_text("separator_conf: [n_fft=256, base=8]\n")
    line = ["separator", "--data_dir", "x", "--expdir", "x", "--config", str(file), *words.split()]
    assert component_conf(build_parser("train").parse_args(line)) == wanted


def component_conf(args):
    return component_options(args.separator_conf, args.separator, "separator", "resunetk", args.config)


@pytest.mark.parametrize("option", ["scenes_conf", "separator_conf"])
@pytest.mark.parametrize("value", ["duration=1", "3", "[{a: b=c}]", "[duration]"])
def test_what_is_no_assignment_in_a_file_is_refused(tmp_path, option, value):
    file = tmp_path / "separator.yaml"
    file.write_text(f"{option}: {value}\n")
    line = ["separator", "--data_dir", "x", "--expdir", "x", f"--{option}=duration=2.0", "--config", str(file)]
    args = build_parser("train").parse_args(line)
    with pytest.raises(ConfigError, match=f"{option}.* expected .*KEY=VALUE"):
        joined_assignments(args, option) if option == "scenes_conf" else component_conf(args)


@pytest.mark.parametrize("option", ["seed", "num_nodes", "max_steps"])
def test_numbers_that_are_whole_are_integers(tmp_path, option):
    file = tmp_path / "separator.yaml"
    for text in ("1e3", "1000.0", "1000"):
        file.write_text(f"{option}: {text}\n")
        line = ["separator", "--data_dir", "x", "--expdir", "x"]
        for more in (["--config", str(file)], [f"--{option}", text]):
            assert getattr(build_parser("train").parse_args([*line, *more]), option) == 1000


@pytest.mark.parametrize("line", ["batch_size: [2]", "aligner: [pi, ca]", "lr: {head: 1}", "precision: []"])
def test_a_list_for_a_single_value_is_refused(tmp_path, capsys, line):
    file = tmp_path / "train.yaml"
    file.write_text(line)
    with pytest.raises(SystemExit):
        main(["train", "separator", "--data_dir", "x", "--expdir", "x", "--config", str(file)])
    printed = capsys.readouterr().err
    assert f"--{line.partition(':')[0]}: " in printed and "expected a single value" in printed


def test_gpus_that_are_not_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert device(0) == "cpu" and device(1) == "cuda"
    with pytest.raises(ConfigError, match="--ngpu is 2"):
        device(2)


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(28, "No space left on device", "/disk/a.wav"), ["/disk/a.wav", "No space left", "Free some space"]),
        (PermissionError(13, "Permission denied", "/disk"), ["/disk", "Permission denied"]),
        (OSError("broken"), ["broken"]),
        (DataError("no such label"), ["no such label"]),
    ],
)
def test_troubles_of_the_disk_are_messages(error, words, monkeypatch, capsys):
    def fail(args):
        raise error

    command = argparse.ArgumentParser(prog="s5lib doctor")
    command.set_defaults(_run=fail)
    monkeypatch.setattr(module, "build_parser", lambda name: command)
    assert main(["doctor"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("s5lib doctor: error: ") and message.count("\n") == 1
    assert all(word in message for word in words)


def test_a_file_whose_name_begins_like_an_option(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-take.wav").touch()
    with pytest.raises(SystemExit):
        build_parser("infer").parse_args(["-take.wav"])
    assert "./-take.wav" in capsys.readouterr().err


def test_nul_in_a_configuration_file(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text('expdir: "a\\0b"\n')
    with pytest.raises(SystemExit):
        build_parser("train").parse_args(["tagger", "--data_dir", "d", "--config", str(tmp_path / "a.yaml")])
    assert "NUL" in capsys.readouterr().err
