"""Calibration: the decision, its file, and the search with a tagger whose fault is known."""

import json
import logging

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from s5lib.data import DataDirectory, Recording
from s5lib.errors import CheckpointError, ConfigError, DataError
from s5lib.evaluation.calibration_gain import describe_gain, gain_report
from s5lib.evaluation.tuning import tune_calibration
from s5lib.interfaces import ModelConfig
from s5lib.systems import Calibration, TagThenSeparate
from s5lib.systems.calibration import calibration_file, decide, find_calibration, with_threshold

LABELS, RATE, SAMPLES, SCENES = ["Cough", "Dog", "Speech"], 8000, 800, 24
CONFIG = ModelConfig(num_classes=3, num_sources=2, num_channels=1, sample_rate=RATE)


class PresetTagger(nn.Module):
    """Knows each scene by its first sample, and gives the logits that were set for it."""

    def __init__(self, logits):
        super().__init__()
        self.config, self.logits = CONFIG, torch.tensor(logits, dtype=torch.float32)

    def forward(self, mixture):
        return self.logits[(1000 * mixture[:, 0, 0]).round().long() - 1]


class HalfSeparator(nn.Module):
    """Removes half of what is not asked for: source k is the band in which only label k lives, plus half the rest."""

    def __init__(self):
        super().__init__()
        self.config = CONFIG

    def forward(self, mixture, query):
        spectrum = torch.fft.rfft(mixture[:, 0])
        band = torch.arange(spectrum.shape[-1]) // (spectrum.shape[-1] // len(LABELS) + 1)
        mask = 0.5 + 0.5 * (band == query.argmax(-1)[..., None])
        return torch.fft.irfft(spectrum[:, None] * mask, n=mixture.shape[-1]) * query.any(-1, keepdim=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Scenes of none to two distinct labels, each a tone in the label's band; the first sample tells the scene."""
    folder, generator, recordings = tmp_path_factory.mktemp("scenes"), np.random.default_rng(0), []
    time = np.arange(SAMPLES) / RATE
    for index in range(SCENES):
        chosen = sorted(generator.permutation(3)[: index % 3])
        sources = [
            np.sin(2 * np.pi * (500 + 1300 * c) * time + generator.uniform(0, 6)) * generator.uniform(0.1, 0.2)
            for c in chosen
        ]
        mixture = sum(sources, 0.002 * generator.standard_normal(SAMPLES))
        mixture[0] = (index + 1) / 1000
        paths = [folder / f"{index:02d}_{k}.wav" for k in range(len(sources))]
        for path, source in zip(paths, sources, strict=True):
            soundfile.write(path, source, RATE, "FLOAT")
        soundfile.write(folder / f"{index:02d}.wav", mixture, RATE, "FLOAT")
        labels = tuple(LABELS[c] for c in chosen)
        recordings.append(
            Recording(f"{index:02d}", str(folder / f"{index:02d}.wav"), labels, tuple(map(str, paths)), SAMPLES)
        )
    return DataDirectory.write(folder / "data", recordings)


def logits(data, timid=0.0, favourite=0.0):
    """Of a tagger that is right, but prefers silence by ``timid``, and names Cough by ``favourite``, in each slot."""
    table = np.zeros((SCENES, 2, 4)) + 0.05 * np.random.default_rng(1).standard_normal((SCENES, 2, 4))
    for row, recording in zip(table, data, strict=True):
        for slot in range(2):
            right = LABELS.index(recording.labels[slot]) if slot < len(recording.labels) else 3
            row[slot, right] += 1.0
    table[..., 3] += timid
    table[..., 0] += favourite
    return table


def system(table, **more):
    return TagThenSeparate(PresetTagger(table), HalfSeparator(), LABELS, **more)


class TestDecision:
    def test_without_biases_the_likeliest_is_taken(self):
        probabilities = np.random.default_rng(0).dirichlet(np.ones(4), (100, 2)).astype(np.float32)
        for slots in probabilities:
            best = sorted((int(row.argmax()), float(row.max())) for row in slots)
            expected = [(LABELS[c], p) for c, p in best if c < 3]
            assert decide(slots, LABELS) == decide(slots, LABELS, Calibration()) == expected

    def test_biases(self):
        slots = np.array([[0.2, 0.3, 0.1, 0.4], [0.0, 0.0, 0.0, 1.0]])
        assert decide(slots, LABELS) == []
        assert decide(slots, LABELS, Calibration(-0.5)) == [("Dog", 0.3)]
        assert decide(slots, LABELS, Calibration(-0.5, (("Cough", 0.6),))) == [("Cough", 0.2)]
        assert len(decide(slots, LABELS, Calibration(-100.0))) == 2

    def test_a_class_that_the_tagger_does_not_know(self):
        with pytest.raises(CheckpointError, match="a bias for Rain"):
            decide(np.ones((1, 4)) / 4, LABELS, Calibration(0, (("Rain", 1.0),)))


class TestFile:
    @pytest.fixture
    def checkpoint(self, tmp_path):
        path = tmp_path / "model.safetensors"
        path.write_bytes(b"weights")
        return path

    def test_is_found_beside_the_checkpoint_and_told(self, checkpoint, caplog, monkeypatch):
        monkeypatch.setattr(logging.getLogger("s5lib"), "propagate", True)
        caplog.set_level(logging.INFO, "s5lib")
        calibration = Calibration(0.5, (("Dog", -1.0),))
        assert find_calibration("auto", checkpoint) is None
        calibration.write(calibration_file(checkpoint), checkpoint, {"what": "ever"})
        assert (
            find_calibration("auto", checkpoint)
            == find_calibration(calibration_file(checkpoint), checkpoint)
            == calibration
        )
        assert "silence +0.5, Dog -1" in caplog.text
        assert find_calibration("none", checkpoint) is find_calibration(None, checkpoint) is None
        assert find_calibration(calibration, checkpoint) is calibration
        assert [path.name for path in checkpoint.parent.iterdir() if path.name.startswith(".")] == []

    def test_of_other_weights_is_not_used(self, checkpoint, caplog, monkeypatch):
        monkeypatch.setattr(logging.getLogger("s5lib"), "propagate", True)
        Calibration(0.5).write(calibration_file(checkpoint), checkpoint, {})
        checkpoint.write_bytes(b"trained on")
        assert find_calibration("auto", checkpoint) is None
        assert "tuned for other weights" in caplog.text
        with pytest.raises(CheckpointError, match="tuned for other weights"):
            find_calibration(calibration_file(checkpoint), checkpoint)

    @pytest.mark.parametrize(
        "content",
        ["", "{", "[]", '{"format": 1}', '{"format": 1, "silence": 1e999, "classes": {}, "checkpoint_sha256": ""}'],
    )
    def test_damaged(self, checkpoint, content):
        calibration_file(checkpoint).write_text(content)
        with pytest.raises(CheckpointError, match="is no calibration"):
            find_calibration("auto", checkpoint)

    def test_missing(self, checkpoint):
        with pytest.raises(ConfigError, match="No such file"):
            find_calibration(checkpoint.parent / "other.json", checkpoint)
        with pytest.raises(ConfigError, match="needs a tagger that predicts labels"):
            find_calibration("FILE", None)
        assert find_calibration("auto", None) is None


class TestThreshold:
    SLOTS = np.array([[0.1, 0.35, 0.05, 0.5], [0.6, 0.3, 0.1, 0.0]])

    @pytest.mark.parametrize(
        ("threshold", "found"), [(0.0, ["Cough", "Dog"]), (0.3, ["Cough", "Dog"]), (0.5, ["Cough"]), (0.7, []), (1, [])]
    )
    def test_takes_the_place_of_silence(self, threshold, found):
        for silence in (-9.0, 0.0, 9.0):
            decided = decide(self.SLOTS, LABELS, Calibration(silence=silence, threshold=threshold))
            assert [label for label, _ in decided] == found

    def test_biases_of_classes_choose_and_probabilities_are_the_taggers_own(self):
        favoured = Calibration(classes=(("Dog", 3.0),), threshold=0.25)
        assert decide(self.SLOTS, LABELS, favoured) == [("Dog", 0.3), ("Dog", 0.35)]

    @given(arrays(float, (3, 4), elements=st.floats(0, 1)), st.floats(0, 1), st.floats(0, 1))
    def test_a_higher_one_finds_no_more(self, slots, one, other):
        low, high = (decide(slots, LABELS, Calibration(threshold=p)) for p in sorted((one, other)))
        assert set(high) <= set(low) and all(p >= max(one, other) for _, p in high)

    def test_none_changes_nothing(self):
        assert with_threshold(None, None) is None and with_threshold(Calibration(1.0), None) == Calibration(1.0)
        assert "threshold" not in Calibration(1.0).as_json() and with_threshold(None, 0.2).as_json()["threshold"] == 0.2

    @pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
    def test_is_a_probability(self, threshold):
        with pytest.raises(ConfigError, match="--threshold"):
            with_threshold(None, threshold)


class TestSearch:
    def test_a_timid_tagger_is_encouraged(self, data):
        tuned = tune_calibration(system(logits(data, timid=1.5)), data, classes=False)
        assert -2.5 < tuned.calibration.silence < -0.5 and tuned.calibration.classes == ()
        labels = [
            sum((s.labels for s in scores[1:]), scores[0].labels) for scores in (tuned.plain, tuned.kept.held_out)
        ]
        assert labels[0].mixture < 0.5 and labels[1].mixture == 1
        assert gain_report(tuned)["tried"]["bias of silence"]["gain_held_out"]["low"] > 0
        assert "hardly by chance" in describe_gain(tuned)

    def test_nothing_is_changed_where_nothing_gains(self, data):
        tuned = tune_calibration(system(logits(data)), data)
        assert tuned.kept is None and tuned.calibration == Calibration()
        assert "the decisions stay as they are" in describe_gain(tuned)
        assert json.loads(json.dumps(gain_report(tuned)))["kept"] is None

    def test_a_favourite_class_is_held_back(self, data):
        tuned = tune_calibration(system(logits(data, favourite=1.5)), data)
        cough, dog, speech, _ = tuned.calibration.biases(LABELS)
        assert tuned.kept is tuned.trials[1] and cough < min(dog, speech)  # only differences count
        mixture = [
            sum((s.labels for s in scores[1:]), scores[0].labels).mixture
            for scores in (tuned.plain, tuned.kept.held_out)
        ]
        assert mixture[1] > mixture[0]

    def test_scores_are_those_of_the_system(self, data):
        """What was looked up is what the calibrated system gives when it is run."""
        from s5lib.metrics import ca_pi_sdri

        table = logits(data, timid=1.5)
        tuned = tune_calibration(system(table), data, classes=False)
        calibrated = system(table, calibration=tuned.calibration)
        for recording, score in list(zip(data, tuned.kept.tuned, strict=True))[:6]:
            mixture = soundfile.read(recording.mixture, dtype="float32")[0]
            references = [soundfile.read(path, dtype="float32")[0] for path in recording.sources]
            sources = calibrated(mixture, RATE)
            direct = ca_pi_sdri(
                [s.waveform for s in sources], [s.label for s in sources], references, recording.labels, mixture
            )
            assert (direct.value, direct.fp, direct.fn) == (pytest.approx(score.value), score.fp, score.fn)

    def test_each_set_of_labels_is_separated_once(self, data):
        tuned = tune_calibration(system(logits(data)), data, classes=False)
        assert tuned.separations <= 2 * SCENES

    @pytest.mark.parametrize(
        ("folds", "error", "message"), [(1, ConfigError, "--folds is 1"), (25, DataError, "too few for 25")]
    )
    def test_folds(self, data, folds, error, message):
        with pytest.raises(error, match=message):
            tune_calibration(system(logits(data)), data, folds=folds)

    def test_what_cannot_be_tuned(self, data, tmp_path):
        with pytest.raises(ConfigError, match="needs a tagger and a separator"):
            tune_calibration(TagThenSeparate(None, HalfSeparator(), LABELS), data)
        without = [Recording(r.id, r.mixture, r.labels) for r in data]
        with pytest.raises(DataError, match="00 has no references|01 has no references"):
            tune_calibration(system(logits(data)), DataDirectory.write(tmp_path / "d", without))

    def test_labels_that_the_models_do_not_know(self, data, tmp_path):
        """Tuned on foreign data, a calibration would find every source of those labels missing."""
        foreign = [Recording(r.id, r.mixture, ("Owl",) * len(r.labels), r.sources) for r in data]
        with pytest.raises(DataError, match="'Owl'.*Known: Cough, Dog, Speech"):
            tune_calibration(system(logits(data)), DataDirectory.write(tmp_path / "d", foreign))
