"""What all systems share: one call, and the checks of what it is given."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from s5lib.audio import ChannelLayout, resample
from s5lib.data.statistics import MixtureStatistics
from s5lib.errors import ConfigError, DataError, PluginError, S5Error, nearest
from s5lib.interfaces import ModelConfig
from s5lib.systems.source import Source
from s5lib.systems.spatial_filter import spatially_filtered
from s5lib.systems.streaming import Block, concat, stream
from s5lib.systems.training_data import WINDOW
from s5lib.systems.waveform_check import as_waveform, check_rate, checked_labels
from s5lib.untrusted import failure, shown

__all__ = ["System"]


_SILENT = 1e-20  # mean square; a factor for less would be beyond float32


def check_output(model: str, values: np.ndarray) -> np.ndarray:
    """Return a model's output, from which nothing may be decided or written where it is not finite.

    Raises:
        DataError: a value is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise DataError(
            f"the {model} gave {np.count_nonzero(~np.isfinite(values))} of {values.size} values that are not finite "
            "numbers. Are the recording's samples far beyond -1 to 1, or the model's weights damaged?"
        )
    return values


class System(ABC):
    """From a recording to its labelled sources; a system says how in :meth:`find_sources`.

    Args:
        configs: of the models, which agree in sampling rate, channels and the most sources.
        labels: of the classes, in the order of their indices.
        device: as torch names it.
    """

    window_seconds = WINDOW
    """What the system hears at once: a longer recording goes through it in windows of this length, which overlap by a
    fifth; see :mod:`s5lib.systems.streaming`.  :func:`s5lib.systems.load_system` sets the duration of the scenes that
    its models were trained on."""
    statistics: MixtureStatistics | None = None
    """of the mixtures that the models were trained on, where they say"""
    spatial_filter = False
    """Whether :func:`s5lib.systems.spatial_filter.spatially_filtered` refines the sources, window by window."""

    def __init__(self, configs: Sequence[ModelConfig], labels: Sequence[str], device: str = "cpu"):
        self.labels = list(labels)
        self.device = torch.device(device)
        sizes = configs[-1]
        self.sample_rate, self.num_channels, self.num_sources = sizes.sample_rate, sizes.num_channels, sizes.num_sources
        self.fewest_channels = max(config.fewest_channels for config in configs)
        self.is_level_invariant = all(config.is_level_invariant for config in configs)

    def __call__(
        self, waveform: np.ndarray, sample_rate: int, labels: Sequence[str] | None = None, match_level: bool = False
    ) -> list[Source]:
        """Separate one recording.

        Args:
            waveform: floating-point ``[M, T]``, or ``[T]`` for one channel, an array or a tensor; any length, 1.0
                being full scale (16-bit integers: ``waveform / 32768``).  Models that accept fewer channels hear
                mono and stereo as with ``s5lib infer``; others need as many channels as they have.
            sample_rate: in Hz; resampled to the system's own where it differs.
            labels: of the sources to extract; by default the system predicts them.
            match_level: whether models that depend on it, such as the official ones, hear the recording at the level
                of their training, as with 's5lib infer FILE'; the sources have the recording's.

        Raises:
            DataError: the recording is empty, not finite, of integers or has the wrong number of channels, the
                sampling rate is none, or a plugin's model failed.
            ConfigError: ``labels`` is no list, a label is unknown, there are more of them than the system has slots, or
                it takes none.
        """
        mixture = self._prepare(waveform, sample_rate)
        gain = self.gain_for(float(np.square(mixture[0], dtype=np.float64).mean())) if match_level else 1.0
        mixture = mixture * np.float32(gain)
        blocks = self.stream(lambda start, stop: mixture[:, start:stop], mixture.shape[1], labels)
        sources = self.in_order(concat(blocks), labels)
        return [
            replace(source, waveform=source.waveform / np.float32(gain), sample_rate=self.sample_rate)
            for source in sources
        ]

    def gain_for(self, power: float) -> float:
        """Return the factor that brings a recording to the level of the training mixtures.

        It is 1 for silence, below -200 dB, and for models that do not depend on the level or do not say which they
        know.

        Args:
            power: mean square of the recording's reference channel.
        """
        if power < _SILENT or self.is_level_invariant or self.statistics is None:
            return 1.0
        return math.sqrt(10 ** (self.statistics.level_dbfs / 10) / power)

    def stream(
        self,
        read: Callable[[int, int], np.ndarray],
        num_samples: int,
        labels: Sequence[str] | None = None,
        listener: Callable[[Sequence[Source], np.ndarray], None] | None = None,
    ) -> Iterator[Block]:
        """Yield the sources of a recording block by block, without ever having it whole.

        Args:
            read: gives ``[M, stop - start]`` of the recording at the system's sampling rate, as ``read(start, stop)``.
            num_samples: of the recording at that rate.
            labels: as in a call.
            listener: called with the sources of each window, and with the window, ``[M, T]``.

        Raises:
            ConfigError: as in a call.
        """
        if labels is not None:
            labels = self._checked_labels(labels)
        window = max(5, round(self.window_seconds * self.sample_rate))

        def find(mixture: np.ndarray) -> list[Source]:
            found = self._found(mixture, labels)
            if listener is not None:
                listener(found, mixture)
            return found

        yield from stream(find, read, num_samples, window, window // 5)

    def _found(self, mixture: np.ndarray, labels: Sequence[str] | None) -> list[Source]:
        try:
            found = self.find_sources(mixture, labels)
            return self._refined(mixture, found) if self.spatial_filter and found else found
        except SystemExit as error:  # it would end the program as if all were done
            raise PluginError(
                f"a model ended the program, by sys.exit({error.code!r}); it has to raise errors."
            ) from error
        except (S5Error, RuntimeError, MemoryError):  # those of torch, a lack of memory among them, go their own way
            raise
        except (Exception, GeneratorExit) as error:
            raise DataError(f"a model failed on this recording: {failure(error)}.") from error

    def _refined(self, mixture: np.ndarray, sources: Sequence[Source]) -> list[Source]:
        estimates = np.stack([source.waveform for source in sources], dtype=np.float32)
        heard, separated = (torch.from_numpy(waveforms).to(self.device) for waveforms in (mixture, estimates))
        filtered = spatially_filtered(heard, separated, self.sample_rate).cpu().numpy()
        return [replace(source, waveform=waveform) for source, waveform in zip(sources, filtered, strict=True)]

    def in_order(self, sources: Sequence[Source], labels: Sequence[str] | None = None) -> list[Source]:
        """Return the sources in the order of the system's labels, or as they are where ``labels`` were given."""
        if labels is not None:
            return list(sources)
        place = {label: index for index, label in enumerate(self.labels)}
        return sorted(sources, key=lambda source: place.get(source.label, len(place)))

    @abstractmethod
    def find_sources(self, mixture: np.ndarray, labels: Sequence[str] | None) -> list[Source]:
        """Separate ``mixture [M, T]``, finite float32 at the system's sampling rate; ``labels`` are known ones."""

    def _checked_labels(self, labels: Sequence[str]) -> list[str]:
        labels = checked_labels(labels)
        if len(labels) > self.num_sources:
            raise ConfigError(
                f"{len(labels)} labels were given ({shown(labels)[1:-1]}); the separator has {self.num_sources} slots."
            )
        for label in labels:
            if label not in self.labels:
                raise ConfigError(f"label {shown(label)} is unknown to the separator. {nearest(label, self.labels)}")
        return labels

    def layout(self, layout: ChannelLayout | None = None) -> ChannelLayout:
        """Return how recordings become what the system hears; None: their first channels, as in training."""
        if layout is None:
            return ChannelLayout(self.num_channels, "first")
        return replace(layout, wanted=self.num_channels, fewest=self.fewest_channels)

    def _prepare(self, waveform, sample_rate) -> np.ndarray:
        rate = check_rate(sample_rate)
        waveform = as_waveform(waveform, self.num_channels)
        channels, layout = len(waveform), self.layout(ChannelLayout())
        conversion = f"s5lib.audio.ChannelLayout(wanted={self.num_channels}"
        try:
            layout.matrix(channels)
        except DataError as error:
            raise DataError(f"{error} In Python: {conversion}, channels=(N,)).apply(waveform).") from None
        if channels != self.num_channels == self.fewest_channels:  # what a conversion loses is the caller's to accept
            raise DataError(
                f"the recording has {channels} channel{'s' * (channels != 1)}, the system needs {self.num_channels}"
                f"{' (first-order Ambisonics in the order W, Y, Z, X)' * (self.num_channels == 4)}; "
                f"{conversion}).apply(waveform) converts."
            )
        if not np.isfinite(waveform).all():
            channel, sample = np.argwhere(~np.isfinite(waveform))[0]
            raise DataError(f"the recording is not finite: channel {channel}, sample {sample}.")
        return np.ascontiguousarray(resample(layout.apply(waveform), rate, self.sample_rate), np.float32)
