"""The iterative and the joint system through the commands."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import yaml

import s5lib
from s5lib.bin.main import main
from s5lib.data import DataDirectory
from s5lib.systems.outputs import read_sources

from .conftest import infer_command, train_command


def joint_command(prepared, trained_joint, out, *more):
    model = trained_joint / "joint_model/model.safetensors"
    return ["infer", "--data_dir", str(prepared / "data/test"), "--joint_model", str(model), "--out", str(out), *more]


def test_training_of_a_joint_model_tells_its_figures(trained_joint):
    folder = trained_joint / "joint_model"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["kind"], config["name"]) == ("joint_model", "resunet_joint")
    assert config["steps"]["train"]["aligner"] == "pi" and config["steps"]["train"]["label_weight"] == 1.0
    rows = [json.loads(line) for line in (folder / "train/history.jsonl").read_text().splitlines()]
    figures = {"loss", "valid_loss", "ca_pi_sdri", "pi_sdri", "source_accuracy", "mixture_accuracy"}
    assert all(figures < set(row) for row in rows)
    assert "the best ca_pi_sdri" in (folder / "train.log").read_text()


def test_a_threshold_that_is_taken_away_is_another_result(prepared, trained_joint, tmp_path, capsys):
    line = joint_command(prepared, trained_joint, tmp_path / "out")
    assert main([*line, "--threshold", "0.7"]) == 0 == main(line)
    assert "the calibration changed" in capsys.readouterr().out


def test_joint_system_end_to_end(prepared, trained_joint, tmp_path):
    assert main(joint_command(prepared, trained_joint, tmp_path / "out")) == 0
    system = s5lib.load_system(joint_model=trained_joint / "joint_model/model.safetensors")
    recording = DataDirectory.read(prepared / "data/test").recordings[0]
    waveform, rate = soundfile.read(recording.mixture, dtype="float32", always_2d=True)
    sources = system(waveform.T, rate)
    labels, waveforms = read_sources(tmp_path / "out/predicted", recording.id, 8000)
    assert [source.label for source in sources] == labels
    for source, written in zip(sources, waveforms, strict=True):
        np.testing.assert_allclose(source.waveform, written, atol=1e-6)
    table = tmp_path / "RESULTS.md"
    assert (
        main(
            [
                "score",
                "--data_dir",
                str(prepared / "data/test"),
                "--infer_dir",
                str(tmp_path / "out"),
                "--out",
                str(table),
            ]
        )
        == 0
    )
    assert "| all | 6 |" in table.read_text()


def test_iterative_system_end_to_end(prepared, trained, tmp_path, capsys):
    out = tmp_path / "out"
    command = infer_command(prepared, trained, out, "--system", "iterative")
    assert main([*command, "--rounds", "1"]) == 0
    assert all(json.loads(path.read_text())["made_by"]["rounds"] == 1 for path in out.glob("*/*.json"))
    capsys.readouterr()
    assert main([*command, "--rounds", "1"]) == 0
    assert "12 of 12 recordings are finished already" in capsys.readouterr().out
    assert main([*command, "--rounds", "2"]) == 0
    assert "the rounds changed" in capsys.readouterr().out


def test_oracle_labels_are_not_tagged_again(prepared, trained, tmp_path):
    options = {"filtered": ["--spatial_filter"], "iterative": ["--system", "iterative"], "plain": []}
    for name, words in options.items():
        assert main(infer_command(prepared, trained, tmp_path / name, *words)) == 0
    for path in (tmp_path / "plain/oracle").glob("*.wav"):
        filtered, iterative, plain = (soundfile.read(tmp_path / name / "oracle" / path.name)[0] for name in options)
        np.testing.assert_array_equal(iterative, filtered)
        assert abs(filtered - plain).max() > 1e-3 * abs(plain).max()
    record = json.loads(next((tmp_path / "iterative/oracle").glob("*.json")).read_text())
    assert record["made_by"]["spatial_filter"] is True


def test_folder_of_another_system_is_refused(prepared, trained, trained_joint, tmp_path, capsys):
    assert main(infer_command(prepared, trained, tmp_path / "out")) == 0
    assert main(joint_command(prepared, trained_joint, tmp_path / "out")) == 1
    assert "holds another system's output for oracle labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--joint_model {joint} --labels oracle", "--labels can only be 'predicted'"),
        ("--joint_model {joint} --tagger {tagger}", "has one model for both"),
        ("--system joint --separator {separator}", "needs a joint model"),
        ("--system iterative --joint_model {joint}", "does not use a joint model"),
        ("--tagger {tagger}", "there is nothing to separate with"),
        ("--tagger {tagger} --separator {separator} --rounds 7", "--rounds applies to --system iterative alone"),
        ("--joint_model {separator}", "holds a separator; expected a joint_model"),
        ("", "give at least one checkpoint"),
    ],
)
def test_wrong_choices_are_reported(prepared, trained, trained_joint, tmp_path, capsys, more, message):
    files = {kind: str(trained / kind / "model.safetensors") for kind in ("tagger", "separator")}
    files["joint"] = str(trained_joint / "joint_model/model.safetensors")
    words = [word.format(**files) for word in more.split()]
    assert main(["infer", "--data_dir", str(prepared / "data/test"), "--out", str(tmp_path / "out"), *words]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("more", "warned"), [((), True), (("--scenes_conf", "same_class_probability=0"), False)])
def test_a_separator_for_distinct_labels_is_warned_of(prepared, configs, tmp_path, capsys, more, warned):
    command = train_command(
        "separator", prepared, configs, tmp_path, "--separator", "resunet", "--max_steps", "1", *more
    )
    small = ("n_fft=256", "hop_length=128", "channels=[4, 8]", "condition_size=8")
    assert main([*command, *(word for option in small for word in ("--separator_conf", option))]) == 0
    captured = capsys.readouterr()
    assert ("does not separate sources of one class" in captured.out + captured.err) is warned
