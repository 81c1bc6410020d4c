"""The options of taggers."""

from __future__ import annotations

from dataclasses import dataclass

from s5lib.models.configs.limits import require, require_positive, widths_of
from s5lib.models.configs.mixture import InputConfig

__all__ = ["M2DConfig", "ResNetConfig", "TaggerConfig"]


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
        require_positive(
            self,
            "n_fft",
            "hop_length",
            "n_mels",
            "head_dim",
            "track_dim",
        )
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a probability, from 0 to below 1")
        nyquist = self.sample_rate / 2
        require(
            self.highest_frequency <= nyquist, "f_max", self.f_max, f"at most half the sample rate ({nyquist:g} Hz)"
        )
        top = self.highest_frequency
        require(0 <= self.f_min < top, "f_min", self.f_min, f"from 0 to below f_max ({top:g} Hz)")
        channels = self.num_channels
        require(
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
        require_positive(self, "patch_size", "chunk_frames", "embed_dim", "depth", "num_heads")
        size = self.patch_size
        require(self.n_mels % size == 0, "n_mels", self.n_mels, f"a multiple of patch_size ({size})")
        require(self.chunk_frames >= size, "chunk_frames", self.chunk_frames, f"at least patch_size ({size})")
        require(
            self.embed_dim % self.num_heads == 0,
            "num_heads",
            self.num_heads,
            f"a divisor of embed_dim ({self.embed_dim})",
        )
        require(self.embed_dim % 4 == 0, "embed_dim", self.embed_dim, "a multiple of 4, for the position embedding")
        require(self.mlp_ratio * self.embed_dim >= 1, "mlp_ratio", self.mlp_ratio, "a positive number")
        require(self.norm_std > 0, "norm_std", self.norm_std, "a positive number")


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
        object.__setattr__(self, "widths", widths_of("widths", self.widths))
        most = self.n_mels.bit_length() - 1
        expected = f"1 to {most} widths, so that {self.n_mels} bands can be halved"
        require(len(self.widths) <= most, "widths", list(self.widths), expected)
