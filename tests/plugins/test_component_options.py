"""Options of a component from a configuration file and from the command line."""

from __future__ import annotations

import pytest

from s5lib.bin.main import build_parser
from s5lib.config.command_line import component_options

YAML = "separator: resunetk\nseparator_conf: {channels: [8, 16], n_fft: 256}\n"


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ([], {"channels": [8, 16], "n_fft": 256}),
        (["--separator_conf", "n_fft=512"], {"channels": [8, 16], "n_fft": 512}),
        (["--separator", "demo"], {}),
        (["--separator", "demo", "--separator_conf", "width=8"], {"width": 8}),
        # given expressly, although they are what the file has for another component
        (
            ["--separator", "demo", "--separator_conf", "channels=[8, 16]", "--separator_conf", "n_fft=256"],
            {"channels": [8, 16], "n_fft": 256},
        ),
    ],
)
def test_the_files_options_are_those_of_its_component(tmp_path, arguments, wanted):
    file = tmp_path / "separator.yaml"
    file.write_text(YAML)
    needed = ["separator", "--config", str(file), "--data_dir", "x", "--expdir", "x"]
    args = build_parser("train").parse_args(needed + arguments)
    assert component_options(args.separator_conf, args.separator, "separator", "resunetk", args.config) == wanted


def test_without_a_file():
    assert component_options(["width=8"], "demo", "separator", "resunetk", None) == {"width": 8}


def test_what_is_left_out_is_reported(tmp_path, caplog):
    file = tmp_path / "separator.yaml"
    file.write_text(YAML)
    with caplog.at_level("INFO"):
        component_options([], "demo", "separator", "resunetk", str(file))
    assert str(file) in caplog.text and "separator_conf" in caplog.text and "demo" in caplog.text
