"""Sources followed through the windows of a long recording, and recordings read piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.audio import ActivityDetector, ChannelLayout, active_segments, open_audio, read_audio, resample
from s5lib.errors import DataError
from s5lib.systems import Source
from s5lib.systems.streaming import concat, stream

WINDOW, OVERLAP = 100, 20


def voices(samples=1000, number=2):
    generator = np.random.default_rng(0)
    return generator.standard_normal((number, samples)).astype(np.float32)


def read_from(mixture, calls=None):
    def read(start, stop):
        if calls is not None:
            calls.append((start, stop))
        return mixture[:, start:stop]

    return read


def labelled(label, waveforms, probability=0.5):
    return [Source(label, probability, waveform) for waveform in waveforms]


@pytest.mark.parametrize("samples", [1, 19, 99, 100, 101, 119, 181, 260, 1000])
def test_what_no_window_changes_comes_out_whole_at_any_length(samples):
    mixture, calls = voices(samples), []
    blocks = list(stream(lambda m: labelled("a", m), read_from(mixture, calls), samples, WINDOW, OVERLAP))
    assert sum(block.num_samples for block in blocks) == samples
    np.testing.assert_allclose([s.waveform for s in concat(blocks)], mixture, atol=1e-6)
    assert all(
        stop - start == min(samples, WINDOW) for start, stop in calls
    )  # the last window is as long as the others


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_windows_of_any_size_on_any_grid(data):
    """Each begins on the grid, is as long as the grid allows, and the voices come out whole, in whatever order."""
    grid = data.draw(st.integers(1, 12), "grid")
    overlap = grid * data.draw(st.integers(1, 8), "overlap")
    window = overlap + grid * data.draw(st.integers(1, 12), "step")
    samples = data.draw(st.integers(1, 10 * window), "samples")
    mixture, calls, order = voices(samples, 3), [], data.draw(st.randoms(use_true_random=False), "order")

    def find(heard):
        return labelled("Speech", heard[order.sample(range(3), 3)])

    blocks = list(stream(find, read_from(mixture, calls), samples, window, overlap, grid))
    assert sum(block.num_samples for block in blocks) == samples
    assert all(start % grid == 0 and stop - start <= window for start, stop in calls)
    assert all(stop - start > min(samples, window) - grid for start, stop in calls)
    found = np.stack([source.waveform for source in concat(blocks)])
    if overlap >= 4 or samples <= window:  # over fewer samples noise can be nearer to another voice than to itself
        np.testing.assert_allclose(found[found[:, 0].argsort()], mixture[mixture[:, 0].argsort()], atol=1e-5)


def test_two_of_a_class_that_change_places_are_distinguished():
    mixture, turn = voices(), [0]

    def find(window):
        turn[0] += 1
        return labelled("Speech", window[::-1] if turn[0] % 2 else window)

    found = concat(stream(find, read_from(mixture), 1000, WINDOW, OVERLAP))
    np.testing.assert_allclose([s.waveform for s in found], mixture[::-1], atol=1e-6)


def test_a_source_pauses_and_comes_back_and_another_begins_late():
    mixture = voices()

    def find(window):
        start = int(np.flatnonzero(mixture[0] == window[0, 0])[0])
        found = labelled("Dog", window[:1], 0.3 + start / 2000) if start < 200 or start > 500 else []
        return found + (labelled("Rain", window[1:]) if start > 300 else [])

    dog, rain = concat(stream(find, read_from(mixture), 1000, WINDOW, OVERLAP))
    assert (dog.label, rain.label) == ("Dog", "Rain") and dog.probability > 0.7
    assert len(dog.waveform) == len(rain.waveform) == 1000
    assert not dog.waveform[300:500].any() and not rain.waveform[:300].any()
    np.testing.assert_allclose(dog.waveform[700:], mixture[0, 700:], atol=1e-6)
    np.testing.assert_allclose(rain.waveform[500:], mixture[1, 500:], atol=1e-6)


def test_no_more_than_the_windows_are_kept():
    """Read and given in pieces: nothing holds on to the whole."""
    calls = []
    for block in stream(
        lambda m: labelled("a", m[:1]), read_from(np.zeros((1, 10_000)), calls), 10_000, WINDOW, OVERLAP
    ):
        assert block.num_samples <= WINDOW and all(
            len(source.waveform) == block.num_samples for source in block.sources
        )
    assert calls[:2] == [(0, 100), (80, 180)]


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 7919])
def test_pieces_are_those_of_the_resampled_whole(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", 0.1 * voices(5000, 4).T, rate, subtype="FLOAT")
    whole = resample(read_audio(tmp_path / "a.wav")[0], rate, 16000)
    with open_audio(tmp_path / "a.wav", 16000) as recording:
        assert recording.num_samples == whole.shape[1]
        for start, stop in ((0, 700), (650, 1300), (1333, 1334), (recording.num_samples - 500, recording.num_samples)):
            np.testing.assert_allclose(recording.read(start, stop), whole[:, start:stop], atol=1e-6)


def test_order_of_channels_and_formats(tmp_path):
    mixture = 0.1 * voices(4000, 4)
    for file, tolerance in (("a.flac", 1e-4), ("a.ogg", 0.2), ("a.aiff", 1e-4), ("a.w64", 1e-4), ("a.caf", 1e-4)):
        soundfile.write(tmp_path / file, mixture.T, 16000)
        with open_audio(tmp_path / file, 16000, ChannelLayout(order="WXYZ")) as recording:
            np.testing.assert_allclose(recording.read(1000, 3000), mixture[[0, 2, 3, 1], 1000:3000], atol=tolerance)


@pytest.mark.parametrize("rate", [1, 999, 2_000_000_000])
def test_rates_that_cannot_be(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 1)), 8000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=f"a.wav: .*{rate}"):
        open_audio(tmp_path / "a.wav", 16000)


def test_headerless_files_are_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(DataError, match="not a recording"):
        open_audio(tmp_path / "a.raw", 16000)


class TestActivity:
    RATE = 1000

    def segments(self, *parts):
        detector = ActivityDetector(self.RATE)
        generator = np.random.default_rng(0)
        for seconds, level in parts:
            detector.add(level * generator.standard_normal(round(seconds * self.RATE)))
        return detector.segments(), detector

    def test_silence(self):
        assert self.segments((3, 0))[0] == [] and self.segments((3, 1e-5))[0] == []
        assert self.segments()[0] == [] and self.segments()[1].active_power() == 0

    def test_pauses_are_bridged_where_short(self):
        assert self.segments((1, 0.1), (0.1, 0), (1, 0.1))[0] == [(0.0, 2.1)]
        assert self.segments((1, 0.1), (0.4, 0), (1, 0.1), (1, 0))[0] == [(0.0, 1.0), (1.4, 2.4)]

    def test_hysteresis(self):
        """30 dB below the loudest: not enough to begin, enough to go on."""
        assert self.segments((1, 0.1 / 31), (1, 0.1), (1, 0.1 / 31), (1, 0))[0] == [(1.0, 3.0)]

    def test_a_click_alone_and_a_click_besides(self):
        assert self.segments((1, 0), (0.01, 0.1), (1, 0))[0] == [(1.0, 1.02)]
        assert self.segments((1, 0.1), (1, 0), (0.02, 0.1), (1, 0))[0] == [(0.0, 1.0)]

    def test_level_is_that_of_the_active_part(self):
        _, detector = self.segments((1, 0), (2, 0.1), (5, 0))
        assert 10 * np.log10(detector.active_power()) == pytest.approx(-20, abs=0.3)

    def test_pieces_make_no_difference(self):
        waveform = np.random.default_rng(1).standard_normal(1234) * np.repeat([0, 1], 617)
        one, many = ActivityDetector(self.RATE), ActivityDetector(self.RATE)
        one.add(waveform)
        for piece in np.array_split(waveform, 50):
            many.add(piece)
        np.testing.assert_allclose(one.powers, many.powers)
        assert one.segments() == many.segments() and one.peak == many.peak

    def test_stretches_never_overlap_nor_leave_the_recording(self):
        for seed in range(50):
            powers = np.random.default_rng(seed).exponential(size=100) ** 6
            flat = [time for segment in active_segments(powers, 0.02) for time in segment]
            assert flat == sorted(flat) and flat[0] >= 0 and flat[-1] <= 2
