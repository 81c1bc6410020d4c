"""``s5lib calibrate``, and inference with what it leaves."""

import json
import shutil
from dataclasses import replace

import pytest

from s5lib.bin.main import main
from s5lib.data import DataDirectory
from s5lib.systems import Calibration
from s5lib.systems.calibration import calibration_file

from .conftest import infer_command


@pytest.fixture(scope="module")
def own(trained, tmp_path_factory):
    """A copy of the trained models, which may get a calibration."""
    folder = tmp_path_factory.mktemp("calibrated")
    for kind in ("tagger", "separator"):
        (folder / kind).mkdir()
        shutil.copy(trained / kind / "model.safetensors", folder / kind)
    return folder


def test_writes_beside_the_tagger_what_was_tried(prepared, own, capsys):
    models = [f"--{kind}={own / kind / 'model.safetensors'}" for kind in ("tagger", "separator")]
    assert main(["calibrate", "--data_dir", str(prepared / "data/valid"), *models, "--folds", "3"]) == 0
    printed = capsys.readouterr().out
    content = json.loads((own / "tagger/model.calibration.json").read_text())
    assert f"written to {own / 'tagger/model.calibration.json'}" in printed and "plain decisions" in printed
    assert list(content["report"]["tried"]) == ["bias of silence", "biases of silence and classes"]
    assert content["report"]["recordings"] == len(DataDirectory.read(prepared / "data/valid"))
    assert main(["calibrate", "--data_dir", str(prepared / "data/valid"), *models, "--folds", "30"]) == 1
    assert "too few for 30 folds" in capsys.readouterr().err


def test_inference_uses_it_and_does_again_what_was_decided_otherwise(prepared, own, tmp_path, capsys):
    checkpoint, out = own / "tagger/model.safetensors", tmp_path / "out"
    names = [recording.id for recording in DataDirectory.read(prepared / "data/test")]

    def infer(*more):
        assert main(infer_command(prepared, own, out, *more)) == 0
        printed = capsys.readouterr().out
        return printed, [len(json.loads((out / f"predicted/{name}.json").read_text())["sources"]) for name in names]

    all_found, nothing = Calibration(silence=-60.0), Calibration(silence=60.0)
    nothing.write(calibration_file(checkpoint), checkpoint, {})
    printed, found = infer()
    assert "decisions calibrated by" in printed and "silence +60" in printed and found == [0] * len(names)
    all_found.write(tmp_path / "other.json", checkpoint, {})
    printed, found = infer("--calibration", str(tmp_path / "other.json"))
    assert "the calibration changed" in printed and found == [3] * len(names)
    assert f"{len(names)} of {2 * len(names)} recordings are finished already" in printed  # those with oracle labels
    printed, _ = infer("--calibration", "none")
    assert "the calibration changed" in printed and "decisions calibrated" not in printed
    assert json.loads((out / f"predicted/{names[0]}.json").read_text())["made_by"]["calibration"] == "none"
    nothing.write(calibration_file(checkpoint), own / "separator/model.safetensors", {})  # of other weights
    assert "tuned for other weights" in infer()[0]
    assert main(infer_command(prepared, own, out, "--calibration", str(calibration_file(checkpoint)))) == 1
    assert "run 's5lib calibrate' again" in capsys.readouterr().err
    assert main(infer_command(prepared, own, out, "--calibration", "nowhere.json")) == 1
    assert "nowhere.json: No such file" in capsys.readouterr().err


def test_foreign_data_leave_a_calibration_as_it_is(prepared, own, tmp_path, capsys):
    file = calibration_file(own / "tagger/model.safetensors")
    Calibration(silence=1.0).write(file, own / "tagger/model.safetensors", {})
    before = file.read_bytes()
    recordings = DataDirectory.read(prepared / "data/valid").recordings
    foreign = DataDirectory.write(tmp_path / "d", [replace(r, labels=("Owl",) * len(r.labels)) for r in recordings])
    models = [f"--{kind}={own / kind / 'model.safetensors'}" for kind in ("tagger", "separator")]
    assert main(["calibrate", "--data_dir", str(foreign.path), *models, "--folds", "3"]) == 1
    assert "'Owl'" in capsys.readouterr().err and file.read_bytes() == before
