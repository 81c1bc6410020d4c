"""What the values of options must be."""

from __future__ import annotations

from s5lib.errors import ConfigError
from s5lib.untrusted import shown

__all__ = ["require", "require_at_most_half", "require_positive", "widths_of"]

# Of what no weight's shape bounds: a checkpoint's header could ask for any amount of memory.
_MOST = {"sample_rate": 768_000, "n_fft": 1 << 16, "n_mels": 512}
_MOST |= dict.fromkeys(("depth", "common_blocks", "single_blocks"), 1000)  # each takes time, however narrow it is


def require(holds: bool, option: str, value, expected: str) -> None:
    """Raise ConfigError for ``option``, unless what is expected of its value holds."""
    if not holds:
        raise ConfigError(f"{option} is {shown(value)}; expected {expected}.")


def require_positive(config, *options: str) -> None:
    """Raise ConfigError unless all ``options`` of ``config`` are positive whole numbers that no machine fails on."""
    for option in options:
        value = getattr(config, option)
        is_count = isinstance(value, int) and not isinstance(value, bool)
        most = _MOST.get(option, 2**31 - 1)
        require(is_count and 0 < value <= most, option, value, f"a positive whole number, at most {most}")
    if "hop_length" in options:  # a frame for each sample would take any memory
        require(config.hop_length >= config.n_fft // 64, "hop_length", config.hop_length, "at least n_fft / 64")


def widths_of(option: str, value) -> tuple[int, ...]:
    """Return the widths of a network's blocks; raise ConfigError unless they are 1 to 14 positive whole numbers."""
    try:
        widths = tuple(value)
    except TypeError:
        widths = ()
    good = 0 < len(widths) <= 14 and all(isinstance(width, int) and width > 0 for width in widths)
    shown_value = list(widths) if widths else value
    require(good, option, shown_value, "1 to 14 positive whole numbers, such as [16, 32, 64]")
    return widths


def require_at_most_half(config) -> None:
    """Raise ConfigError if frames overlap by less than half, where sums of windows have gaps."""
    half = config.n_fft // 2
    require(config.hop_length <= half, "hop_length", config.hop_length, f"at most half of n_fft ({half})")
