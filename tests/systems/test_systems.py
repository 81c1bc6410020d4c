"""The systems with models that follow a script, so that each decision can be seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s5lib.errors import ConfigError, DataError
from s5lib.interfaces import JointModel, ModelConfig, Separator, Tagger
from s5lib.systems import Calibration, Iterative, Joint, TagThenSeparate
from s5lib.systems.iterative import scaled_by_share
from s5lib.systems.spatial_filter import spatially_filtered

LABELS = ["Bell", "Dog", "Rain"]
CONFIG = ModelConfig(num_classes=3, num_sources=2, num_channels=4, sample_rate=8000)
SILENCE = 3


def logits(*slots):
    """Return ``[1, K, C + 1]`` from one mapping of class to probability per slot; the rest is spread evenly."""
    rows = []
    for slot in slots:
        rest = (1 - sum(slot.values())) / (4 - len(slot))
        rows.append([np.log(max(slot.get(c, rest), 1e-9)) for c in range(4)])
    return torch.tensor(rows, dtype=torch.float32)[None]


class ScriptedTagger(Tagger):
    """Gives its answers in turn: one call, one answer (for each item of the batch)."""

    def __init__(self, *answers):
        super().__init__(CONFIG)
        self.answers, self.heard = list(answers), []

    def forward(self, mixture):
        self.heard.append(mixture)
        return self.answers.pop(0).expand(len(mixture), -1, -1)


class Gain(Separator):
    """Gives the mixture's reference channel times the class index + 1, halved; remembers what it was asked."""

    def __init__(self):
        super().__init__(CONFIG)
        self.asked = []

    def forward(self, mixture, query):
        self.asked.append(
            [LABELS[c] for row, c in zip(query[0], query[0].argmax(-1).tolist(), strict=True) if row.any()]
        )
        return mixture[:, :1] * (query * torch.arange(1, 4)).sum(-1, keepdim=True) / 8


class ScriptedJoint(JointModel):
    def __init__(self, answer):
        super().__init__(CONFIG)
        self.answer = answer

    def forward(self, mixture):
        return self.answer, torch.stack([mixture[:, 0], -mixture[:, 0]], 1)


@pytest.fixture
def mixture():
    return np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32)


DOG_ALONE = logits({1: 0.9}, {SILENCE: 0.97})


def test_a_likelier_label_replaces_the_old_one_and_the_source_is_separated_again(mixture):
    rain = logits({2: 0.8, 1: 0.1}, {SILENCE: 0.97})
    separator = Gain()
    sources = Iterative(ScriptedTagger(DOG_ALONE, rain, rain), separator, LABELS)(mixture, 8000)
    assert separator.asked == [["Dog"], ["Rain"]]
    assert [source.label for source in sources] == ["Rain"]
    assert sources[0].probability == pytest.approx(0.8, abs=0.05)
    filtered = spatially_filtered(torch.from_numpy(mixture), torch.from_numpy(mixture[:1] * 3 / 8), 8000)
    np.testing.assert_allclose(sources[0].waveform, filtered[0], rtol=1e-6)


@pytest.mark.parametrize("new, old", [(0.59, 0.01), (0.75, 0.2)])
def test_a_label_that_is_not_clearly_likelier_changes_nothing(mixture, new, old):
    separator, answer = Gain(), logits({2: new, 1: old}, {SILENCE: 0.999})
    sources = Iterative(ScriptedTagger(DOG_ALONE, answer), separator, LABELS)(mixture, 8000)
    assert separator.asked == [["Dog"]]
    assert sources[0].label == "Dog" and sources[0].probability == pytest.approx(0.9)


def test_a_slot_of_silence_is_dropped(mixture):
    silent = logits({SILENCE: 0.999}, {SILENCE: 0.999})
    assert Iterative(ScriptedTagger(DOG_ALONE, silent), Gain(), LABELS)(mixture, 8000) == []
    unsure = logits({SILENCE: 0.97}, {SILENCE: 0.97})
    assert len(Iterative(ScriptedTagger(DOG_ALONE, unsure), Gain(), LABELS)(mixture, 8000)) == 1


def test_rounds_end_at_their_number_and_where_labels_come_back(mixture):
    to_rain, to_dog = logits({2: 0.9}, {SILENCE: 0.97}), DOG_ALONE
    one = Gain()
    Iterative(ScriptedTagger(DOG_ALONE, to_rain), one, LABELS, rounds=1)(mixture, 8000)
    assert one.asked == [["Dog"], ["Rain"]]
    many = Gain()
    sources = Iterative(ScriptedTagger(DOG_ALONE, to_rain, to_dog), many, LABELS, rounds=50)(mixture, 8000)
    assert many.asked == [["Dog"], ["Rain"], ["Dog"]] and sources[0].label == "Dog"


def test_given_labels_are_final(mixture):
    tagger, separator = ScriptedTagger(), Gain()
    sources = Iterative(tagger, separator, LABELS)(mixture, 8000, ["Bell", "Bell"])
    assert [source.label for source in sources] == ["Bell", "Bell"] and tagger.heard == []


def test_the_tagger_hears_each_source_in_the_mixtures_channels(mixture):
    tagger = ScriptedTagger(DOG_ALONE, DOG_ALONE)
    Iterative(tagger, Gain(), LABELS)(mixture, 8000)
    heard = tagger.heard[1]
    assert heard.shape == (1, 4, 1000)
    np.testing.assert_allclose(heard[0].numpy(), mixture * 0.25, atol=1e-5)  # the estimate is a quarter of the mixture


@pytest.mark.parametrize("samples", [1, 7, 255, 1023, 4001])
def test_shares_add_up_and_keep_the_ratios_of_the_channels(samples):
    generator = torch.Generator().manual_seed(0)
    source, other = torch.randn(2, samples, generator=generator)
    gains = torch.tensor([1.0, 0.5, -0.3, 0.0])[:, None]
    mixture = gains * (source + other)
    heard = scaled_by_share(mixture, torch.stack([source, other]), 8000)
    assert heard.shape == (2, 4, samples) and heard.isfinite().all()
    torch.testing.assert_close(heard.sum(0), mixture, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(heard[0], gains * heard[0, :1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("option", [{"rounds": 0}, {"margin": -0.1}, {"silence": 2}])
def test_wrong_gates_are_refused(option):
    with pytest.raises(ConfigError, match=f"{next(iter(option))} is"):
        Iterative(ScriptedTagger(), Gain(), LABELS, **option)


def test_joint_system_gives_its_slots_in_the_order_of_the_labels_without_silence(mixture):
    two = Joint(ScriptedJoint(logits({2: 0.7}, {0: 0.6})), LABELS)(mixture, 8000)
    assert [source.label for source in two] == ["Bell", "Rain"]
    assert [source.probability for source in two] == pytest.approx([0.6, 0.7])
    np.testing.assert_array_equal(two[0].waveform, -mixture[0])
    one = Joint(ScriptedJoint(logits({SILENCE: 0.7}, {1: 0.6})), LABELS)(mixture, 8000)
    assert [source.label for source in one] == ["Dog"]


def test_joint_system_with_a_threshold(mixture):
    answer = logits({2: 0.35, SILENCE: 0.6}, {0: 0.6})
    assert [source.label for source in Joint(ScriptedJoint(answer), LABELS)(mixture, 8000)] == ["Bell"]
    found = Joint(ScriptedJoint(answer), LABELS, calibration=Calibration(threshold=0.3))(mixture, 8000)
    assert [(source.label, round(source.probability, 2)) for source in found] == [("Bell", 0.6), ("Rain", 0.35)]


def test_joint_system_takes_no_labels(mixture):
    with pytest.raises(ConfigError, match="predicts the labels itself"):
        Joint(ScriptedJoint(DOG_ALONE), LABELS)(mixture, 8000, ["Dog"])


def systems():
    yield Joint(ScriptedJoint(DOG_ALONE), LABELS)
    yield TagThenSeparate(ScriptedTagger(DOG_ALONE), Gain(), LABELS)
    yield Iterative(ScriptedTagger(DOG_ALONE, DOG_ALONE), Gain(), LABELS)


@pytest.mark.parametrize("system", systems(), ids=lambda system: type(system).__name__)
def test_what_all_systems_share(system, mixture):
    assert system(np.zeros((4, 100)), 8000) == []
    with pytest.raises(DataError, match="has 1 channel, the system needs 4"):
        system(mixture[0], 8000)
    with pytest.raises(DataError, match="not finite: channel 2, sample 5"):
        system(np.where((np.arange(4) == 2)[:, None] & (np.arange(1000) == 5), np.nan, mixture), 8000)
    with pytest.raises(ConfigError, match="unknown"):
        system(mixture, 8000, ["Bel"])
    with pytest.raises(ConfigError, match="2 slots"):
        system(mixture, 8000, ["Bell"] * 3)
    assert [len(source.waveform) for source in system(mixture, 16000)] == [500]


def a_system():
    return TagThenSeparate(ScriptedTagger(*[DOG_ALONE] * 4), Gain(), LABELS)


@pytest.mark.parametrize("labels", ["Dog", "D", {"Dog": 1}, 3, [3], b"Dog"])
def test_labels_that_are_no_list_are_refused(mixture, labels):
    separator = Gain()
    with pytest.raises(ConfigError, match="expected a list"):
        TagThenSeparate(None, separator, LABELS)(mixture, 8000, labels=labels)
    assert separator.asked == []


def test_labels_may_be_any_sequence(mixture):
    for labels in (["Dog"], ("Dog",), np.array(["Dog"])):
        assert [source.label for source in a_system()(mixture, 8000, labels=labels)] == ["Dog"]


@pytest.mark.parametrize(
    ("dtype", "fix"),
    [
        ("int16", "waveform / 32768"),
        (">i2", "waveform / 32768"),
        ("int32", "waveform / 2147483648"),
        ("uint8", "waveform / 128 - 1"),
    ],
)
def test_integers_are_not_scaled_in_silence(mixture, dtype, fix):
    with pytest.raises(DataError, match=f"pass {fix}"):
        a_system()((mixture * 20).astype(dtype), 8000)


def test_integers_scaled_as_the_error_says_are_what_was_recorded(mixture):
    integers = np.round(mixture / 8 * 32768).astype(np.int16)
    one, two = a_system()(integers / 32768, 8000), a_system()(np.round(mixture / 8 * 32768) / 32768, 8000)
    np.testing.assert_array_equal(one[0].waveform, two[0].waveform)


@pytest.mark.parametrize("shape", [(1000, 4), (48000, 2), (100, 1), (1000, 8)])
def test_samples_first_is_recognised(shape):
    with pytest.raises(DataError, match="waveform.T"):
        a_system()(np.ones(shape, np.float32), 8000)


@pytest.mark.parametrize("waveform", [np.zeros((4, 0)), np.zeros(()), np.zeros((1, 4, 9)), [[1.0], [1.0, 2.0]], "a"])
def test_what_is_no_waveform(waveform):
    with pytest.raises(DataError, match="waveform"):
        a_system()(waveform, 8000)


@pytest.mark.parametrize("rate", [None, "8000", True, 0, -8000, 48, 44.1, 8000.5, float("nan"), float("inf"), [8000]])
def test_wrong_rates(mixture, rate):
    with pytest.raises(DataError, match="rate is .*expected"):
        a_system()(mixture, rate)


def test_a_rate_in_kilohertz_is_recognised(mixture):
    with pytest.raises(DataError, match="pass 44100"):
        a_system()(mixture, 44.1)


def test_tensors_and_doubles_are_arrays(mixture):
    expected = a_system()(mixture, 8000)[0].waveform
    for waveform in (torch.from_numpy(mixture).requires_grad_(), mixture.astype(np.float64), mixture.tolist()):
        np.testing.assert_allclose(a_system()(waveform, np.int64(8000))[0].waveform, expected, rtol=1e-6)


def test_sources_know_their_sampling_rate():
    system = TagThenSeparate(ScriptedTagger(logits({1: 0.9}, {SILENCE: 0.9})), Gain(), LABELS)
    (source,) = system(np.ones((4, 4000), np.float32), 16000)
    assert source.sample_rate == system.sample_rate == 8000 and len(source.waveform) == 2000
