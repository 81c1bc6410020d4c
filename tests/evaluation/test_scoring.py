"""Scoring of folders: values as the metric's functions give them, files matched exactly, bad ones named."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from s5lib.bin.main import main
from s5lib.corpora.layout import read_synthesized
from s5lib.data import DataDirectory
from s5lib.errors import DataError
from s5lib.evaluation import MetricOptions, list_outputs, score_recordings
from s5lib.evaluation.estimate_files import list_estimates, split_name
from s5lib.evaluation.recording_scores import FLOORS
from s5lib.evaluation.waveforms import looks_clipped
from s5lib.metrics import ca_pi_sdri, ca_sdri, pi_sdri

RATE, SAMPLES = 8000, 4000
SCENES = {"eval_1": ["Dog", "Dog"], "eval_10": ["Door_bell"], "eval_2": [], "eval_3": ["Dog", "Door_bell", "Dog"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder with ``references`` in the challenge's layout and ``estimates``: the references plus noise."""
    folder, generator = tmp_path_factory.mktemp("scoring"), np.random.default_rng(0)
    for name in ("references/soundscape", "references/oracle_target", "estimates"):
        (folder / name).mkdir(parents=True)
    for scene, labels in SCENES.items():
        sources = generator.standard_normal((len(labels), SAMPLES)) * generator.uniform(0.02, 0.1, (len(labels), 1))
        mixture = 0.01 * generator.standard_normal((4, SAMPLES)) + sources.sum(0)
        soundfile.write(folder / f"references/soundscape/{scene}.wav", mixture.T, RATE, "FLOAT")
        for index, (label, source) in enumerate(zip(labels, sources, strict=True)):
            file = f"{scene}_{index}_{label}.wav"
            soundfile.write(folder / "references/oracle_target" / file, source, RATE, "FLOAT")
            soundfile.write(
                folder / "estimates" / file, source + 0.02 * generator.standard_normal(SAMPLES), RATE, "FLOAT"
            )
    return folder


@pytest.fixture
def own(made, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own"


def score(folder, *more, out="RESULTS.md"):
    """Run the command and return its status and the lines of scores by recording."""
    command = ["--references", folder / "references", "--estimates", folder / "estimates", "--out", folder / out, *more]
    status = main(["score", *map(str, command)])
    lines = (folder / out).with_suffix(".jsonl")
    return status, {row["id"]: row for row in map(json.loads, lines.read_text().splitlines())} if status == 0 else {}


def load(folder, scene, where):
    """Return labels and waveforms of a scene as a reader with nothing of s5lib has them."""
    files = sorted((folder / where).glob(f"{scene}_[0-9]_*.wav"))
    return [f.stem[len(scene) + 3 :] for f in files], [soundfile.read(f, dtype="float32")[0] for f in files]


def direct(folder, scene, metric, **options):
    mixture = soundfile.read(folder / f"references/soundscape/{scene}.wav", dtype="float32")[0][:, 0]
    labels, references = load(folder, scene, "references/oracle_target")
    found, estimates = load(folder, scene, "estimates")
    return metric(estimates, found, references, labels, mixture, **options).value


def test_values_are_the_metrics(made, tmp_path):
    status, rows = score(made, out=str(tmp_path / "R.md"))
    assert status == 0 and list(rows) == list(SCENES)
    for scene, row in rows.items():
        assert row["predicted"]["value"] == pytest.approx(direct(made, scene, ca_pi_sdri))
        assert row["predicted_ca"]["value"] == pytest.approx(direct(made, scene, ca_sdri))
        assert row["predicted_pi"]["value"] == pytest.approx(direct(made, scene, pi_sdri))
        assert [pair["reference_label"] for pair in row["predicted"]["pairs"]] == SCENES[scene]
        assert row["mixture"]["value"] == (0 if SCENES[scene] else None)
    mixture = soundfile.read(made / "references/soundscape/eval_1.wav", dtype="float32")[0][:, 0]
    labels, references = load(made, "eval_1", "references/oracle_target")
    silence = pi_sdri(np.zeros((2, SAMPLES)), labels, np.array(references), labels, mixture).value
    assert rows["eval_1"]["silence"]["value"] == pytest.approx(silence)


def test_floors_are_the_best_that_a_volume_knob_can_do(made, tmp_path):
    """By brute force: PI-SDRi of copies of the mixture at gains from a fine grid."""
    rows = score(made, out=str(tmp_path / "R.md"))[1]
    grid = np.linspace(-0.5, 1.5, 2001)
    for scene, classes in SCENES.items():
        mixture = soundfile.read(made / f"references/soundscape/{scene}.wav", dtype="float32")[0][:, 0]
        labels, references = load(made, scene, "references/oracle_target")
        if not classes:
            assert rows[scene]["divided"]["value"] is rows[scene]["best_gain"]["value"] is None
            continue
        shared = np.tile(mixture / len(classes), (len(classes), 1))
        expected = pi_sdri(shared, labels, np.array(references), labels, mixture).value
        assert rows[scene]["divided"]["value"] == pytest.approx(expected, abs=1e-5)
        best = [
            max(pi_sdri([g * mixture], None, [reference], None, mixture).value for g in grid)
            for reference in references
        ]
        assert [pair["sdri"] for pair in rows[scene]["best_gain"]["pairs"]] == pytest.approx(best, abs=1e-3)
        assert all(rows[scene]["best_gain"]["value"] >= rows[scene][kind]["value"] - 1e-9 for kind in FLOORS)


@pytest.mark.parametrize("options", [{"pairing": "sdr"}, {"penalty_fn": -5.0}, {"penalty_fp": -7.5}])
def test_options_of_the_metric(own, options):
    (own / "estimates/eval_3_2_Dog.wav").unlink()  # one missed, and one false positive
    soundfile.write(own / "estimates/eval_2_0_Dog.wav", np.full(SAMPLES, 0.1), RATE, "FLOAT")
    status, rows = score(own, *(f"--{key}={value}" for key, value in options.items()))
    assert status == 0
    for scene, row in rows.items():
        assert row["predicted"]["value"] == pytest.approx(direct(own, scene, ca_pi_sdri, **options))


def test_missing_files_are_nothing_found_and_extra_ones_false_positives(own, capsys):
    for path in (own / "estimates").glob("eval_10_*"):
        path.unlink()
    soundfile.write(own / "estimates/eval_2_5_Dog.flac", np.full(SAMPLES, 0.1), RATE)
    rows = score(own)[1]
    printed = capsys.readouterr().out
    assert "nothing was found in 1 of 4 mixtures, as eval_10" in printed
    assert "Mixtures without a source: 1, of which 1 with a false positive." in printed
    assert (rows["eval_10"]["predicted"]["fn"], rows["eval_10"]["predicted"]["value"]) == (1, 0.0)
    assert (rows["eval_2"]["predicted"]["fp"], rows["eval_2"]["predicted"]["value"]) == (1, 0.0)
    assert rows["eval_1"]["predicted"]["fp"] == 0  # eval_10's file was not taken for it, nor the other way round


def test_ceiling_and_threads(own, tmp_path):
    shutil.copytree(own / "references/oracle_target", tmp_path / "oracle")
    more = ("--oracle_estimates", tmp_path / "oracle", "--nj")
    rows = [score(own, *more, nj)[1] for nj in ("1", "3")]
    assert rows[0] == rows[1]
    assert all(pair["sdri"] > 100 for pair in rows[0]["eval_3"]["oracle"]["pairs"])
    assert rows[0]["eval_2"]["oracle"]["value"] is None


@pytest.mark.parametrize("missing", ["eval_3_0_Dog.wav", "eval_10_0_Door_bell.wav"])
def test_a_ceiling_has_the_labels_of_the_references(own, tmp_path, capsys, missing):
    shutil.copytree(own / "references/oracle_target", tmp_path / "oracle")
    (tmp_path / "oracle" / missing).rename(tmp_path / "oracle/eval_2_0_Dog.wav")
    assert score(own, "--oracle_estimates", tmp_path / "oracle")[0] == 1
    assert "the estimates for oracle labels are of" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run.v1", "R", "R.jsonl", "R.csv"])
def test_tables_are_in_markdown(own, capsys, name):
    assert score(own, out=name)[0] == 1 and "choose a name in .md" in capsys.readouterr().err


def test_sources_under_the_wrong_of_the_right_labels(own, tmp_path):
    """PI-SDRi with oracle labels does not see it, CA-PI-SDRi does."""
    shutil.copytree(own / "estimates", tmp_path / "oracle")
    first, second = (tmp_path / "oracle" / f"eval_3_{name}.wav" for name in ("0_Dog", "1_Door_bell"))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    row = score(own, "--oracle_estimates", tmp_path / "oracle")[1]["eval_3"]
    assert row["oracle"]["value"] == pytest.approx(direct(own, "eval_3", pi_sdri))
    labels, estimates = load(own, "eval_3", "estimates")
    swapped = [estimates[i] for i in (1, 0, 2)]
    mixture = soundfile.read(own / "references/soundscape/eval_3.wav", dtype="float32")[0][:, 0]
    expected = ca_pi_sdri(swapped, labels, load(own, "eval_3", "references/oracle_target")[1], labels, mixture).value
    assert row["oracle_ca_pi"]["value"] == pytest.approx(expected) and expected < row["oracle"]["value"] - 3


def spoil(name, samples=SAMPLES, rate=RATE, channels=1, value=0.1, subtype="FLOAT"):
    def do(folder):
        shape = (samples, channels) if channels > 1 else samples
        soundfile.write(folder / "estimates" / name, np.full(shape, value), rate, subtype)

    return do


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (spoil("eval_1_0_Dog.wav", rate=16000), "eval_1_0_Dog.wav: the estimate has 16000 Hz, its mixture 8000 Hz"),
        (spoil("eval_1_0_Dog.wav", samples=3999), "eval_1_0_Dog.wav: the estimate has 3999 samples; expected 4000"),
        (spoil("eval_1_0_Dog.wav", channels=2), "eval_1_0_Dog.wav: the estimate has 2 channels"),
        (spoil("eval_1_0_Dog.wav", value=np.nan), "eval_1_0_Dog.wav: sample 0 is nan"),
        (spoil("eval_1_0_Dog.wav", value=np.inf), "eval_1_0_Dog.wav: sample 0 is inf"),
        (spoil("eval_1_0_Door_bell.wav"), "Door_bell.wav: number 0 of 'eval_1' a second time, beside eval_1_0_Dog.wav"),
        (spoil("eval_1_0_Dog.flac", subtype="PCM_16"), "number 0 of 'eval_1' a second time"),
        (spoil("eval_11_0_Dog.wav"), "eval_11_0_Dog.wav: belongs to none of the 4 mixtures"),
        (spoil("eval_1_0_Dig.wav"), "1_0_Dig.wav: unknown label 'Dig'. Known: Dog, Door_bell. Did you mean 'Dog'?"),
        (spoil("eval_1_Dog.wav"), "expected NAME_I_LABEL"),
        (spoil("eval_1_1_Dog.mp3", rate=16000, subtype=None), "eval_1_1_Dog.mp3: MP3 is lossy"),
        (
            lambda folder: (folder / "estimates/eval_1_0_Dog.wav").write_bytes(b"RIFF"),
            "eval_1_0_Dog.wav: not a recording",
        ),
        (
            lambda folder: (folder / "estimates/eval_1_0_Dog.wav").write_bytes(
                (folder / "estimates/eval_1_0_Dog.wav").read_bytes()[:9000]
            ),
            "eval_1_0_Dog.wav: truncated",
        ),
        (lambda folder: shutil.rmtree(folder / "estimates"), "no such folder of estimates"),
        (lambda folder: [p.unlink() for p in (folder / "estimates").iterdir()], "no estimates there"),
        (lambda folder: shutil.rmtree(folder / "references/oracle_target"), "no references"),
        (lambda folder: (folder / "references/soundscape/eval_2.wav").write_bytes(b"RIFF"), "eval_2.wav"),
    ],
)
def test_bad_files_are_named(own, capsys, do, message):
    do(own)
    assert score(own)[0] == 1
    assert message in capsys.readouterr().err
    assert not (own / "RESULTS.md").exists()


def test_clipped_estimates_are_reported(own, capsys):
    spoil("eval_1_0_Dog.wav", value=1.5, subtype="PCM_16")(own)
    assert score(own)[0] == 0
    assert "1 estimates look clipped" in capsys.readouterr().out
    assert not looks_clipped(np.array([0.0, 1.0, 0.0, 1.0])) and not looks_clipped(np.zeros(0))


def test_silent_reference_is_named_by_its_mixture(own, capsys):
    soundfile.write(own / "references/oracle_target/eval_10_0_Door_bell.wav", np.zeros(SAMPLES), RATE, "FLOAT")
    assert score(own)[0] == 1
    assert "eval_10: references[0] ('Door_bell') is silent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stem", "found"),
    [
        ("eval_1_0_Dog", ("eval_1", 0, "Dog")),
        ("eval_10_0_Dog", ("eval_10", 0, "Dog")),
        ("eval_1_0_0_Dog", ("eval_1_0", 0, "Dog")),
        ("eval_1_12_Door_bell", ("eval_1", 12, "Door_bell")),
        ("a__b_0_Dog", ("a__b", 0, "Dog")),
        ("0_0_Dog", ("0", 0, "Dog")),
    ],
)
def test_names(stem, found):
    assert split_name(stem, {"eval_1", "eval_10", "eval_1_0", "a__b", "0"}, ["Dog", "Door_bell", "bell"]) == found


def test_ambiguous_names(tmp_path):
    (tmp_path / "mix_0_1_Dog.wav").touch()
    with pytest.raises(DataError, match="mix_0_1_Dog.wav: can be number 0 of 'mix', 1_Dog or number 1 of 'mix_0', Dog"):
        list_estimates(tmp_path, ["mix", "mix_0"], ["Dog", "1_Dog"])
    assert list_estimates(tmp_path, ["mix", "mix_0"], ["Dog"])["mix"] == []


def test_labels_by_option_and_by_corpus(own, capsys):
    spoil("eval_2_0_Rain.wav")(own)
    assert score(own)[0] == 1 and "--class_labels adds some" in capsys.readouterr().err
    assert score(own, "--class_labels", "Dog,Door_bell,Rain")[0] == 0
    assert score(own, "--class_labels", "Dog,Rain")[0] == 1
    assert "it lacks Door_bell, which the references have" in capsys.readouterr().err


def test_gain_of_inference_is_taken_off(own):
    """24-bit files of a loud recording are softer by a gain that their list holds."""
    from s5lib.systems.outputs import write_sources
    from s5lib.systems.source import Source

    recordings = read_synthesized(own / "references")
    DataDirectory.write(own / "data", recordings)
    values = []
    for format in ("float", "pcm24"):
        for scene in SCENES:
            labels, waveforms = load(own, scene, "estimates")
            sources = [Source(label, 1.0, 20 * w) for label, w in zip(labels, waveforms, strict=True)]
            write_sources(own / format / "predicted", scene, sources, RATE, format)
        scores = score_recordings(own / "data", own / format, MetricOptions())
        values.append([score.predicted.value or 0.0 for score in scores])
    np.testing.assert_allclose(values[0], values[1], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--estimates a", "either --data_dir or --references"),
        ("--references a --data_dir b --estimates c", "either --data_dir or --references"),
        ("--references a", "either --infer_dir or --estimates"),
        ("--data_dir a --infer_dir b --oracle_estimates c", "goes with --estimates"),
        ("--references nowhere --estimates b", "nowhere"),
    ],
)
def test_wrong_use(tmp_path, capsys, options, message):
    assert main(["score", *options.split(), "--out", str(tmp_path / "R.md")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--nj=0", "--penalty_fn=nan", "--penalty_fp=inf"])
def test_values_that_an_option_cannot_have(tmp_path, capsys, option):
    with pytest.raises(SystemExit, match="2"):
        main(["score", "--references", "a", "--estimates", "b", option, "--out", str(tmp_path / "R.md")])
    assert option.partition("=")[0] in capsys.readouterr().err


def test_a_set_without_any_source(own, capsys):
    for folder in ("references/oracle_target", "estimates"):
        for path in (own / folder).iterdir():
            path.unlink()
    DataDirectory.write(own / "data", [replace(r, labels=()) for r in read_synthesized(own / "references")])
    command = [
        "score",
        "--data_dir",
        str(own / "data"),
        "--estimates",
        str(own / "estimates"),
        "--out",
        str(own / "R.md"),
    ]
    spoil("eval_1_0_Dog.wav")(own)
    assert main(command) == 1
    assert "unknown label 'Dog'. There are none. (--class_labels adds some.)" in capsys.readouterr().err
    assert main([*command, "--class_labels", "Dog"]) == 0
    assert "Mixtures without a source: 4, of which 1 with a false positive." in capsys.readouterr().out


def test_table_that_cannot_be_written(own, capsys):
    (own / "RESULTS.md").mkdir()
    assert score(own)[0] == 1
    assert "RESULTS.md" in capsys.readouterr().err


def test_folder_without_output(tmp_path):
    with pytest.raises(DataError, match="run the inference stage first"):
        list_outputs(tmp_path, ["a"])


def test_comparison_with_a_folder_and_with_its_scores_is_the_same(own, capsys):
    shutil.copytree(own / "estimates", own / "others")
    shutil.copytree(own / "references/oracle_target", own / "estimates", dirs_exist_ok=True)
    assert (
        main(
            [
                "score",
                "--references",
                str(own / "references"),
                "--estimates",
                str(own / "others"),
                "--out",
                str(own / "O.md"),
            ]
        )
        == 0
    )
    texts = []
    for other in (own / "others", own / "O.jsonl"):
        status, rows = score(own, "--compare", other)
        assert status == 0
        compared = rows["eval_1"]["other"]["predicted"]
        assert compared["difference"] == rows["eval_1"]["predicted"]["value"] - compared["value"] > 0
        assert rows["eval_2"]["other"]["predicted"] == {"value": None, "difference": None}
        texts.append((own / "RESULTS.md").read_text().replace(str(other), "OTHER"))
        assert f"{own / 'estimates'} is ahead by" in capsys.readouterr().out  # three scenes: it can be chance
    assert texts[0] == texts[1] and "| all | 3 | +" in texts[0]


def test_json_and_csv(made, tmp_path, capsys):
    folders = ["--references", str(made / "references"), "--estimates", str(made / "estimates")]
    out = ["--out", str(tmp_path / "R.md")]
    assert (
        main(
            [
                "score",
                *folders,
                *out,
                "--json",
                "--csv",
                str(tmp_path / "rows.csv"),
                "--compare",
                str(made / "estimates"),
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    lines = [json.loads(line) for line in (tmp_path / "R.jsonl").read_text().splitlines()]
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert [row["ca_pi_sdri"] for row in rows] == [row["other_ca_pi_sdri"] for row in rows]
    assert found["comparison"]["ca_pi_sdri"]["equal"] == 3 and found["groups"][0]["mixtures"] == 4
    assert main(["score", *folders, *out, "--csv", str(tmp_path / "R.md")]) == 1
    assert ".csv" in capsys.readouterr().err
