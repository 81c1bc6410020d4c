"""What a corpus's training mixtures are like: their level, bandwidth and log-mel energies.

Stage 1 measures them and keeps them in ``corpus.json``; a tagger's ``norm_mean`` and ``norm_std`` come from there, and
checkpoints pass them on to inference, which compares recordings with them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from s5lib.untrusted import Record

__all__ = ["N_FFT", "N_MELS", "MixtureStatistics"]

N_FFT, N_MELS = 800, 80  # of the log-mel energies that are measured: M2D's


@dataclass(frozen=True)
class MixtureStatistics:
    """Of drawn training mixtures; levels are those of channel 0, in dB relative to full scale."""

    level_dbfs: float
    """median of the RMS levels"""
    lowest_level_dbfs: float
    """1 of 100 mixtures is softer"""
    highest_level_dbfs: float
    """1 of 100 mixtures is louder"""
    lowest_bandwidth: float
    """in Hz; 1 of 100 mixtures reaches less high, see :mod:`s5lib.audio.bandwidth`"""
    norm_mean: float
    """of M2D's log-mel energies, all channels"""
    norm_std: float
    level_norm_mean: float
    """the same of mixtures whose channel 0 is scaled to an RMS of 1"""
    level_norm_std: float

    def norm_stats(self, n_fft: int, normalize_level: bool) -> tuple[float, float]:
        """Return mean and standard deviation of the log-mel energies that a tagger computes.

        Of noise, energies grow with the length of the Fourier transform; the other options of mel energies matter less.
        """
        mean, std = (self.level_norm_mean, self.level_norm_std) if normalize_level else (self.norm_mean, self.norm_std)
        return round(mean + math.log(n_fft / N_FFT), 2), std

    def as_json(self) -> dict[str, float]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def read(cls, record: Record) -> MixtureStatistics:
        """Return what :meth:`as_json` gave; raises the error of ``record``."""
        stds = ("norm_std", "level_norm_std")
        return cls(**{name: record.number(name, above=0 if name in stds else -1e9) for name in cls.__annotations__})
