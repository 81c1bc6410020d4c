"""No command writes over what it reads, or over somebody else's file."""

from __future__ import annotations

import pytest
import soundfile

from s5lib.bin.main import main

from .conftest import infer_command


@pytest.fixture(scope="module")
def results(prepared, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    assert main(infer_command(prepared, trained, folder / "infer")) == 0
    score = ["score", "--data_dir", str(prepared / "data/test"), "--infer_dir", str(folder / "infer")]
    assert main([*score, "--out", str(folder / "R.md")]) == 0
    return folder


def commands(prepared, trained, results, out):
    score = ["score", "--data_dir", str(prepared / "data/test"), "--infer_dir", str(results / "infer")]
    table, tagger = str(results / "R.jsonl"), str(trained / "tagger/model.safetensors")
    separator = str(trained / "separator/model.safetensors")
    return {
        "tabulate": ["tabulate", f"a={table}", f"b={table}", "--out", out],
        "plane": ["plane", "--system", "t", "s", table, table, "--out", out],
        "report": ["report", table, "--out", out],
        "score": [*score, "--compare", table, "--out", out],
        "calibrate": [
            *("calibrate", "--data_dir", str(prepared / "data/valid"), "--tagger", tagger, "--separator", separator),
            *("--out", out, "--folds", "3"),
        ],
    }


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("tabulate", "R.jsonl"),
        ("plane", "R.jsonl"),
        ("report", "R.jsonl"),
        ("score", "R.md"),
        ("score", "link.md"),
        ("calibrate", "tagger"),
        ("calibrate", "separator"),
    ],
)
def test_an_input_is_not_replaced(prepared, trained, results, tmp_path, capsys, command, out):
    place = trained / out / "model.safetensors" if out in ("tagger", "separator") else results / out
    if out == "link.md":
        place = tmp_path / out
        (tmp_path / "link.jsonl").symlink_to(results / "R.jsonl")
    read = place.with_suffix(".jsonl") if place.suffix == ".md" else place
    before = read.read_bytes()
    assert main(commands(prepared, trained, results, str(place))[command]) == 1
    assert "would overwrite" in capsys.readouterr().err
    assert read.read_bytes() == before


@pytest.mark.parametrize("command", ["tabulate", "plane", "report", "score", "calibrate"])
def test_a_file_of_another_kind_is_not_replaced_and_an_own_one_is(
    prepared, trained, results, tmp_path, capsys, command
):
    ending = {"report": "html", "calibrate": "json"}.get(command, "md")
    beside = {"tabulate": "png", "plane": "png", "score": "jsonl"}.get(command, ending)
    for name in dict.fromkeys([ending, beside]):
        soundfile.write(tmp_path / f"mine.{name}", [0.0] * 100, 8000, format="WAV")
        before = (tmp_path / f"mine.{name}").read_bytes()
        assert main(commands(prepared, trained, results, str(tmp_path / f"mine.{ending}"))[command]) == 1
        assert f"mine.{name} already exists and was not written by s5lib" in capsys.readouterr().err
        assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]
        (tmp_path / f"mine.{name}").unlink()
    for _ in range(2):
        assert main(commands(prepared, trained, results, str(tmp_path / f"mine.{ending}"))[command]) == 0
