"""The parts of the report's page, each against something worked out in another way."""

import base64
import io
import os
import shutil

import numpy as np
import pytest
import soundfile
from matplotlib import image
from report_experiment import RATE, SCENES

from s5lib.audio import data_uri
from s5lib.bin.main import main
from s5lib.errors import ConfigError, DataError
from s5lib.evaluation import Estimate, RecordingScores
from s5lib.metrics import FalsePrediction, Pair, SceneScore
from s5lib.report import write_report
from s5lib.report.charts import bars, boxes, shade
from s5lib.report.confusion import confusion
from s5lib.report.experiment import read_experiments
from s5lib.report.listening import choose_scenes
from s5lib.report.spectrogram import mel_picture, spectrogram_chart
from s5lib.report.svg import Axis


def decoded(uri):
    return base64.b64decode(uri.split(",", 1)[1])


@pytest.mark.parametrize("frequency", [150, 900, 2500])
def test_a_tone_is_brightest_at_its_frequency_and_time(frequency):
    time = np.arange(2 * 16000) / 16000
    tone = np.sin(2 * np.pi * frequency * time) * (time > 1)
    picture = mel_picture(tone, 16000, width=100, height=64)
    assert picture.shape == (64, 100) and np.isfinite(picture).all()
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 65) / 2595) - 1)
    row = picture[:, 75].argmax()
    assert edges[row] - 32 <= frequency <= edges[row + 1] + 32  # a bin of the transform is 31 Hz wide
    assert picture[:, 55:].sum() > 1e3 * picture[:, :45].sum()


@pytest.mark.parametrize("samples", [1, 50, 8000])
def test_pictures_of_any_length(samples):
    waveform = np.random.default_rng(0).standard_normal(samples)
    assert mel_picture(waveform, 8000).shape == (96, 300)
    assert "data:image/png;base64," in spectrogram_chart(waveform, 8000, 1.0, "noise")


def test_spectrogram_is_a_png_that_others_read():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    chart = str(spectrogram_chart(tone, 8000, mel_picture(tone, 8000).max(), "a tone"))
    png = decoded(chart.split('href="')[1].split('"')[0])
    picture = image.imread(io.BytesIO(png))[..., :3]
    assert picture.shape == (96, 300, 3)
    luminance = picture @ [0.299, 0.587, 0.114]
    rows = 2595 * np.log10(1 + np.array([1000, 4000]) / 700)
    assert abs(luminance[:, 150].argmax() - (95.5 - 96 * rows[0] / rows[1])) <= 1.5  # low frequencies are at the bottom
    assert luminance.max() > 0.9 and luminance.min() < 0.02


def test_sound_is_the_waveform():
    generator = np.random.default_rng(3)
    waveform = 0.3 * np.convolve(generator.standard_normal(RATE), np.ones(8) / 8, "same")
    exact, rate = soundfile.read(io.BytesIO(decoded(data_uri(waveform, RATE, "flac16"))))
    assert rate == RATE and np.abs(exact - waveform).max() <= 2.0**-15
    uri = data_uri(waveform, RATE)
    assert uri.startswith("data:audio/mpeg;base64,")
    lossy, rate = soundfile.read(io.BytesIO(decoded(uri)))
    assert rate == RATE and len(lossy) == len(waveform) and np.corrcoef(lossy, waveform)[0, 1] > 0.9
    assert data_uri(waveform, 96000).startswith("data:audio/flac")  # MP3 has no such rate


def test_confusions_keep_all_counts_whatever_is_drawn():
    generator = np.random.default_rng(11)
    scores = []
    for _ in range(60):
        pairs = tuple(
            Pair(i, i, c, c, 1.0, 1.0) for i, c in enumerate(generator.choice(list("abc"), generator.integers(3)))
        )
        false = [
            tuple(
                FalsePrediction(9 + i, c) for i, c in enumerate(generator.choice(list(labels), generator.integers(4)))
            )
            for labels in ("ab", "cd")
        ]
        scores.append(SceneScore(0.0, pairs, len(pairs), len(false[0]), len(false[1]), *false))
    found = confusion(scores)
    there = [label for score in scores for label in score.reference_labels]
    predicted = [pair.estimated_label for s in scores for pair in s.pairs] + [
        f.label for s in scores for f in s.false_positives
    ]
    for index, label in enumerate(found.labels):
        assert found.counts[index].sum() == pytest.approx(there.count(label))
        assert found.counts[:, index].sum() == pytest.approx(predicted.count(label))
    assert found.counts[-1, -1] == 0
    assert found.counts[-1].sum() == pytest.approx(sum(max(0, s.fp - s.fn) for s in scores))
    assert found.counts[:, -1].sum() == pytest.approx(sum(max(0, s.fn - s.fp) for s in scores))


def test_ticks_enclose_and_are_round():
    generator = np.random.default_rng(1)
    for low, width in zip(generator.uniform(-50, 50, 200), 10 ** generator.uniform(-3, 3, 200), strict=True):
        axis = Axis(low, low + width, 0, 100)
        assert axis.ticks[0] <= low + 1e-9 and axis.ticks[-1] >= low + width - 1e-9 and 2 <= len(axis.ticks) <= 8
        steps = np.diff(axis.ticks)
        assert np.allclose(steps, steps[0])
        names = axis.names()
        assert [float(name.replace("\u2212", "-")) for name in names] == pytest.approx(axis.ticks)
        assert len(set(names)) == len(names)
    assert len(Axis(3.0, 3.0, 0, 100).ticks) >= 2


def test_charts_of_little_or_nothing():
    assert "aria-label" in bars("t", [("a", [Estimate(-1.0), None])], "dB")
    assert "aria-label" in bars("t", [], "dB")
    assert boxes("t", [], "dB") == ""
    assert "median 1.0" in boxes("t", [("a", [[1.0], []])], "dB")
    assert [shade(value, 0, 1) for value in (-1, 0, 0.5, 1, 2)] == [0, 0, 5, 10, 10] and shade(1, 1, 1) == 10


def recordings(values):
    found = [SceneScore(float(value), tp=1) for value in values]
    there = SceneScore(0.0, (Pair(0, 0, "Dog", "Dog", 0.0, 0.0),), 1)
    return [RecordingScores(f"s{i}", there, there, predicted=score) for i, score in enumerate(found)]


def test_chosen_scenes_are_the_extremes_and_the_middle():
    chosen = choose_scenes(recordings([3.0, -1.0, 7.0, 2.0, 2.5]))
    assert chosen == {"s2": "Best", "s4": "Median", "s1": "Worst"}
    assert choose_scenes(recordings([1.0])) == {"s0": "Worst"}
    assert choose_scenes(recordings([1.0, 2.0]), ["s1"]) == {"s1": "As asked for"}
    with pytest.raises(DataError, match="--scenes s9: .* 2 scenes"):
        choose_scenes(recordings([1.0, 2.0]), ["s9"])
    with pytest.raises(DataError, match="40 scenes .*: s31, "):
        choose_scenes(recordings(range(40)), ["s31x"])


def test_a_training_that_goes_on_and_a_damaged_one(experiments, tmp_path):
    folder = tmp_path / "exp/separator"
    (folder / "train").mkdir(parents=True)
    (folder / "config.yaml").write_text("kind: separator\nname: resunetk\n")
    history = folder / "train/history.jsonl"
    history.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    ((model,),) = (experiment.models for experiment in read_experiments([tmp_path / "exp"]))
    assert model.history == {"train": [{"step": 1, "loss": 2.0}]}
    history.write_text('{"step": 1, "loss": 2.0}\nx\n')
    with pytest.raises(DataError, match="history.jsonl, line 2"):
        read_experiments([tmp_path / "exp"])
    (folder / "config.yaml").write_text("- a\n")
    with pytest.raises(DataError, match="config.yaml: expected names and values"):
        read_experiments([tmp_path / "exp"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{root}/exp/min"], "Did you mean 'mini'"),
        (["{root}"], "nothing to report"),
        (["{root}/exp/mini", "--scenes", "pairs"], "The nearest: pair"),
        (["{root}/exp/mini", "--data_dir", "{root}/exp"], "not a data directory"),
        (["{root}/exp/mini", "--out", "{root}/exp/mini/RESULTS.md/x.html", "--audio", "none"], "cannot be written"),
    ],
)
def test_wrong_use_is_one_message(experiments, capsys, arguments, message):
    assert main(["report", *(argument.format(root=experiments) for argument in arguments)]) == 1
    shown = capsys.readouterr().err
    assert message in shown and "Traceback" not in shown


def test_another_kind_of_audio_is_refused(experiments, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["report", str(experiments / "exp/mini"), "--audio", "ogg"])
    assert "Known: mp3, flac, none" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="Known: mp3, flac, none"):
        write_report([experiments / "exp/mini"], tmp_path / "page.html", audio="ogg")


def test_names_of_experiments_differ(experiments):
    found = read_experiments([experiments / "exp/mini/RESULTS.md", experiments / "exp/mini/RESULTS_pi.jsonl"])
    assert [system.name for system in found[0].systems] == ["mini", "pi"]
    assert {len(system.summary.recordings) for system in found[0].systems} == {len(SCENES)}
    first, second = (system.models for system in found[0].systems)
    assert first["tagger"] == second["tagger"] and first["separator"] != second["separator"]


def test_a_folder_whose_name_is_not_utf8(experiments, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    shutil.copytree(experiments / "exp/other", folder)
    assert "<h1>Report of caf?</h1>" in write_report([folder], tmp_path / "page.html", audio="none").read_text()
