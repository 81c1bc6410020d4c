"""Is a recording like what the models were trained on?  If not, their results are less reliable than their scores.

Compared are level and bandwidth, with the training mixtures, the first channel with the others, and what the models
find: its probabilities, and whether there are always as many sources as they can give.  A spatial filter also needs
directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

import numpy as np
import torch

from s5lib.audio.bandwidth import BandwidthMeter
from s5lib.systems.base import System
from s5lib.systems.source import Source
from s5lib.systems.spatial_filter import directional_channels

__all__ = ["RecordingCheck"]

_LEVEL_MARGIN, _INVARIANT_MARGIN = 6.0, 30.0  # dB beyond the training mixtures
# dB of the first channel below the loudest: at most 0.6 in mixtures of mini, 4.8 in a plane wave (N3D).  Models of mini
# lose 0.9 dB of CA-PI-SDRi where W is softer by 6 dB, 2.1 by 10 dB, and more than they gain by 20 dB.
_FIRST_MARGIN = 6.0
# dB of a constant offset below the loudest channel.  Scores begin to fall there: models of mini lose 0.05 dB of
# CA-PI-SDRi if W alone has one, 0.13 if all channels do; with 26 dB 0.01 and 0.03, with 14 dB 0.2 and 0.4.
_OFFSET_MARGIN = 20.0
_CONSTANT = 1e-12  # of the power of a channel: what rounding leaves beside a constant
_BANDWIDTH_SHARE = 0.7  # of the lowest bandwidth of the training mixtures
_UNCERTAIN = 0.5  # mean probability; of 99 in 100 scenes of the mini test set it is above 0.59
_FULL_SHARE, _FEWEST_WINDOWS = 0.8, 3


class RecordingCheck:
    """Hears a recording and what a system finds in it, part by part.

    Args:
        system: that hears the recording.
        predicted: whether the system chooses the labels.
    """

    def __init__(self, system: System, predicted: bool = True):
        self._system, self._predicted = system, predicted
        self._meter = BandwidthMeter(system.sample_rate)
        self.energy = np.zeros(1)
        """of each channel so far"""
        self._sum, self._count = np.zeros(1), 0
        self._probabilities: list[float] = []
        self._counts: list[int] = []
        self._filtered: list[bool] = []  # of each window with sources, whether the filter could do anything

    def hear(self, samples: np.ndarray) -> None:
        """Take the next samples ``[M, T]``, all channels that the models hear, the reference channel first."""
        self._meter.add(samples[0])
        self.energy = self.energy + np.square(samples, dtype=np.float64).sum(1)
        self._sum = self._sum + samples.sum(1, dtype=np.float64)
        self._count += samples.shape[1]

    def add_window(self, sources: Sequence[Source], mixture: np.ndarray) -> None:
        """Take what was found in a window ``mixture [M, T]``."""
        self._probabilities += [source.probability for source in sources]
        self._counts.append(len(sources))
        if sources and self._system.spatial_filter and self._system.num_channels > 1:
            self._filtered.append(bool(directional_channels(torch.from_numpy(mixture)).any()))

    def warnings(self, level_dbfs: float | None, part_power: float = 0.0) -> list[str]:
        """Return in words what is unlike the training.

        Args:
            level_dbfs: of the reference channel as the models heard it; None: silence.
            part_power: :attr:`s5lib.audio.AudioReader.part_power` of the recording.
        """
        found = [self._level(level_dbfs), self._first_channel(part_power), self._offset()]
        found += [self._bandwidth(), self._directions()]
        if self._predicted:
            found += [self._probability(), self._number()]
        return [warning for warning in found if warning]

    def _level(self, level: float | None) -> str:
        known = self._system.statistics
        margin = _INVARIANT_MARGIN if self._system.is_level_invariant else _LEVEL_MARGIN
        if level is None or known is None:
            return ""
        if known.lowest_level_dbfs - margin <= level <= known.highest_level_dbfs + margin:
            return ""
        return (
            f"its level is {level:.0f} dBFS; training mixtures have {known.lowest_level_dbfs:.0f} to "
            f"{known.highest_level_dbfs:.0f}"
        )

    def _first_channel(self, part_power: float) -> str:
        power, mean = self._power_and_mean()
        heard = np.where(power - mean**2 > _CONSTANT * power, power - mean**2, 0.0)
        loudest = max(heard.max(), part_power)
        if heard[0] >= 10 ** (-_FIRST_MARGIN / 10) * loudest:
            return ""
        below = (
            f"{10 * np.log10(loudest / heard[0]):.0f} dB below the loudest" if heard[0] else "silent, unlike the others"
        )
        if part_power:
            return f"the mean of its channels is {below}: is the polarity of one inverted? --channels N takes one"
        return (
            f"its first channel is {below}: is the channel order another (--channel_order), a microphone dead "
            "(--channels takes others), or the polarity of one inverted?"
        )

    def _offset(self) -> str:
        power, mean = self._power_and_mean()
        offset, loudest = (mean**2).max(), power.max()
        if offset <= 10 ** (-_OFFSET_MARGIN / 10) * loudest:
            return ""
        return (
            f"its DC offset is {10 * np.log10(offset):.0f} dBFS at a level of {10 * np.log10(loudest):.0f}: remove it, "
            "for example by a high-pass filter at 20 Hz"
        )

    def _power_and_mean(self) -> tuple[np.ndarray, np.ndarray]:
        """Return those of each channel so far."""
        return self.energy / max(1, self._count), self._sum / max(1, self._count)

    def _bandwidth(self) -> str:
        known, found = self._system.statistics, self._meter.hertz
        if known is None or found is None or found >= _BANDWIDTH_SHARE * known.lowest_bandwidth:
            return ""
        return f"there is next to nothing above {found:.0f} Hz; training mixtures reach {known.lowest_bandwidth:.0f} Hz"

    def _directions(self) -> str:
        if any(self._filtered) or not self._filtered:
            return ""
        return "the spatial filter has no directions to use: fewer than two channels are audible"

    def _probability(self) -> str:
        mean = fsum(self._probabilities) / len(self._probabilities) if self._probabilities else 1.0
        return f"the labels are uncertain: {100 * mean:.0f} % on average" if mean < _UNCERTAIN else ""

    def _number(self) -> str:
        windows, most = len(self._counts), self._system.num_sources
        full = self._counts.count(most)
        if windows < _FEWEST_WINDOWS or full <= _FULL_SHARE * windows:
            return ""
        return f"{full} of {windows} windows have {most} sources, the most that the models give: there may be more"
