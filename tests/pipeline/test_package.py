"""A system's package: made, checked, unpacked, and scored again to the same numbers."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import soundfile

from s5lib.bin.main import main
from s5lib.data import CorpusDescription, DataDirectory, Recording

from .recordings import LABELS, RATE, save_models

NAME = "Suzuki_NTT_task4_1"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Folder with ``data``: six recordings of noise, of 0 to 2 sources."""
    folder, generator = tmp_path_factory.mktemp("prepared"), np.random.default_rng(0)
    recordings = []
    for index, labels in enumerate(([], ["Dog"], ["Dog", "Rain"], ["Dog", "Dog"], ["Bell"], ["Rain", "Dog"])):
        sources = 0.1 * generator.standard_normal((len(labels), 4000))
        paths = [str(folder / f"r{index}_{k}.wav") for k in range(len(labels))]
        for path, source in zip(paths, sources, strict=True):
            soundfile.write(path, source, RATE, subtype="FLOAT")
        mixture = 0.01 * generator.standard_normal((4000, 4)) + sources.sum(0)[:, None]
        soundfile.write(folder / f"r{index}.wav", mixture, RATE, subtype="FLOAT")
        recordings.append(Recording(f"r{index}", str(folder / f"r{index}.wav"), tuple(labels), tuple(paths), 4000))
    DataDirectory.write(folder / "data/test", recordings, 2)
    CorpusDescription(str(folder), tuple(LABELS), RATE, 4, 2).write(folder / "data")
    return folder


@pytest.fixture(scope="module")
def scored(prepared, tmp_path_factory):
    """Experiment folder with inference and scores; the files are FLAC, made softer where they were too loud."""
    folder = tmp_path_factory.mktemp("experiment")
    command = [
        "infer",
        "--data_dir",
        str(prepared / "data/test"),
        *save_models(folder, 4),
        "--labels",
        "predicted",
        "oracle",
    ]
    assert main([*command, "--out", str(folder / "infer"), "--format", "flac"]) == 0
    assert main(score(prepared, folder, "--infer_dir", folder / "infer")) == 0
    return folder


def score(prepared, folder, *what):
    return ["score", "--data_dir", str(prepared / "data/test"), *map(str, what), "--out", str(folder / "RESULTS.md")]


def package(prepared, folder, **changes):
    options = {
        "name": NAME,
        "data_dir": prepared / "data/test",
        "infer_dir": folder / "infer",
        "scores": folder / "RESULTS.jsonl",
        "out": folder / "submission",
        **changes,
    }
    return ["package", *(str(word) for option, value in options.items() for word in (f"--{option}", value))]


def test_packed_unpacked_and_scored_again(prepared, scored, tmp_path, capsys):
    assert main(package(prepared, scored)) == 0
    assert "written and checked" in capsys.readouterr().out
    path = scored / f"submission/{NAME}.zip"
    assert main(["package", "--check", str(path), "--data_dir", str(prepared / "data/test")]) == 0
    assert main(["package", "--check", str(path)]) == 1  # 8 kHz, and labels of no challenge
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path)
        assert file.testzip() is None
    evaluation, development = (
        json.loads((tmp_path / NAME / f"{name}.json").read_text()) for name in ("eval_results", "dev_set_test_results")
    )
    assert main(score(prepared, tmp_path, "--estimates", tmp_path / NAME / "eval_out")) == 0
    rows, again = ([json.loads(line)["predicted"] for line in (f / "RESULTS.jsonl").open()] for f in (scored, tmp_path))
    assert rows == again
    values = [row["value"] for row in rows if row["value"] is not None]
    assert development["CAPI-SDRi"]["mean"] == pytest.approx(sum(values) / len(values))
    counts = {key: sum(row[key] for row in rows) for key in ("tp", "fn", "fp")}
    assert development["label_metrics"]["accuracy_src"] == pytest.approx(100 * counts["tp"] / sum(counts.values()))
    assert [scene["CAPI-SDRi"] for scene in development["details"]] == [row["value"] for row in rows]
    assert evaluation["nparams"] == development["nparams"] > 1000
    assert evaluation["config"]["system"] == "tag_separate"
    assert len(evaluation["probabilities"]) == 6


def test_equal_packages_are_equal_files(prepared, scored, tmp_path):
    for name in "ab":
        assert main(package(prepared, scored, out=tmp_path / name)) == 0
    one, other = ((tmp_path / name / f"{NAME}.zip").read_bytes() for name in "ab")
    assert one == other
    assert [path.name for path in (tmp_path / "a").iterdir()] == [f"{NAME}.zip"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: next(folder.glob("infer/predicted/*.json")).unlink(), "was not inferred"),
        (lambda folder: (folder / "RESULTS.jsonl").write_text("{}\n"), "RESULTS.jsonl, line 1"),
        (lambda folder: (folder / "RESULTS.jsonl").unlink(), "Run the scoring stage first"),
        (lambda folder: shutil.move(folder / "infer/oracle", folder / "infer/predicted"), ""),
    ],
)
def test_what_is_missing_is_reported_and_leaves_no_package(prepared, scored, tmp_path, capsys, spoil, message):
    shutil.copytree(scored / "infer", tmp_path / "infer")
    shutil.copy(scored / "RESULTS.jsonl", tmp_path)
    if not message:
        shutil.rmtree(tmp_path / "infer/predicted")
        message = "its labels were given"
    spoil(tmp_path)
    assert main(package(prepared, tmp_path)) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("submission/*"))


def test_another_model_than_the_one_that_made_it(prepared, scored, tmp_path, capsys):
    shutil.copytree(scored / "infer", tmp_path / "infer")
    shutil.copy(scored / "RESULTS.jsonl", tmp_path)
    for path in tmp_path.glob("infer/predicted/*.json"):
        record = json.loads(path.read_text())
        record["made_by"]["models"]["tagger"]["sha256"] = "0"
        path.write_text(json.dumps(record))
    assert main(package(prepared, tmp_path)) == 1
    assert "has changed since the inference" in capsys.readouterr().err
    path.write_text(json.dumps({**record, "made_by": {**record["made_by"], "precision": "bfloat16"}}))
    assert main(package(prepared, tmp_path)) == 1
    assert "were made by different systems" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--window", "1"], "of another system"), (["--spatial_filter"], "of another system"), ([], "with penalties")],
)
def test_scores_of_another_system_or_with_penalties(prepared, scored, tmp_path, capsys, more, message):
    models = [f"--{kind}={scored / kind}.safetensors" for kind in ("tagger", "separator")]
    data = ["--data_dir", str(prepared / "data/test")]
    shutil.copytree(scored / "infer", tmp_path / "infer")
    assert main(["infer", *data, *models, *more, "--out", str(tmp_path / "other"), "--format", "pcm24"]) == 0
    penalties = [] if more else ["--penalty_fn", "-20"]
    assert main([*score(prepared, tmp_path, "--infer_dir", tmp_path / "other"), *penalties]) == 0
    assert main(package(prepared, tmp_path)) == 1
    assert message in capsys.readouterr().err


def test_a_folder_of_soundscapes_is_separated_as_the_test_set_is(prepared, scored, tmp_path):
    """Although these models depend on the level, at which recordings of one's own are presented to them."""
    models = [f"--{kind}={scored / kind}.safetensors" for kind in ("tagger", "separator")]
    soundscapes = tmp_path / "soundscapes"
    soundscapes.mkdir()
    for recording in DataDirectory.read(prepared / "data/test"):
        shutil.copy(recording.mixture, soundscapes / f"{recording.id}.wav")
    out = ["--out", str(tmp_path / "infer"), "--format", "flac"]
    assert main(["infer", "--data_dir", str(soundscapes), *models, *out]) == 0
    for file in (scored / "infer/predicted").glob("*.flac"):
        assert (tmp_path / "infer/predicted" / file.name).read_bytes() == file.read_bytes()
    shutil.copy(scored / "RESULTS.jsonl", tmp_path)
    assert main(package(prepared, tmp_path)) == 0


def test_wrong_name(prepared, scored, tmp_path, capsys):
    assert main(package(prepared, scored, out=tmp_path, name="me")) == 1
    assert "expected AUTHOR_AFFILIATION_task4_N" in capsys.readouterr().err
