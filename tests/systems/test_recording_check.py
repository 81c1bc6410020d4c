"""Warnings of recordings that are unlike the training mixtures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s5lib.audio import resample
from s5lib.audio.bandwidth import BandwidthMeter
from s5lib.data.statistics import MixtureStatistics
from s5lib.interfaces import ModelConfig
from s5lib.models.configs import InputConfig
from s5lib.systems import Source, System
from s5lib.systems.recording_check import RecordingCheck

RATE = 16000
WINDOW = np.ones((1, RATE), np.float32)
STATISTICS = MixtureStatistics(-35.0, -45.0, -30.0, 7000.0, -8.0, 4.0, 0.0, 4.0)


class Deaf(System):
    def find_sources(self, mixture, labels):
        return []


def check(config=None, statistics=STATISTICS, predicted=True):
    config = config or ModelConfig(num_classes=2, num_sources=3, num_channels=1, sample_rate=RATE)
    system = Deaf([config], ["Dog", "Rain"])
    system.statistics = statistics
    return RecordingCheck(system, predicted)


def source(probability=0.9):
    return Source("Dog", probability, np.zeros(1, np.float32))


def noise(seconds=1.0, rate=RATE):
    return np.random.default_rng(0).standard_normal(round(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize(("level", "warns"), [(-52, True), (-50, False), (-25, False), (-23, True), (None, False)])
def test_level(level, warns):
    assert bool(check().warnings(level)) is warns


def test_level_of_models_that_do_not_depend_on_it():
    config = InputConfig(num_classes=2, num_sources=3, num_channels=1, sample_rate=RATE, normalize_level=True)
    assert check(config).warnings(-60.0) == [] and "level" in check(config).warnings(-80.0)[0]


@pytest.mark.parametrize(("rate", "warns"), [(RATE, False), (12000, False), (6000, True)])
def test_bandwidth_of_what_was_recorded_at_a_lower_rate(rate, warns):
    subject = check()
    subject.hear(resample(noise(2, rate), rate, RATE)[None])
    assert any("Hz" in warning for warning in subject.warnings(-35.0)) is warns


@pytest.mark.parametrize("cutoff", [1000, 3000, 6000])
def test_bandwidth_is_that_of_filtered_noise(cutoff):
    spectrum = np.fft.rfft(noise(2))
    spectrum[np.fft.rfftfreq(2 * RATE, 1 / RATE) > cutoff] = 0
    meter, samples = BandwidthMeter(RATE), np.fft.irfft(spectrum).astype(np.float32)
    for part in np.split(samples, 4):
        meter.add(part)
    assert meter.hertz == pytest.approx(cutoff, abs=2 * RATE / 64)
    assert BandwidthMeter(RATE).hertz is None


GAINS = st.sampled_from([0, 1e-6, 1e-3, 0.1, 0.4, 0.6, 1])


@given(st.lists(GAINS, min_size=1, max_size=4), st.sampled_from([0, 0, 0.5, -3]), st.lists(st.integers(0, RATE)))
def test_a_first_channel_that_others_drown(gains, offset, cuts):
    """Found at any part sizes; a constant is no sound, and a silent recording has no channel that is too soft."""
    subject = check(ModelConfig(num_classes=2, num_sources=3, num_channels=4, sample_rate=RATE), None)
    recording = np.array(gains, np.float32)[:, None] * noise() + np.float32(offset)
    for part in np.split(recording, sorted(cuts), axis=1):
        subject.hear(part)
    found = [warning for warning in subject.warnings(None) if "first channel" in warning]
    assert len(found) == (gains[0] < 0.5 * max(gains))
    if found and gains[0] > 1e-5:
        assert f"{20 * np.log10(max(gains) / gains[0]):.0f} dB below" in found[0]
    elif found and not gains[0]:
        assert "silent" in found[0]


@given(
    st.integers(0, 3),
    st.one_of(st.none(), st.floats(-60, -22), st.floats(-18, 40)),
    st.floats(-80, 0),
    st.sampled_from([-1, 1]),
    st.lists(st.integers(0, RATE)),
)
def test_an_offset_is_named_at_any_level(channel, offset_db, level, sign, cuts):
    """In dB relative to the sound, in any one channel, heard in parts of any size; silence has none."""
    subject = check(ModelConfig(num_classes=2, num_sources=3, num_channels=4, sample_rate=RATE), None)
    sound = noise()[None] * np.ones((4, 1), np.float32)
    recording = (sound - sound.mean()) / sound.std() * 10 ** (level / 20)
    if offset_db is not None:
        recording[channel] += sign * 10 ** ((level + offset_db) / 20)
    for part in np.split(recording, sorted(cuts), axis=1):
        subject.hear(part)
    found = [warning for warning in subject.warnings(None) if "DC offset" in warning]
    assert bool(found) == (offset_db is not None and offset_db > -20)
    for named in (float(warning.partition("offset is ")[2].split()[0]) for warning in found):
        assert named == pytest.approx(level + offset_db, abs=0.6)


def test_silence_has_no_offset():
    subject = check(statistics=None)
    subject.hear(0 * WINDOW)
    assert subject.warnings(None) == []


def test_uncertain_labels():
    subject = check()
    subject.add_window([source(0.3), source(0.4)], WINDOW)
    assert "35 %" in subject.warnings(-35.0)[0]
    subject.add_window([source(0.9)], WINDOW)
    assert subject.warnings(-35.0) == []


def test_as_many_sources_as_there_are_slots_in_nearly_all_windows():
    subject = check()
    for _ in range(5):
        subject.add_window([source()] * 3, WINDOW)
    assert "5 of 5 windows have 3 sources" in subject.warnings(-35.0)[0]
    subject.add_window([source()], WINDOW)
    subject.add_window([], WINDOW)
    assert subject.warnings(-35.0) == []


@pytest.mark.parametrize(
    ("channels", "gains", "is_filtered", "warns"),
    [
        (4, (1, 0, 1e-4, 0), True, True),
        (4, (1,), True, True),
        (4, (1, 0, 0, 0.1), True, False),
        (4, (1,), False, False),
        (1, (1,), True, False),
    ],
)
@pytest.mark.parametrize("predicted", [True, False])
def test_a_spatial_filter_without_directions(channels, gains, is_filtered, warns, predicted):
    subject = check(ModelConfig(num_classes=2, num_sources=3, num_channels=channels, sample_rate=RATE), None, predicted)
    subject._system.spatial_filter = is_filtered
    window = np.array(gains, np.float32)[:, None] * noise()
    for sources in ([source()], [], [source()]):
        subject.add_window(sources, window)
    assert [warning for warning in subject.warnings(-35.0) if "no directions" in warning] == subject.warnings(-35.0)
    assert len(subject.warnings(-35.0)) == warns
    subject.add_window([source()], noise() * np.ones((2, 1), np.float32))
    assert subject.warnings(-35.0) == []


def test_given_labels_say_nothing():
    subject = check(predicted=False)
    for _ in range(5):
        subject.add_window([source(0.1)] * 3, WINDOW)
    assert subject.warnings(-35.0) == []


def test_models_that_do_not_say_what_they_were_trained_on():
    subject = check(statistics=None)
    subject.hear(np.sin(np.arange(RATE), dtype=np.float32)[None])
    assert subject.warnings(-90.0) == []
