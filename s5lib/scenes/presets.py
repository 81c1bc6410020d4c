"""What differs between the public sets in how a scene is rendered."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """What differs between the public sets; what a scene's description says takes precedence."""

    ref_db: float
    """Level of the noise, dB relative to full scale."""
    signed_peak: bool
    """Where the direct path is: at the largest value of the response (2025), or at its largest magnitude."""
    direct_range_ms: tuple[float, float] = (6.0, 50.0)


PRESETS = {
    "dcase2026": Preset(ref_db=-55.0, signed_peak=False),
    "dcase2025": Preset(ref_db=-50.0, signed_peak=True),
    "paper": Preset(ref_db=-55.0, signed_peak=False),
}
"""``paper`` (arXiv 2601.22504) renders as ``dcase2026``, as whose baseline its code was published; what is drawn
differs."""
