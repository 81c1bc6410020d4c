import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s5lib.errors import ConfigError
from s5lib.models.frontend import LogMel, ShortTimeFourier, mel_filter_bank

from . import reference


@pytest.mark.parametrize("case", reference.VALUES["frontend"], ids=lambda case: f"{case['samples']} samples")
def test_log_mel_agrees_with_reference(case):
    log_mel = LogMel(80, 800, 320, 32000, 50.0, 16000.0)
    features = (log_mel(reference.mixture(case, 0.05)[:, :1]) + 7.1) / 4.2
    assert reference.relative_error(features.flatten()[case["index"]], case["value"]) < 1e-5
    assert features.norm().item() == pytest.approx(case["l2"], rel=1e-5)


def slaney_bank(n_mels, n_fft, sample_rate, f_min, f_max):
    """Triangles on Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, 27 steps per factor 6.4 above."""

    def mel(hertz):
        return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)

    mels = np.linspace(mel(f_min), mel(f_max), n_mels + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    corners = zip(edges[:-2], edges[1:-1], edges[2:], strict=True)
    return np.stack([np.interp(bins, (a, b, c), (0, 2 / (c - a), 0)) for a, b, c in corners], 1)


@pytest.mark.parametrize(
    "sizes", [(80, 800, 32000, 50.0, 16000.0), (64, 512, 16000, 0.0, 8000.0), (20, 400, 11025, 0.0, 5512.5)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mel_filters_are_slaneys_whatever_the_default_type(sizes, dtype):
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"):
            bank = mel_filter_bank(*sizes)
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)
    assert bank.numpy() == pytest.approx(slaney_bank(*sizes), rel=1e-9, abs=1e-15)


def test_mel_filters_cover_their_band_evenly():
    bank = mel_filter_bank(40, 2048, 16000, 100.0, 8000.0)
    area = bank.sum(0) * 16000 / 2048
    assert area[20:].numpy() == pytest.approx(1, rel=0.02)
    assert (bank.argmax(0).diff() >= 0).all()


def test_torchaudio_that_does_not_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio.functional", None)
    with pytest.raises(ConfigError, match=f"torchaudio does not load .* torch {torch.__version__[:4]}"):
        mel_filter_bank(80, 800, 32000, 50.0, 16000.0)


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


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_ends_of_any_length_come_back(data):
    """Identity keeps the waveform; and what is not a spectrum of any waveform, as masks leave it, gives no burst."""
    n_fft = 2 * data.draw(st.integers(2, 300))
    hop = data.draw(st.integers(1, n_fft // 2))
    length = data.draw(st.one_of(st.integers(1, 5 * n_fft), st.integers(1, 9).map(lambda n: max(1, n * hop - 1))))
    fourier = ShortTimeFourier(n_fft, hop)
    torch.manual_seed(0)
    waveform = torch.randn(1, length)
    spectrum = fourier(waveform)
    assert (fourier.inverse(spectrum, length) - waveform).abs().max() < 1e-4
    noise = torch.view_as_complex(torch.randn(1, *spectrum.shape[1:], 2))
    many = torch.cat([noise, noise.roll(1, 1), noise.roll(2, 1)])
    found = fourier.inverse(many, length)
    inside = fourier.inverse(torch.cat([many] * 3, 1), 3 * length).abs().max()
    assert found.abs().max() < 5 * inside


def test_ordinary_sizes_are_not_padded():
    for n_fft, hop in ((1024, 160), (1024, 256), (800, 200), (512, 128)):
        fourier = ShortTimeFourier(n_fft, hop)
        for length in (n_fft, n_fft + hop - 1, 3 * n_fft + 1):
            assert fourier(torch.zeros(length)).shape[0] == length // hop + 1
    assert ShortTimeFourier(512, 256)(torch.zeros(1023)).shape[0] == 5


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_imaginary_parts_that_no_signal_has_do_not_count(device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU")
    fourier = ShortTimeFourier(1024, 160).to(device)
    for batch in (1, 2, 3, 6, 7):  # cuFFT treats them differently for some
        spectrum = fourier(torch.randn(batch, 8000, device=device))
        changed = spectrum.clone()
        changed[..., 0] += 3j
        changed[..., -1] -= 2j
        found, expected = fourier.inverse(changed, 8000), fourier.inverse(spectrum, 8000)
        assert (found - expected).abs().max() < 1e-5
