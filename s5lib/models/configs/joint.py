"""The options of joint models."""

from __future__ import annotations

from dataclasses import dataclass

from s5lib.models.configs.limits import require, require_positive, widths_of
from s5lib.models.configs.mixture import InputConfig
from s5lib.models.configs.separators import ResUNetConfig

__all__ = ["ResUNetJointConfig"]


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
        require_positive(self, "n_mels")
        require(self.n_mels <= self.n_fft // 4, "n_mels", self.n_mels, f"at most n_fft / 4 ({self.n_fft // 4})")
        object.__setattr__(self, "label_channels", widths_of("label_channels", self.label_channels))
        widths, bands = self.label_channels, self.n_mels
        require(
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
