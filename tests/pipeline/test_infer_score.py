"""Inference and scoring through the commands."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import s5lib
from s5lib.bin.main import main
from s5lib.data import DataDirectory
from s5lib.metrics import pi_sdri
from s5lib.systems.outputs import file_label, read_sources, write_sources
from s5lib.systems.source import Source

from .conftest import infer_command


@pytest.fixture(scope="module")
def inferred(prepared, trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("infer")
    assert main(infer_command(prepared, trained, out)) == 0
    return out


def score_command(prepared, inferred, out):
    return ["score", "--data_dir", str(prepared / "data/test"), "--infer_dir", str(inferred), "--out", str(out)]


def test_oracle_output_has_the_references_labels(prepared, inferred):
    for recording in DataDirectory.read(prepared / "data/test"):
        labels, waveforms = read_sources(inferred / "oracle", recording.id, 8000)
        assert tuple(labels) == recording.labels
        assert np.isfinite(waveforms).all() and (len(labels) == 0 or np.abs(waveforms).max(1).all())


def test_files_are_what_the_system_gives_in_python(prepared, trained, inferred):
    system = s5lib.load_system(
        tagger=trained / "tagger/model.safetensors", separator=trained / "separator/model.safetensors"
    )
    recording = DataDirectory.read(prepared / "data/test").recordings[0]
    waveform, rate = soundfile.read(recording.mixture, dtype="float32", always_2d=True)
    sources = system(waveform.T, rate)
    labels, waveforms = read_sources(inferred / "predicted", recording.id, 8000)
    assert [source.label for source in sources] == labels
    for source, written in zip(sources, waveforms, strict=True):
        np.testing.assert_allclose(source.waveform, written, atol=1e-6)


def test_several_processes_give_the_same(prepared, trained, inferred, tmp_path):
    """To rounding: with other numbers of threads, sums are taken in another order."""
    assert main(infer_command(prepared, trained, tmp_path / "two", "--nj", "2")) == 0
    for folder in ("predicted", "oracle"):
        for recording in DataDirectory.read(prepared / "data/test"):
            one, two = (read_sources(out / folder, recording.id, 8000) for out in (inferred, tmp_path / "two"))
            assert one[0] == two[0]
            np.testing.assert_allclose(one[1], two[1], atol=1e-6)
            first, second = (
                json.loads((out / folder / f"{recording.id}.json").read_text()) for out in (inferred, tmp_path / "two")
            )
            assert first["made_by"] == second["made_by"]
            for source, other in zip(first["sources"], second["sources"], strict=True):
                assert source["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_again_does_nothing_and_another_model_does_all_again(prepared, trained, inferred, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(inferred, out)
    assert main(infer_command(prepared, trained, out)) == 0
    assert "12 of 12 recordings are finished already" in capsys.readouterr().out
    for path in list(out.glob("oracle/*.json"))[:2]:
        record = json.loads(path.read_text())
        record["made_by"]["models"]["separator"]["sha256"] = "another"
        path.write_text(json.dumps(record))
    assert main(infer_command(prepared, trained, out)) == 0
    assert "the separator changed: 2 recordings" in capsys.readouterr().out


def test_results_of_an_earlier_version_are_still_finished(prepared, trained, inferred, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(inferred, out)
    for path in out.glob("*/*.json"):
        record = json.loads(path.read_text())
        for setting in ("normalisation", "channels", "sample_rate", "remainder"):
            del record["made_by"][setting]
        path.write_text(json.dumps(record))
    assert main(infer_command(prepared, trained, out)) == 0
    assert "12 of 12 recordings are finished already" in capsys.readouterr().out


@pytest.mark.parametrize("labels", ["predicted", "oracle"])
def test_data_with_labels_that_the_models_do_not_know(prepared, trained, tmp_path, capsys, labels):
    recordings = DataDirectory.read(prepared / "data/test").recordings
    foreign = DataDirectory.write(tmp_path / "d", [replace(r, labels=("Owl",) * len(r.labels)) for r in recordings])
    models = [f"--{kind}={trained / kind / 'model.safetensors'}" for kind in ("tagger", "separator")]
    out = tmp_path / "new/out"
    assert main(["infer", "--data_dir", str(foreign.path), *models, "--labels", labels, "--out", str(out)]) == 1
    assert "'Owl'" in capsys.readouterr().err and not out.parent.exists()


def test_more_labels_than_slots_are_named_before_anything_is_written(prepared, trained, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(prepared / "data/test", data)
    name, known = DataDirectory.read(data).recordings[-1].id, json.loads((prepared / "data/corpus.json").read_text())
    rows = [line for line in (data / "labels").read_text().splitlines() if line.split()[0] != name]
    for references in data.glob("src*.scp"):
        references.unlink()
    (data / "labels").write_text("\n".join([*rows, f"{name} {' '.join([known['labels'][0]] * 4)}"]) + "\n")
    command = infer_command(prepared, trained, tmp_path / "out")
    command[command.index("--data_dir") + 1] = str(data)
    assert main(command) == 1 and not (tmp_path / "out").exists()
    assert f"{name} has 4 labels; the separator has 3 slots" in capsys.readouterr().err


def test_references_with_labels_that_the_models_do_not_know(prepared, inferred, tmp_path, capsys):
    recordings = DataDirectory.read(prepared / "data/test").recordings
    foreign = DataDirectory.write(tmp_path / "d", [replace(r, labels=("Owl",) * len(r.labels)) for r in recordings])
    shutil.copytree(inferred / "predicted", tmp_path / "out/predicted")
    command = ["score", "--data_dir", str(foreign.path), "--infer_dir", str(tmp_path / "out")]
    assert main([*command, "--out", str(tmp_path / "R.md")]) == 1
    assert "'Owl'" in capsys.readouterr().err and not (tmp_path / "R.md").exists()


def test_table_has_the_metrics_values_and_the_floors(prepared, inferred, tmp_path, capsys):
    assert main(score_command(prepared, inferred, tmp_path / "RESULTS.md")) == 0
    printed, table = capsys.readouterr().out, (tmp_path / "RESULTS.md").read_text()
    assert "| all | 6 |" in printed and "| all | 6 |" in table
    rows = {
        line.split(" | ")[0].strip("| "): [c.strip() for c in line.split(" | ")]
        for line in table.splitlines()
        if " | " in line
    }
    assert {"all", "DupSet", "NoDupSet", "zero-target"} <= set(rows)
    assert rows["all"][6] == "0.00"  # the mixture as every estimate
    lines = [json.loads(line) for line in (tmp_path / "RESULTS.jsonl").read_text().splitlines()]
    values = []
    for recording in DataDirectory.read(prepared / "data/test"):
        mixture = soundfile.read(recording.mixture, dtype="float32")[0][:, 0]
        references = [soundfile.read(path, dtype="float32")[0] for path in recording.sources]
        if references:
            _, estimates = read_sources(inferred / "oracle", recording.id, 8000)
            values.append(pi_sdri(estimates, None, np.array(references), None, mixture).value)
    assert [line["oracle"]["value"] for line in lines if line["oracle"]["value"] is not None] == pytest.approx(values)
    assert rows["all"][5].split(" ")[0] == f"{np.mean(values):.2f}"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "run the inference stage first"),
        (lambda folder: next((folder / "oracle").glob("*.json")).unlink(), "is missing: test_0000"),
        (lambda folder: next((folder / "oracle").glob("*.json")).write_text("{"), "is damaged"),
        (lambda folder: next((folder / "oracle").glob("*.wav")).write_bytes(b"RIFF"), "has 4 bytes, expected"),
        (
            lambda folder: soundfile.write(next((folder / "oracle").glob("*.wav")), np.zeros(10), 8000),
            "bytes, expected",
        ),
    ],
)
def test_spoilt_output_is_named(prepared, inferred, tmp_path, capsys, spoil, message):
    out = tmp_path / "out"
    shutil.copytree(inferred, out)
    spoil(out)
    assert main(score_command(prepared, out, tmp_path / "RESULTS.md")) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "count", "change", "message"),
    [
        ("oracle", 6, {"spatial_filter": True}, "the spatial filter differs"),
        ("oracle", 6, {"models": {"separator": {"file": "s", "sha256": "0"}}}, "the separator differs"),
        ("predicted", 1, {"window_seconds": 2.0}, "the window seconds differs"),
        ("predicted", 1, {"calibration": {"offsets": [1]}}, "the calibration differs"),
        ("oracle", 6, {"calibration": "none", "models": "without tagger"}, None),  # made without --tagger
    ],
)
def test_what_several_systems_made_is_not_scored(prepared, inferred, tmp_path, capsys, kind, count, change, message):
    out = tmp_path / "out"
    shutil.copytree(inferred, out)
    for path in list(out.glob(f"{kind}/*.json"))[:count]:
        record = json.loads(path.read_text())
        models = record["made_by"]["models"]
        more = {"models": {"separator": models["separator"]}} if change.get("models") == "without tagger" else {}
        record["made_by"].update(change | more)
        path.write_text(json.dumps(record))
    code = main(score_command(prepared, out, tmp_path / "RESULTS.md"))
    printed = capsys.readouterr().err
    assert (code, message is None) in ((1, False), (0, True))
    assert message is None or (message in printed and "were made by different systems" in printed)


class TestOwnFiles:
    def command(self, trained, *more):
        models = [f"--{kind}={trained / kind / 'model.safetensors'}" for kind in ("tagger", "separator")]
        return ["infer", *models, *map(str, more)]

    def write(self, path, channels=4, samples=4000, rate=8000):
        soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((samples, channels)), rate)
        return path

    def test_given_labels(self, trained, tmp_path):
        path = self.write(tmp_path / "party.flac", rate=11025, samples=5000)
        assert main(self.command(trained, path, "--labels", "Dog,Dog", "--out", tmp_path / "out")) == 0
        listed = json.loads((tmp_path / "out/party.json").read_text())
        assert [entry["file"] for entry in listed["sources"]] == ["party_0_Dog.wav", "party_1_Dog.wav"]
        assert soundfile.info(tmp_path / "out/party_1_Dog.wav").frames == 5000

    def test_channel_order(self, trained, tmp_path):
        path = self.write(tmp_path / "a.wav")
        samples, rate = soundfile.read(path)
        soundfile.write(tmp_path / "b.wav", samples[:, [0, 3, 1, 2]], rate)
        for name, order in (("a", "WYZX"), ("b", "WXYZ")):
            out = tmp_path / f"out_{name}"
            command = self.command(trained, tmp_path / f"{name}.wav", "--labels", "Dog", "--out", out)
            assert main([*command, "--channel_order", order]) == 0
        one, other = (soundfile.read(tmp_path / f"out_{n}/{n}_0_Dog.wav")[0] for n in "ab")
        np.testing.assert_array_equal(one, other)

    def test_silence_has_no_sources(self, trained, tmp_path):
        soundfile.write(tmp_path / "silent.wav", np.zeros((4000, 4)), 8000)
        assert main(self.command(trained, tmp_path / "silent.wav", "--out", tmp_path / "out")) == 0
        assert json.loads((tmp_path / "out/silent.json").read_text())["sources"] == []

    def test_a_broken_recording_stops_no_other(self, trained, tmp_path, capsys):
        folder = tmp_path / "in"
        folder.mkdir()
        self.write(folder / "good.wav")
        (folder / "bad.wav").write_bytes(b"no audio at all")
        assert main(self.command(trained, folder, "--labels", "Dog", "--out", tmp_path / "out")) == 1
        assert (tmp_path / "out/good.json").exists()
        assert "1 of 2 recordings could not be separated" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["nowhere.wav"], "nowhere.wav"),
            ([], "give either recordings"),
            (["array.wav"], "has 8 channels, the system needs 4"),
            (["good.wav", "--labels", "Dig"], "Did you mean 'Dog'?"),
            (["good.wav", "--labels", "Dog,Dog,Dog,Dog"], "the separator has 3 slots"),
            (["good.wav", "--labels", "oracle"], "needs a --data_dir"),
            (["nan.wav"], "nan.wav: channel 0, sample 0 is not a finite number"),
            (["empty"], "no recordings in"),
        ],
    )
    def test_errors(self, trained, tmp_path, capsys, monkeypatch, more, message):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty").mkdir()
        (tmp_path / "sub").mkdir()
        self.write(tmp_path / "good.wav")
        self.write(tmp_path / "sub/good.wav")
        self.write(tmp_path / "array.wav", channels=8)
        soundfile.write(tmp_path / "nan.wav", np.full((100, 4), np.nan), 8000, subtype="FLOAT")
        assert main(self.command(trained, *more, "--out", "out")) == 1
        captured = capsys.readouterr()
        assert message in captured.err + captured.out


def test_labels_cannot_leave_the_folder(tmp_path):
    source = Source("../../x", 1.0, np.zeros(4, np.float32))
    write_sources(tmp_path / "out", "name", [source], 8000)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["name.json", f"name_0_{file_label('../../x')}.wav"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
