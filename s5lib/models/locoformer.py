"""A separator of TF-Locoformer blocks on bands of the spectrum, asked for sources by prompts.

Each slot of the query is a prompt: a learned vector, put before the mixture's frames.  Blocks work on both together;
then the mixture's features times a prompt's are those of its source, on which further blocks work slot by slot (Saijo
et al., "Task-aware unified source separation", https://arxiv.org/abs/2410.23987).  A band's features become complex
filters of the mixture's channels, whose sum is the source: with M channels, up to M - 1 directions can be cancelled.

A gain of the mixture is one of the sources, unless ``normalize_level`` is switched off.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s5lib.models.bands import BandMerge, BandSplit, band_groups, cut, join
from s5lib.models.checks import check_query
from s5lib.models.configs import LocoformerConfig
from s5lib.models.frontend import ShortTimeFourier
from s5lib.models.mixture import prepare_mixture
from s5lib.models.query import QueriedSeparator
from s5lib.models.slots import unsort_slots
from s5lib.models.tf_blocks import RMSGroupNorm, TFBlock

__all__ = ["Locoformer"]

_LEAST_POWER = 1e-8  # of a bin, relative to the mean over all


class Locoformer(QueriedSeparator):
    """Extracts all sources of a query; slots of equal labels differ by their number among these."""

    config: LocoformerConfig

    def __init__(self, config: LocoformerConfig):
        super().__init__(config)
        self.fourier = ShortTimeFourier(config.n_fft, config.hop_length)
        self.network = PromptedNetwork(config)

    @property
    def time_grid(self) -> int:
        """Samples: parts of a recording that begin at multiples of it are split into the same frames as the whole."""
        return self.config.hop_length

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``; silent slots are exactly zero.

        Raises:
            DataError: the mixture's or the query's shape is not the configuration's; outside of training also where a
                query's row is neither one-hot nor zero.
        """
        mixture, level = prepare_mixture(mixture, self.config, self.training)
        check_query(query, len(mixture), self.config, values=not self.training)
        spectrum = torch.view_as_real(self.fourier(mixture)).permute(0, 2, 3, 1, 4).contiguous()
        by_class, order = self.by_class(query)
        item, slot = self._computed(by_class)
        sources = self.network(spectrum, self.query_vectors(by_class), _repeats(by_class), item, slot)
        found = level[item, 0] * self.fourier.inverse(torch.view_as_complex(sources), mixture.shape[-1])
        waveforms = found.new_zeros(*query.shape[:2], mixture.shape[-1]).index_put((item, slot), found)
        return unsort_slots(waveforms, order).masked_fill((query == 0).all(-1, keepdim=True), 0.0)

    def _computed(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Return the items and slots to compute: those that are not silent, at least one; in GPU training, all.

        Only the host would know their number, for which a GPU had to stop.
        """
        active = (query != 0).any(-1)
        if self.training and query.is_cuda:
            every = torch.arange(active.numel(), device=query.device)
            return every // active.shape[1], every % active.shape[1]
        active[0, 0] |= ~active.any()  # distributed training needs gradients of all parameters
        item, slot = active.nonzero(as_tuple=True)
        return item, slot


class PromptedNetwork(nn.Module):
    """From the mixture's spectrum and a query to the sources' spectra, at first about half of the reference channel."""

    def __init__(self, config: LocoformerConfig):
        super().__init__()
        width = config.width
        groups = band_groups(config.band_widths, config.n_fft, config.sample_rate)
        bands = sum(count for count, _ in groups)
        self.scale = (0.375 * config.n_fft) ** -0.5  # of white noise through a Hann window
        self.split = BandSplit(groups, 3 * config.num_channels - 2, width)
        self.prompts = nn.Linear(config.query_size, bands * width)
        self.repeats = nn.Embedding(config.num_sources, width)
        self.common = nn.Sequential(*(self._block(config, config.hidden_size) for _ in range(config.common_blocks)))
        self.single = nn.Sequential(*(self._block(config, config.single_hidden) for _ in range(config.single_blocks)))
        self.norm = RMSGroupNorm(width, config.num_groups)
        self.merge = BandMerge(groups, width, [0.5] + [0.0] * (2 * config.num_channels - 1))
        nn.init.normal_(self.prompts.weight)

    @staticmethod
    def _block(config: LocoformerConfig, hidden: int) -> TFBlock:
        return TFBlock(
            config.width, config.attention_size, config.num_heads, hidden, config.kernel_size, config.num_groups
        )

    def forward(self, spectrum: Tensor, query: Tensor, repeats: Tensor, item: Tensor, slot: Tensor) -> Tensor:
        """Map the mixture's ``spectrum [B, frames, bins, M, 2]`` to the spectra of n slots, ``[n, frames, bins, 2]``.

        Args:
            spectrum: real and imaginary parts.
            query: ``[B, K, query_size]``, a vector for each slot.
            repeats: ``[B, K]``, how many earlier slots have the same.
            item, slot: ``[n]``, of the batch and of the query: the slots that are asked for.
        """
        prompts = self.prompts(query).unflatten(-1, (-1, self.repeats.embedding_dim))
        prompts = prompts + self.repeats(repeats)[:, :, None]
        both = self.common(torch.cat([prompts, self.split(self._features(spectrum))], 1))
        prompts, mixture = both.split([query.shape[1], spectrum.shape[1]], 1)
        slots = self.single(mixture[item] * prompts[item, slot, None])
        filters = self.merge(self.norm(slots))
        parts = zip(cut(spectrum.flatten(3), self.merge.groups), filters, strict=True)
        return join([_filtered(part[item], weights) for part, weights in parts], spectrum.shape[2])

    def _features(self, spectrum: Tensor) -> Tensor:
        """Return ``[B, frames, bins, 3 M - 2]``: magnitudes, and the directions of the phases relative to channel 0."""
        x, y = spectrum.unbind(-1)
        power = (x * x + y * y) * self.scale**2
        cosine = x[..., 1:] * x[..., :1] + y[..., 1:] * y[..., :1]
        sine = y[..., 1:] * x[..., :1] - x[..., 1:] * y[..., :1]
        inverse = (cosine.square() + sine.square() + 1e-12).rsqrt()
        return torch.cat([0.3 * (power + _LEAST_POWER).log(), cosine * inverse, sine * inverse], -1)


def _repeats(query: Tensor) -> Tensor:
    """Return ``[B, K]``: how many earlier slots of ``query [B, K, C]`` have the same class."""
    return (query @ query.transpose(1, 2)).tril(-1).sum(-1).long()


def _filtered(spectrum: Tensor, filters: Tensor) -> Tensor:
    """Return ``[..., 2]``, the sum over channels of ``spectrum [..., 2 M]`` times ``filters [..., 2 M]``.

    All three are real and imaginary parts in turns.
    """
    channels, weights = spectrum.unflatten(-1, (-1, 2)), filters.float().unflatten(-1, (-1, 2))
    if not torch.compiler.is_compiling():  # which would not fuse complex numbers
        return torch.view_as_real((torch.view_as_complex(channels) * torch.view_as_complex(weights)).sum(-1))
    (x, y), (real, imaginary) = channels.unbind(-1), weights.unbind(-1)
    return torch.stack([(x * real - y * imaginary).sum(-1), (x * imaginary + y * real).sum(-1)], -1)
