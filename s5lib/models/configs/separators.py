"""The options of separators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from s5lib.models.configs.limits import require, require_at_most_half, require_positive, widths_of
from s5lib.models.configs.mixture import InputConfig

__all__ = ["LocoformerConfig", "QueryConfig", "ResUNetConfig", "ResUNetKConfig", "SpatialUNetConfig"]


@dataclass(frozen=True)
class QueryConfig(InputConfig):
    """Options of how a separator reads its query, which all separators share."""

    query: Literal["onehot", "text"] = "onehot"
    """Whether a label is a number, or its text (needs sentencepiece), so that labels can be added."""
    labels: tuple[str, ...] = ()
    """Of the classes, for ``query=text``; a recipe fills them in from the corpus."""
    text_size: int = 64
    """Width of a label's embedding, for ``query=text``."""
    tokenizer: str = field(default="", metadata={"names_file": True})
    """For ``query=text``: a file of sentencepiece, ``*.model``; by default one is trained on the labels.  Checkpoints
    hold its content instead, as base64."""

    @property
    def query_size(self) -> int:
        """Width of the network's input for one slot."""
        return self.text_size if self.query == "text" else self.num_classes

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "labels", tuple(self.labels))
        require(self.query in ("onehot", "text"), "query", self.query, "onehot or text")
        if self.query == "text":
            count = self.num_classes
            require(len(self.labels) == count, "labels", list(self.labels), f"{count} labels, one for each class")


@dataclass(frozen=True)
class ResUNetConfig(QueryConfig):
    """Options of the separator :class:`s5lib.models.resunet.ResUNet`, queried one label at a time.

    >>> ResUNetConfig(n_fft=1000)
    Traceback (most recent call last):
    s5lib.errors.ConfigError: n_fft is 1000; expected a multiple of 128, so that 6 blocks can halve its n_fft / 2 bins.
    """

    n_fft: int = 1024
    """Length of the Fourier transform and of its Hann window, in samples."""
    hop_length: int = 160
    """Distance of neighbouring frames, in samples; at most half of ``n_fft``."""
    channels: tuple[int, ...] = (32, 64, 128, 256, 384, 384)
    """Width of each encoder block; as many decoder blocks follow.  The block between them has the last width."""
    condition_size: int = 512
    """Width of the query's embedding."""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "channels", widths_of("channels", self.channels))
        require_positive(
            self,
            "n_fft",
            "hop_length",
            "condition_size",
            "text_size",
        )
        blocks, unit = len(self.channels), 2 ** (len(self.channels) + 1)
        require(
            self.n_fft % unit == 0,
            "n_fft",
            self.n_fft,
            f"a multiple of {unit}, so that {blocks} blocks can halve its n_fft / 2 bins",
        )
        require_at_most_half(self)


@dataclass(frozen=True)
class ResUNetKConfig(ResUNetConfig):
    """Options of the separator :class:`s5lib.models.resunetk.ResUNetK`, queried by all labels at once."""

    slot_order: Literal["class", "given"] = "class"
    """The order in which the network sees a query's slots: sorted by class, so that the answer does not depend on their
    order; or as given, like in the training of the official checkpoints."""

    def __post_init__(self):
        super().__post_init__()
        require(self.slot_order in ("class", "given"), "slot_order", self.slot_order, "class or given")


@dataclass(frozen=True)
class SpatialUNetConfig(ResUNetKConfig):
    """Options of the separator :class:`s5lib.models.spatial_unet.SpatialUNet`."""

    normalize_level: bool = True
    patch_bins: int = 4
    """Neighbouring bins that enter and leave the U-Net as one."""

    def __post_init__(self):
        super().__post_init__()
        require_positive(self, "patch_bins")
        unit = 2 ** (len(self.channels) + 1) * self.patch_bins
        expected = f"a multiple of {unit}, for {self.patch_bins} bins a patch and {len(self.channels)} halvings"
        require(self.n_fft % unit == 0, "n_fft", self.n_fft, expected)


@dataclass(frozen=True)
class LocoformerConfig(QueryConfig):
    """Options of the separator :class:`s5lib.models.locoformer.Locoformer`.

    >>> LocoformerConfig(attention_size=100, num_heads=8)
    Traceback (most recent call last):
    s5lib.errors.ConfigError: attention_size is 100; expected a multiple of twice num_heads (16).
    """

    normalize_level: bool = True
    n_fft: int = 2048
    """Length of the Fourier transform and of its Hann window, in samples."""
    hop_length: int = 512
    """Distance of neighbouring frames, in samples; at most half of ``n_fft``."""
    band_widths: tuple[int, ...] = (4, 8, 16, 32, 64)
    """Bins of a band below 1 kHz, 2 kHz, 4 kHz, 8 kHz, and above."""
    width: int = 64
    """Features of a band; a multiple of ``num_groups``."""
    common_blocks: int = 4
    """Blocks that work on the mixture and all prompts."""
    single_blocks: int = 2
    """Blocks that work on each slot."""
    attention_size: int = 128
    """Width of queries, keys and values."""
    num_heads: int = 4
    """Attention heads."""
    hidden_size: int = 384
    """Width between the convolutions of the common blocks."""
    single_hidden: int = 256
    """Width between the convolutions of the single blocks."""
    kernel_size: int = 4
    """Of the convolutions, in bands or frames."""
    num_groups: int = 4
    """Groups of features that are normalised."""

    def __post_init__(self):
        super().__post_init__()
        try:
            object.__setattr__(self, "band_widths", tuple(self.band_widths))
        except TypeError:
            require(False, "band_widths", self.band_widths, "five widths, such as [4, 8, 16, 32, 64]")
        require_positive(
            self,
            "n_fft",
            "hop_length",
            "width",
            "common_blocks",
            "single_blocks",
            "text_size",
            "attention_size",
            "num_heads",
            "hidden_size",
            "single_hidden",
            "kernel_size",
            "num_groups",
        )
        require_at_most_half(self)
        for bins in self.band_widths:
            require(isinstance(bins, int) and bins > 0, "band_widths", self.band_widths, "positive whole numbers")
        require(len(self.band_widths) == 5, "band_widths", self.band_widths, "five widths")
        require(self.width % self.num_groups == 0, "width", self.width, f"a multiple of num_groups ({self.num_groups})")
        heads = self.num_heads
        require(
            self.attention_size % (2 * heads) == 0,
            "attention_size",
            self.attention_size,
            f"a multiple of twice num_heads ({2 * heads})",
        )
