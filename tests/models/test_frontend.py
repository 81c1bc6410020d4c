import pytest
import torch

from s5lib.models.frontend import LogMel, ShortTimeFourier, mel_filter_bank

from . import reference


@pytest.mark.parametrize("case", reference.VALUES["frontend"], ids=lambda case: f"{case['samples']} samples")
def test_log_mel_agrees_with_reference(case):
    log_mel = LogMel(80, 800, 320, 32000, 50.0, 16000.0)
    features = (log_mel(reference.mixture(case, 0.05)[:, :1]) + 7.1) / 4.2
    assert reference.relative_error(features.flatten()[case["index"]], case["value"]) < 1e-5
    assert features.norm().item() == pytest.approx(case["l2"], rel=1e-5)


def test_mel_filters_cover_their_band_evenly():
    bank = mel_filter_bank(40, 2048, 16000, 100.0, 8000.0)
    area = bank.sum(1) * 16000 / 2048
    assert area[20:] == pytest.approx(1, rel=0.02)
    assert (bank.argmax(1)[1:] >= bank.argmax(1)[:-1]).all()


@pytest.mark.parametrize("length", [1, 100, 512, 513, 3001, 16000])
def test_inverse_gives_the_waveform_back(length):
    fourier = ShortTimeFourier(1024, 160)
    waveform = torch.randn(2, 3, length)
    spectrum = fourier(waveform)
    assert spectrum.shape == (2, 3, max(length, 513) // 160 + 1, 513)
    assert torch.allclose(fourier.inverse(spectrum, length), waveform, atol=1e-5)


def test_spectrum_of_a_sine_peaks_at_its_frequency():
    fourier = ShortTimeFourier(1024, 160)
    time = torch.arange(32000) / 32000
    spectrum = fourier(torch.sin(2 * torch.pi * 4000 * time))
    assert (spectrum[10:-10].abs().argmax(-1) == 4000 * 1024 // 32000).all()


@pytest.mark.parametrize("frames", [1, 7, 26, 100])
def test_parts_are_those_of_the_whole(frames):
    fourier = ShortTimeFourier(256, 40)
    waveform = torch.randn(2, 3, 1003)
    parts = list(fourier.in_parts(waveform, frames))
    assert all(part.shape[-2] <= frames for part in parts)
    assert torch.allclose(torch.cat(parts, -2), fourier(waveform), atol=1e-5)
