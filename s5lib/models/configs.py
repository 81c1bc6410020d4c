"""The options of s5lib's own models, importable without torch.

The defaults are the sizes of the paper's models; smaller values give smaller networks of the same code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from s5lib.errors import ConfigError
from s5lib.interfaces import ModelConfig
from s5lib.untrusted import shown

__all__ = [
    "InputConfig",
    "LocoformerConfig",
    "M2DConfig",
    "QueryConfig",
    "ResNetConfig",
    "ResUNetConfig",
    "ResUNetJointConfig",
    "ResUNetKConfig",
    "SpatialUNetConfig",
    "TaggerConfig",
]


# Of what no weight's shape bounds: a checkpoint's header could ask for any amount of memory.
_MOST = {"sample_rate": 768_000, "n_fft": 1 << 16, "n_mels": 512}


def _require(holds: bool, option: str, value, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{option} is {shown(value)}; expected {expected}.")


def _require_positive(config, *options: str) -> None:
    for option in options:
        value = getattr(config, option)
        is_count = isinstance(value, int) and not isinstance(value, bool)
        most = _MOST.get(option, 2**31 - 1)
        _require(is_count and 0 < value <= most, option, value, f"a positive whole number, at most {most}")
    if "hop_length" in options:  # a frame for each sample would take any memory
        _require(config.hop_length >= config.n_fft // 64, "hop_length", config.hop_length, "at least n_fft / 64")


def _widths(option: str, value) -> tuple[int, ...]:
    """Return the widths of a network's blocks, at most 14."""
    try:
        widths = tuple(value)
    except TypeError:
        widths = ()
    good = 0 < len(widths) <= 14 and all(isinstance(width, int) and width > 0 for width in widths)
    shown_value = list(widths) if widths else value
    _require(good, option, shown_value, "1 to 14 positive whole numbers, such as [16, 32, 64]")
    return widths


def _require_at_most_half(config) -> None:
    half = config.n_fft // 2
    _require(config.hop_length <= half, "hop_length", config.hop_length, f"at most half of n_fft ({half})")


@dataclass(frozen=True)
class InputConfig(ModelConfig):
    """Options of how a mixture enters a model, :func:`s5lib.models.mixture.prepare_mixture`, which all models share."""

    normalize_level: bool = False
    """Whether the mixture's reference channel is scaled to an RMS of 1, so that results do not depend on its gain."""
    channel_dropout: float = 0.0
    """Probability that a training mixture loses its last channels; above 0, the model accepts one channel and more."""

    def __post_init__(self):
        _require_positive(self, "num_classes", "num_sources", "num_channels", "sample_rate")
        _require(isinstance(self.normalize_level, bool), "normalize_level", self.normalize_level, "true or false")
        _require(0 <= self.channel_dropout <= 1, "channel_dropout", self.channel_dropout, "a probability, from 0 to 1")

    @property
    def fewest_channels(self) -> int:
        """1 for a model that was trained on mixtures without some of their channels."""
        return 1 if self.channel_dropout else self.num_channels

    @property
    def is_level_invariant(self) -> bool:
        """As :attr:`normalize_level` says."""
        return self.normalize_level


@dataclass(frozen=True)
class TaggerConfig(InputConfig):
    """Options that all taggers share: a log-mel spectrogram at the beginning, a head for each slot at the end."""

    n_fft: int = 800
    """Length of the Fourier transform and of its Hann window, in samples."""
    hop_length: int = 320
    """Distance of neighbouring frames, in samples."""
    n_mels: int = 80
    """Number of mel bands."""
    f_min: float = 50.0
    """Lower edge of the lowest mel band, in Hz."""
    f_max: float | None = None
    """Upper edge of the highest mel band, in Hz; None: half the sample rate."""
    head_dim: int = 1024
    """Width of the head's first layer, per slot."""
    track_dim: int = 512
    """Width of the head's second layer, per slot."""
    dropout: float = 0.0
    """Probability of dropout before each of the head's layers, in training."""
    input_channels: int | None = None
    """Number of the mixture's channels to use, from the first; 1: the reference channel; None: all."""

    def __post_init__(self):
        super().__post_init__()
        _require_positive(
            self,
            "n_fft",
            "hop_length",
            "n_mels",
            "head_dim",
            "track_dim",
        )
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "a probability, from 0 to below 1")
        nyquist = self.sample_rate / 2
        _require(
            self.highest_frequency <= nyquist, "f_max", self.f_max, f"at most half the sample rate ({nyquist:g} Hz)"
        )
        top = self.highest_frequency
        _require(0 <= self.f_min < top, "f_min", self.f_min, f"from 0 to below f_max ({top:g} Hz)")
        channels = self.num_channels
        _require(
            self.input_channels is None or 1 <= self.input_channels <= channels,
            "input_channels",
            self.input_channels,
            f"1 to num_channels ({channels}), or none for all",
        )

    @property
    def highest_frequency(self) -> float:
        """Upper edge of the highest mel band, in Hz."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def used_channels(self) -> int:
        """The number of channels that the tagger hears."""
        return self.input_channels or self.num_channels

    @property
    def fewest_channels(self) -> int:
        """As many as the tagger hears, or 1."""
        return 1 if self.channel_dropout else self.used_channels


@dataclass(frozen=True)
class M2DConfig(TaggerConfig):
    """Options of the tagger :class:`s5lib.models.m2d.M2DTagger`; ``n_mels`` is a multiple of ``patch_size``.

    >>> M2DConfig(embed_dim=100, num_heads=12)
    Traceback (most recent call last):
    s5lib.errors.ConfigError: num_heads is 12; expected a divisor of embed_dim (100).
    """

    norm_mean: float = -7.1
    """Mean of the log-mel energies that the input is normalised with."""
    norm_std: float = 4.2
    """Standard deviation of the log-mel energies that the input is normalised with."""
    patch_size: int = 16
    """Side of a patch, in mel bands and in frames."""
    chunk_frames: int = 1001
    """Frames that the transformer sees at once; a longer input is cut into such chunks, whose features are averaged."""
    embed_dim: int = 768
    """Width of the transformer."""
    depth: int = 12
    """Number of transformer blocks."""
    num_heads: int = 12
    """Attention heads per block; a divisor of ``embed_dim``."""
    mlp_ratio: float = 4.0
    """Width of a block's hidden layer relative to ``embed_dim``."""

    def __post_init__(self):
        super().__post_init__()
        _require_positive(self, "patch_size", "chunk_frames", "embed_dim", "depth", "num_heads")
        size = self.patch_size
        _require(self.n_mels % size == 0, "n_mels", self.n_mels, f"a multiple of patch_size ({size})")
        _require(self.chunk_frames >= size, "chunk_frames", self.chunk_frames, f"at least patch_size ({size})")
        _require(
            self.embed_dim % self.num_heads == 0,
            "num_heads",
            self.num_heads,
            f"a divisor of embed_dim ({self.embed_dim})",
        )
        _require(self.embed_dim % 4 == 0, "embed_dim", self.embed_dim, "a multiple of 4, for the position embedding")
        _require(self.mlp_ratio * self.embed_dim >= 1, "mlp_ratio", self.mlp_ratio, "a positive number")
        _require(self.norm_std > 0, "norm_std", self.norm_std, "a positive number")


@dataclass(frozen=True)
class ResNetConfig(TaggerConfig):
    """Options of the tagger :class:`s5lib.models.resnet.ResNetTagger`.

    >>> ResNetConfig(n_mels=8, widths=[16, 32, 64, 64])
    Traceback (most recent call last):
    s5lib.errors.ConfigError: widths is [16, 32, 64, 64]; expected 1 to 3 widths, so that 8 bands can be halved.
    """

    normalize_level: bool = True
    n_fft: int = 1024
    hop_length: int = 640
    n_mels: int = 64
    head_dim: int = 256
    track_dim: int = 128
    dropout: float = 0.2
    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Width of each block, which halves frames and mel bands."""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "widths", _widths("widths", self.widths))
        most = self.n_mels.bit_length() - 1
        expected = f"1 to {most} widths, so that {self.n_mels} bands can be halved"
        _require(len(self.widths) <= most, "widths", list(self.widths), expected)


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
        _require(self.query in ("onehot", "text"), "query", self.query, "onehot or text")
        if self.query == "text":
            count = self.num_classes
            _require(len(self.labels) == count, "labels", list(self.labels), f"{count} labels, one for each class")


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
        object.__setattr__(self, "channels", _widths("channels", self.channels))
        _require_positive(
            self,
            "n_fft",
            "hop_length",
            "condition_size",
            "text_size",
        )
        blocks, unit = len(self.channels), 2 ** (len(self.channels) + 1)
        _require(
            self.n_fft % unit == 0,
            "n_fft",
            self.n_fft,
            f"a multiple of {unit}, so that {blocks} blocks can halve its n_fft / 2 bins",
        )
        _require_at_most_half(self)


@dataclass(frozen=True)
class ResUNetKConfig(ResUNetConfig):
    """Options of the separator :class:`s5lib.models.resunetk.ResUNetK`, queried by all labels at once."""

    slot_order: Literal["class", "given"] = "class"
    """The order in which the network sees a query's slots: sorted by class, so that the answer does not depend on their
    order; or as given, like in the training of the official checkpoints."""

    def __post_init__(self):
        super().__post_init__()
        _require(self.slot_order in ("class", "given"), "slot_order", self.slot_order, "class or given")


@dataclass(frozen=True)
class SpatialUNetConfig(ResUNetKConfig):
    """Options of the separator :class:`s5lib.models.spatial_unet.SpatialUNet`."""

    normalize_level: bool = True
    patch_bins: int = 4
    """Neighbouring bins that enter and leave the U-Net as one."""

    def __post_init__(self):
        super().__post_init__()
        _require_positive(self, "patch_bins")
        unit = 2 ** (len(self.channels) + 1) * self.patch_bins
        expected = f"a multiple of {unit}, for {self.patch_bins} bins a patch and {len(self.channels)} halvings"
        _require(self.n_fft % unit == 0, "n_fft", self.n_fft, expected)


@dataclass(frozen=True)
class ResUNetJointConfig(InputConfig):
    """Options of the joint model :class:`s5lib.models.joint.ResUNetJoint`; the first three are the separators'.

    >>> ResUNetJointConfig(sample_rate=8000, n_fft=256, hop_length=128, n_mels=65)
    Traceback (most recent call last):
    s5lib.errors.ConfigError: n_mels is 65; expected at most n_fft / 4 (64).
    """

    n_fft: int = 1024
    """Length of the Fourier transform and of its Hann window, in samples."""
    hop_length: int = 160
    """Distance of neighbouring frames, in samples; at most half of ``n_fft``."""
    channels: tuple[int, ...] = (32, 64, 128, 256, 384, 384)
    """Width of each encoder block; as many decoder blocks follow.  The block between them has the last width."""
    n_mels: int = 64
    """Mel bands in which the label head sees a separated slot; at most a quarter of ``n_fft``."""
    label_channels: tuple[int, ...] = (32, 64, 128, 256)
    """Width of each convolution of the label head; each but the last is followed by a halving of frames and bands."""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "channels", self.unet.channels)
        _require_positive(self, "n_mels")
        _require(self.n_mels <= self.n_fft // 4, "n_mels", self.n_mels, f"at most n_fft / 4 ({self.n_fft // 4})")
        object.__setattr__(self, "label_channels", _widths("label_channels", self.label_channels))
        widths, bands = self.label_channels, self.n_mels
        _require(
            0 < len(widths) <= bands.bit_length(),
            "label_channels",
            list(widths),
            f"1 to {bands.bit_length()} widths, so that {bands} bands can be halved",
        )

    @property
    def unet(self) -> ResUNetConfig:
        """The same sizes as those of a separator, which has the same limits."""
        sizes = (self.num_classes, self.num_sources, self.num_channels, self.sample_rate)
        return ResUNetConfig(*sizes, n_fft=self.n_fft, hop_length=self.hop_length, channels=self.channels)


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
            _require(False, "band_widths", self.band_widths, "five widths, such as [4, 8, 16, 32, 64]")
        _require_positive(
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
        _require_at_most_half(self)
        for bins in self.band_widths:
            _require(isinstance(bins, int) and bins > 0, "band_widths", self.band_widths, "positive whole numbers")
        _require(len(self.band_widths) == 5, "band_widths", self.band_widths, "five widths")
        _require(
            self.width % self.num_groups == 0, "width", self.width, f"a multiple of num_groups ({self.num_groups})"
        )
        heads = self.num_heads
        _require(
            self.attention_size % (2 * heads) == 0,
            "attention_size",
            self.attention_size,
            f"a multiple of twice num_heads ({2 * heads})",
        )
