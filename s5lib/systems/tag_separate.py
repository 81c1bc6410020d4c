"""The paper's system (section 2): a tagger names the sources, a separator extracts what was named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from s5lib.errors import ConfigError
from s5lib.interfaces import Separator, Tagger
from s5lib.systems.base import System, check_output
from s5lib.systems.calibration import Calibration, decide
from s5lib.systems.source import Source
from s5lib.systems.streaming import separate_long

__all__ = ["TagThenSeparate"]


class TagThenSeparate(System):
    """From a recording to its labelled sources, with a tagger and a separator of the same label set.

    Either may be missing: without a tagger, the labels must be given; without a separator, only :meth:`tag` works.
    ``calibration`` biases the tagger's decisions; without one, the likeliest of each slot is taken.
    """

    def __init__(
        self,
        tagger: Tagger | None,
        separator: Separator | None,
        labels: Sequence[str],
        device: str = "cpu",
        *,
        calibration: Calibration | None = None,
    ):
        configs = [model.config for model in (tagger, separator) if model is not None]
        if not configs:
            raise ConfigError("a system needs a tagger, a separator or both.")
        super().__init__(configs, labels, device)
        self.tagger = tagger.eval().to(self.device) if tagger is not None else None
        self.separator = separator.eval().to(self.device) if separator is not None else None
        self.calibration = calibration

    def find_sources(self, mixture: np.ndarray, labels: Sequence[str] | None) -> list[Source]:
        """Tag ``mixture [M, T]``, unless ``labels`` are given, and separate; see :class:`System`."""
        found = self.tag(mixture) if labels is None else [(label, 1.0) for label in labels]
        waveforms = self.separate(mixture, [label for label, _ in found])
        return [Source(label, probability, w) for (label, probability), w in zip(found, waveforms, strict=True)]

    def tag(self, mixture: np.ndarray) -> list[tuple[str, float]]:
        """Return ``(label, probability)`` of the sources in ``mixture [M, T]``, in the order of the labels.

        Nothing is found in a recording of digital silence.
        """
        return decide(self.probabilities(mixture), self.labels, self.calibration) if mixture.any() else []

    @torch.inference_mode()
    def probabilities(self, mixtures: np.ndarray | torch.Tensor) -> np.ndarray:
        """Return ``[..., K, C + 1]``: of each slot of ``mixtures [..., M, T]``, those of the classes and of silence.

        Raises:
            ConfigError: the system has no tagger.
        """
        if self.tagger is None:
            raise ConfigError("this system has no tagger: give the labels, or load it with one (--tagger FILE).")
        *batch, channels, samples = mixtures.shape
        logits = self.tagger(torch.as_tensor(mixtures).reshape(-1, channels, samples).to(self.device))
        probabilities = check_output("tagger", logits.float().softmax(-1).cpu().numpy())
        return probabilities.reshape(*batch, *probabilities.shape[1:])

    @torch.inference_mode()
    def separate(self, mixture: np.ndarray, labels: Sequence[str]) -> np.ndarray:
        """Return ``[len(labels), T]`` float32, the sources that ``labels`` ask of ``mixture [M, T]``.

        A recording of more than ten seconds is separated in overlapping chunks, for it may be too long for the memory.

        Raises:
            ConfigError: the system has no separator, or a label is unknown, or there are more of them than slots.
        """
        if self.separator is None:
            raise ConfigError("this system has no separator: load it with one (--separator FILE).")
        labels = self._checked_labels(labels)
        if not labels:
            return np.zeros((0, mixture.shape[1]), np.float32)
        query = torch.zeros(1, self.num_sources, len(self.labels))
        for slot, label in enumerate(labels):
            query[0, slot, self.labels.index(label)] = 1
        estimates = separate_long(self.separator, torch.from_numpy(mixture)[None], query)[0]
        return check_output("separator", estimates[: len(labels)].numpy())
