"""No command writes over what it reads, or over somebody else's file."""

from __future__ import annotations

import json

import pytest
import soundfile

from s5lib.bin.main import main

from .conftest import infer_command
from .recordings import record


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


def test_a_folder_from_a_stranger_as_its_own_out_loses_nothing(models, tmp_path):
    """It has a record, and scratch of a process that has ended, which claim the recording and a document."""
    mine = [tmp_path / "party.wav", tmp_path / "thesis.docx"]
    record(mine[0], 0.2)
    mine[1].write_text("mine")
    before = [path.read_bytes() for path in mine]
    claimed = {path.name: [] for path in mine}
    forged = {"written_by": "s5lib 0.2.0", "name": "party", "sources": [], "files": claimed}
    (tmp_path / "party.json").write_text(json.dumps(forged, indent=1))
    (tmp_path / ".a.0123abcd-1-1-0123abcd.part").mkdir()
    journal = {"manifest": "nope.json", "earlier": list(claimed), "files": []}
    (tmp_path / ".a.0123abcd-1-1-0123abcd.part/journal").write_text(json.dumps(journal))
    for _ in range(2):
        assert main(["infer", str(tmp_path), *models[4], "--labels", "Dog", "--out", str(tmp_path)]) == 0
        assert [path.read_bytes() for path in mine] == before
    assert (tmp_path / "party_0_Dog.wav").exists()


def test_a_recording_with_the_name_of_one_of_its_sources_is_refused(models, tmp_path, capsys):
    out = tmp_path / "out/predicted"
    out.mkdir(parents=True)
    record(out / "a_0_Dog.wav", 0.2)
    before = (out / "a_0_Dog.wav").read_bytes()
    (tmp_path / "wav.scp").write_text(f"a {out}/a_0_Dog.wav\n")
    forged = {"written_by": "s5lib 0.2.0", "name": "a", "sources": [], "files": {"a_0_Dog.wav": []}}
    (out / "a.json").write_text(json.dumps(forged, indent=1))
    command = ["infer", "--data_dir", str(tmp_path), *models[4], "--labels", "predicted"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    assert "overwritten" in capsys.readouterr().err and (out / "a_0_Dog.wav").read_bytes() == before
    assert main([*command, "--out", str(tmp_path / "other")]) == 0
