"""Time-frequency front ends: log-mel energies for the tagger, the short-time spectrum for the separators.

Both compute one Fourier transform for all channels at once and stay in float32 under autocast, because the energies
span more than bfloat16's 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.errors import ConfigError

__all__ = ["LogMel", "ShortTimeFourier", "mel_filter_bank"]


def mel_filter_bank(n_mels: int, n_fft: int, sample_rate: int, f_min: float, f_max: float) -> Tensor:
    """Return triangular filters ``[n_fft // 2 + 1, n_mels]`` float64 on Slaney's mel scale, each with an area of 1 Hz.

    Raises:
        ConfigError: torchaudio does not load.

    >>> bank = mel_filter_bank(80, 800, 32000, 50.0, 16000.0)
    >>> bank.shape, bool((bank >= 0).all())
    (torch.Size([401, 80]), True)
    """
    try:
        from torchaudio.functional import melscale_fbanks  # here: only models with such filters wait for it
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"torchaudio does not load ({error}): install the release that belongs to torch {torch.__version__}."
        ) from error
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # torchaudio computes in it, and float32 errs by 1e-3 beside the edges
    try:
        with torch.device("cpu"):
            # Of twice the rate and twice the bins, the lower half: torchaudio rounds half of an odd rate.
            bank = melscale_fbanks(n_fft + 1, f_min, f_max, n_mels, 2 * sample_rate, norm="slaney", mel_scale="slaney")
    finally:
        torch.set_default_dtype(default)
    return bank[: n_fft // 2 + 1]


class ShortTimeFourier(nn.Module):
    """Short-time Fourier transform with a periodic Hann window, centred frames and mirrored edges, and its inverse."""

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int):
        super().__init__()
        self.n_fft, self.hop_length = n_fft, hop_length
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self._reach = _reach(n_fft, hop_length)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map ``[..., T]``, T > 0, to the complex spectrum ``[..., frames, n_fft // 2 + 1]``.

        The frames come before the bins: that is how the Fourier transform lays them out.  There are
        ``T // hop_length + 1`` of them, after padding with zeros to at least ``n_fft // 2 + 1`` samples, and to the
        next multiple of ``hop_length`` where the last samples would lie at the very edge of the last window: there
        :meth:`inverse` would divide by next to nothing.
        """
        return next(self.in_parts(F.pad(waveform, (0, self._padded(waveform.shape[-1]) - waveform.shape[-1]))))

    def _padded(self, length: int) -> int:
        length = max(length, self.n_fft // 2 + 1)
        beyond = length % self.hop_length
        return length if beyond <= self._reach else length - beyond + self.hop_length

    def in_parts(self, waveform: Tensor, frames: int | None = None) -> Iterator[Tensor]:
        """Yield the spectrum of :meth:`forward` in parts of at most so many frames, which take less memory."""
        edge, hop = self.n_fft // 2, self.hop_length
        padded = waveform.float().reshape(-1, waveform.shape[-1])
        padded = F.pad(padded, (0, max(0, edge + 1 - waveform.shape[-1])))
        count = padded.shape[-1] // hop + 1
        padded = F.pad(padded, (edge, edge), mode="reflect")
        for first in range(0, count, frames or count):
            last = min(count, first + (frames or count)) - 1
            with torch.autocast(waveform.device.type, enabled=False):  # left again before the caller goes on
                spectrum = torch.stft(
                    padded[:, first * hop : last * hop + self.n_fft],
                    self.n_fft,
                    hop,
                    window=self.window,
                    center=False,
                    return_complex=True,
                )
            yield spectrum.transpose(-1, -2).reshape(*waveform.shape[:-1], -1, edge + 1)

    def inverse(self, spectrum: Tensor, length: int) -> Tensor:
        """Map the complex spectrum ``[..., frames, bins]`` of ``length`` samples back to ``[..., length]``.

        The imaginary parts of the lowest and the highest bin, which no real signal has, do not count.
        """
        with torch.autocast(spectrum.device.type, enabled=False):
            if spectrum.is_cuda:  # the CPU's transform leaves them out; cuFFT mixes them in for some batch sizes
                bins = torch.arange(spectrum.shape[-1], device=spectrum.device)
                spectrum = torch.complex(spectrum.real, spectrum.imag * ((bins > 0) & (bins < len(bins) - 1)))
            waveform = torch.istft(
                spectrum.reshape(-1, *spectrum.shape[-2:]).transpose(-1, -2),
                self.n_fft,
                self.hop_length,
                window=self.window,
                center=True,
                length=self._padded(length),
            )
            return waveform[:, :length].reshape(*spectrum.shape[:-2], length)


def _reach(n_fft: int, hop_length: int) -> int:
    """Return how many samples from the middle of the last frame on are well within windows.

    There the sum of the squared windows, by which the inverse transform divides, is at least an eighth of its minimum
    between frames.
    """
    square = torch.hann_window(n_fft, dtype=torch.float64, device="cpu").square()
    between, after = (
        F.pad(part, (0, -len(part) % hop_length)).reshape(-1, hop_length).sum(0)
        for part in (square, square[n_fft // 2 :])
    )
    return int((after >= between.min() / 8).sum())


class LogMel(nn.Module):
    """Natural logarithm of mel energies: Slaney's scale and filter areas, power spectrum.

    ``floor`` is added to the energies, which keeps silence finite; by default that of M2D's published weights.
    """

    bank: Tensor

    def __init__(
        self,
        n_mels: int,
        n_fft: int,
        hop_length: int,
        sample_rate: int,
        f_min: float,
        f_max: float,
        floor: float = torch.finfo(torch.float32).eps,
    ):
        super().__init__()
        self.floor = floor
        self.fourier = ShortTimeFourier(n_fft, hop_length)
        bank = mel_filter_bank(n_mels, n_fft, sample_rate, f_min, f_max)
        self.register_buffer("bank", bank.float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map ``[..., T]`` to ``[..., n_mels, T // hop_length + 1]``."""
        return next(self.in_parts(waveform))

    def in_parts(self, waveform: Tensor, frames: int | None = None) -> Iterator[Tensor]:
        """Yield :meth:`forward`'s result in parts of at most so many frames, which take less memory."""
        for spectrum in self.fourier.in_parts(waveform, frames):
            with torch.autocast(waveform.device.type, enabled=False):
                squares = torch.view_as_real(spectrum).square().flatten(-2)  # real and imaginary in turns
                energies = squares @ self.bank.repeat_interleave(2, 0)
                log_mel = torch.log(energies + self.floor).transpose(-1, -2)
            yield log_mel
