"""Options of the two models; torch is not needed to list them."""

from __future__ import annotations

from dataclasses import dataclass

from s5lib.models.configs import InputConfig


@dataclass(frozen=True)
class TCNConfig(InputConfig):
    """Sizes of the network, in the order of the signal's way through it."""

    kernel: int = 128
    """Length of the encoder's and decoder's filters, in samples; they advance by half of it."""
    filters: int = 128
    """Number of the encoder's filters."""
    width: int = 64
    """Channels between the blocks."""
    hidden: int = 128
    """Channels inside a block."""
    blocks: int = 6
    """Number of blocks; the distance between the taps doubles from one to the next."""

    def __post_init__(self):
        super().__post_init__()
        if self.kernel < 2 or self.kernel % 2:
            raise ValueError(f"kernel is {self.kernel}; expected an even number of samples.")
        for name in ("filters", "width", "hidden", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
