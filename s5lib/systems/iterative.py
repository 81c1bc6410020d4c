"""Tag, separate, and then in rounds: tag each separated source again, and separate with the better labels.

A tagger finds a source more easily where the others are gone, and a separator finds it more easily under its right
label; each round lets either profit from the other.  What a round may change is gated, because a tagger that hears a
source which was extracted *as* Speech is inclined to hear speech: a new label has to be clearly likelier than
the old one, and a source is given up only where the tagger is nearly sure of silence.  In the end, spatial filters
refine what was found (:mod:`s5lib.systems.spatial_filter`).

The tagger was trained on mixtures, not on estimates, which have a single channel and no reverberation.  So it hears the
mixture's own channels, each time-frequency bin scaled by the estimate's share of it.  The same factor for all channels
keeps their ratios, in which the direction is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from s5lib.errors import ConfigError
from s5lib.interfaces import Separator, Tagger
from s5lib.systems.calibration import Calibration
from s5lib.systems.source import Source
from s5lib.systems.spatial_filter import share_of, stft_options
from s5lib.systems.tag_separate import TagThenSeparate

__all__ = ["MARGIN", "SILENCE", "Iterative", "scaled_by_share"]

MARGIN = 0.6
"""How much likelier than the old label a new one has to be."""
SILENCE = 0.99
"""The probability of silence from which on a source is given up."""

_WINDOW_SECONDS = 0.032


class Iterative(TagThenSeparate):
    """Tag and separate, then refine; with labels given, only the spatial filter does.

    Args:
        tagger: of the same labels, channels and slots as the separator.
        separator: of the same.
        labels: of the classes, in the order of their indices.
        device: as torch names it.
        rounds: how often the separated sources are tagged again at the most; ends earlier where labels are stable.
        margin: how much likelier than the old label the new one has to be.
        silence: the probability of silence from which on a slot is given up.
        calibration: of the first decision, on the mixture.

    Raises:
        ConfigError: no rounds, or a probability that is none.
    """

    spatial_filter = True

    def __init__(
        self,
        tagger: Tagger | None,
        separator: Separator | None,
        labels: Sequence[str],
        device: str = "cpu",
        rounds: int = 2,
        margin: float = MARGIN,
        silence: float = SILENCE,
        *,
        calibration: Calibration | None = None,
    ):
        super().__init__(tagger, separator, labels, device, calibration=calibration)
        if rounds < 1:
            raise ConfigError(f"--rounds is {rounds}; expected 1 or more. For 0 rounds, use --system tag_separate.")
        for name, value in (("margin", margin), ("silence", silence)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}; expected a probability from 0 to 1.")
        self.rounds, self.margin, self.silence = rounds, margin, silence

    def find_sources(self, mixture: np.ndarray, labels: Sequence[str] | None) -> list[Source]:
        """Tag and separate ``mixture [M, T]``, then in rounds again; see :class:`System`."""
        sources = super().find_sources(mixture, labels)
        if labels is not None:
            return sources
        seen: set[tuple[str, ...]] = set()
        for _ in range(self.rounds):
            before = [source.label for source in sources]
            seen.add(tuple(before))
            refined = self.tag_again(mixture, sources)
            after = [label for label, _ in refined]
            if not sources or after == before:
                break
            waveforms = self.separate(mixture, after)
            sources = [Source(label, p, w) for (label, p), w in zip(refined, waveforms, strict=True)]
            if tuple(after) in seen:  # labels that led back to themselves would do so for ever
                break
        return sources

    @torch.inference_mode()
    def tag_again(self, mixture: np.ndarray, sources: Sequence[Source]) -> list[tuple[str, float]]:
        """Return ``(label, probability)`` of the ``sources`` that remain and new ones, in the order of the labels.

        A source that keeps its label keeps the probability, too.
        """
        if not sources:
            return []
        estimates = torch.from_numpy(np.stack([source.waveform for source in sources]))
        heard = scaled_by_share(torch.from_numpy(mixture), estimates, self.sample_rate)
        refined = []
        for source, view, probabilities in zip(sources, heard, self.probabilities(heard), strict=True):
            if view.any() and probabilities[:, -1].prod() < self.silence:
                refined.append(self._gated(source, 1 - (1 - probabilities[:, :-1]).prod(0)))
        return sorted(refined, key=lambda found: self.labels.index(found[0]))

    def _gated(self, source: Source, present: np.ndarray) -> tuple[str, float]:
        """Choose between the source's label and the likeliest one; ``present [C]``: that any slot has the class."""
        best = int(present.argmax())
        highest, old = float(present[best]), float(present[self.labels.index(source.label)])
        if highest > old + self.margin:
            return self.labels[best], highest
        return source.label, source.probability


def scaled_by_share(mixture: Tensor, estimates: Tensor, sample_rate: int) -> Tensor:
    """Return ``[S, M, T]``: for each estimate the mixture, each of its bins scaled by the estimate's share of it.

    The share is that of the amplitudes of the estimate and of what it leaves of the mixture's first channel, as
    ``|e| / (|e| + |x - e|)``: 1 where the estimate is the mixture, 0 where the estimate is silent.

    Args:
        mixture: ``[M, T]``, the reference channel first.
        estimates: ``[S, T]``.
        sample_rate: in Hz.

    >>> mixture, estimates = torch.randn(4, 800), torch.zeros(2, 800)
    >>> estimates[0] = mixture[0]
    >>> heard = scaled_by_share(mixture, estimates, 8000)
    >>> torch.allclose(heard[0], mixture, atol=1e-5), heard[1].any().item()
    (True, False)
    """
    options = stft_options(_WINDOW_SECONDS, sample_rate)
    spectra = torch.stft(torch.cat([mixture, estimates]), pad_mode="constant", return_complex=True, **options)
    of_mixture, of_estimates = spectra.split([len(mixture), len(estimates)])
    share = share_of(of_estimates, of_mixture[:1])
    heard = torch.istft((share[:, None] * of_mixture).flatten(0, 1), length=mixture.shape[1], **options)
    return heard.unflatten(0, (len(estimates), len(mixture)))
