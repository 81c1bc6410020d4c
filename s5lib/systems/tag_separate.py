"""The paper's system (section 2): a tagger names the sources, a separator extracts what was named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.signal import resample_poly

from s5lib.errors import ConfigError, DataError, nearest
from s5lib.interfaces import Separator, Tagger
from s5lib.systems.source import Source

__all__ = ["TagThenSeparate"]


class TagThenSeparate:
    """From a recording to its labelled sources, with a tagger and a separator of the same label set.

    Either may be missing: without a tagger, the labels must be given; without a separator, only :meth:`tag` works.
    """

    def __init__(
        self, tagger: Tagger | None, separator: Separator | None, labels: Sequence[str], device: str = "cpu"
    ):
        self.labels = list(labels)
        self.device = torch.device(device)
        self.tagger = tagger.eval().to(self.device) if tagger is not None else None
        self.separator = separator.eval().to(self.device) if separator is not None else None
        sizes = (separator or tagger).config
        self.sample_rate, self.num_channels, self.num_sources = sizes.sample_rate, sizes.num_channels, sizes.num_sources

    def __call__(
        self, waveform: np.ndarray, sample_rate: int, labels: Sequence[str] | None = None
    ) -> list[Source]:
        """Separate one recording.

        Args:
            waveform: ``[M, T]``, or ``[T]`` for one channel; any length.
            sample_rate: in Hz; resampled to the system's own where it differs.
            labels: of the sources to extract; by default the tagger predicts them.

        Raises:
            DataError: the recording is empty, not finite or has the wrong number of channels.
            ConfigError: a label is unknown, or there are more of them than the separator has slots.
        """
        mixture = self._prepare(waveform, sample_rate)
        if labels is None:
            found = self.tag(mixture)
        else:
            found = [(label, 1.0) for label in labels]
        waveforms = self.separate(mixture, [label for label, _ in found])
        return [Source(label, probability, w) for (label, probability), w in zip(found, waveforms, strict=True)]

    @torch.inference_mode()
    def tag(self, mixture: np.ndarray) -> list[tuple[str, float]]:
        """Return ``(label, probability)`` of the sources in ``mixture [M, T]``, in the order of the labels.

        Nothing is found in a recording of digital silence.
        """
        if self.tagger is None:
            raise ConfigError("this system has no tagger: give the labels, or load it with one (--tagger FILE).")
        if not mixture.any():
            return []
        logits = self.tagger(torch.from_numpy(mixture)[None].to(self.device))[0].float()
        probabilities = logits.softmax(-1).cpu()
        best = [(int(row.argmax()), float(row.max())) for row in probabilities]
        return [(self.labels[c], p) for c, p in sorted(best) if c < len(self.labels)]

    @torch.inference_mode()
    def separate(self, mixture: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Return ``[len(labels), T]`` float32, the sources that ``labels`` ask of ``mixture [M, T]``."""
        if self.separator is None:
            raise ConfigError("this system has no separator: load it with one (--separator FILE).")
        if len(labels) > self.num_sources:
            raise ConfigError(
                f"{len(labels)} labels were asked for ({', '.join(labels)}), the separator has {self.num_sources} slots."
            )
        query = torch.zeros(1, self.num_sources, len(self.labels), device=self.device)
        for slot, label in enumerate(labels):
            if label not in self.labels:
                raise ConfigError(f"label {label!r} is unknown to the separator. {nearest(label, self.labels)}")
            query[0, slot, self.labels.index(label)] = 1
        if not len(labels):
            return np.zeros((0, mixture.shape[1]), np.float32)
        estimates = self.separator(torch.from_numpy(mixture)[None].to(self.device), query)[0]
        return estimates[: len(labels)].float().cpu().numpy()

    def _prepare(self, waveform, sample_rate):
        waveform = np.atleast_2d(np.asarray(waveform, np.float32))
        if waveform.ndim != 2 or not waveform.shape[1]:
            raise DataError(f"the recording has shape {waveform.shape}; expected [channels, samples], not empty.")
        if waveform.shape[0] != self.num_channels:
            raise DataError(
                f"the recording has {waveform.shape[0]} channels, the system needs {self.num_channels}"
                f"{' (first-order Ambisonics in the order W, Y, Z, X)' if self.num_channels == 4 else ''}."
            )
        if not np.isfinite(waveform).all():
            channel, sample = np.argwhere(~np.isfinite(waveform))[0]
            raise DataError(f"the recording is not finite: channel {channel}, sample {sample}.")
        if sample_rate != self.sample_rate:
            divisor = np.gcd(int(sample_rate), self.sample_rate)
            waveform = resample_poly(waveform, self.sample_rate // divisor, int(sample_rate) // divisor, axis=1)
        return np.ascontiguousarray(waveform, np.float32)
