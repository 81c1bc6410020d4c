"""Measures what the training mixtures of a corpus are like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from s5lib.audio.bandwidth import BandwidthMeter
from s5lib.data import DrawnScenes
from s5lib.data.statistics import N_FFT, N_MELS, MixtureStatistics
from s5lib.errors import DataError
from s5lib.models.frontend import LogMel
from s5lib.models.mixture import level
from s5lib.scenes import Corpus, DrawSettings

__all__ = ["measure_mixtures"]


def measure_mixtures(corpus: Corpus, settings: DrawSettings, seed: int = 0, count: int = 200) -> MixtureStatistics:
    """Return the statistics of ``count`` drawn training mixtures.

    Raises:
        DataError: the corpus cannot give them.
    """
    scenes = DrawnScenes(corpus, settings, seed, count, sources=False)
    log_mel = LogMel(N_MELS, N_FFT, N_FFT, settings.sample_rate, 50.0, settings.sample_rate / 2)
    levels: list[float] = []
    bandwidths: list[float] = []
    moments: list[tuple[float, float]] = []
    level_moments: list[tuple[float, float]] = []
    for index in range(count):
        mixture = scenes[index]["mixture"]
        meter = BandwidthMeter(settings.sample_rate)
        meter.add(mixture[0].numpy())
        if meter.hertz is None:  # digital silence
            continue
        gain = level(mixture[None])[0]
        levels.append(20 * math.log10(gain.item()))
        bandwidths.append(meter.hertz)
        moments.append(_moments(log_mel(mixture)))
        level_moments.append(_moments(log_mel(mixture / gain)))
    if not levels:
        raise DataError(f"{corpus.root}: training mixtures are silent; check the noise.")
    values = [*np.percentile(levels, [50, 1, 99]), np.percentile(bandwidths, 1), *_pooled(moments)]
    return MixtureStatistics(*(round(float(value), 2) for value in [*values, *_pooled(level_moments)]))


def _moments(energies: torch.Tensor) -> tuple[float, float]:
    return energies.double().mean().item(), energies.double().square().mean().item()


def _pooled(moments: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return mean and standard deviation over mixtures of equal length from the two moments of each."""
    mean, square = np.mean(moments, 0)
    return float(mean), math.sqrt(square - mean**2)
