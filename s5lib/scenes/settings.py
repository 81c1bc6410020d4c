"""What scenes are drawn: counts, levels, angles, lengths."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from s5lib.errors import ConfigError, nearest

__all__ = ["DRAW_PRESETS", "DrawSettings"]


@dataclass(frozen=True)
class DrawSettings:
    """Settings of :func:`s5lib.scenes.draw`; the defaults are the paper's (arXiv 2601.22504, section 4.1).

    Raises:
        ConfigError: a value is out of its range.
    """

    duration: float = 10.0
    """Length of a scene, seconds."""
    sample_rate: int = 32000
    """In Hz."""
    min_targets: int = 1
    """Fewest targets of a scene that has any."""
    max_targets: int = 3
    """Most targets, K."""
    target_weights: tuple[float, ...] | None = None
    """How often min_targets, ..., max_targets are drawn, in any unit; a single weight: equally often.  None: one target
    half as often as each larger number, which has same-class scenes beside the others."""
    zero_probability: float = 0.0
    """Of scenes without a target."""
    same_class_probability: float = 0.5
    """That a scene of two or more targets has several of one class."""
    max_repeats: int = 2
    """Most targets of such a scene that repeat a class already there: with 2, AAB and AAA; with 1, AAB alone."""
    target_snr: tuple[float, float] = (5.0, 20.0)
    """dB above ``ref_db``."""
    interference_snr: tuple[float, float] = (0.0, 15.0)
    """dB above ``ref_db``."""
    interferences: tuple[int, int] = (0, 2)
    """Fewest and most interfering sounds."""
    min_angle: float = 60.0
    """Degrees between sources of one class, at least."""
    max_event_duration: float | None = None
    """Seconds that a sound may last; of a longer recording a part is drawn.  None: ``duration``."""
    ref_db: float = -55.0
    """Level of the noise, dB relative to full scale."""
    direct_range_ms: tuple[float, float] = (6.0, 50.0)
    """What belongs to the direct path, before and after the peak of the impulse response."""
    rotate: bool | Literal["auto"] = False
    """Turn the sound field about the vertical axis and mirror it, at random; first-order Ambisonics alone.  auto: where
    a corpus has four channels, which are taken for it."""
    speed: tuple[float, float] = (1.0, 1.0)
    """Slowest and fastest that a sound is played, its pitch changing with it."""
    filter_db: float = 0.0
    """Most that a random filter raises or lowers a part of a sound's spectrum."""
    repeat_probability: float = 0.0
    """That a sound with room for it is heard several times, with pauses."""

    def __post_init__(self):
        for item in fields(self):  # lists come from YAML
            value = getattr(self, item.name)
            if isinstance(value, list):
                object.__setattr__(self, item.name, tuple(value))
        self._expect("duration", 0.01 <= self.duration <= 3600, "seconds from 0.01 to 3600")
        self._expect("sample_rate", 1000 <= self.sample_rate == int(self.sample_rate), "whole Hz of at least 1000")
        self._expect("min_targets", 1 <= self.min_targets <= self.max_targets, f"1 to max_targets={self.max_targets}")
        counts, weights = range(self.min_targets, self.max_targets + 1), self.target_weights
        good = weights is None or (len(weights) in (1, len(counts)) and min(weights) >= 0 and sum(weights) > 0)
        expected = f"{len(counts)} weights, for {counts[0]} to {counts[-1]} targets, or a single one for equal shares"
        self._expect("target_weights", good, expected)
        for name in ("zero_probability", "same_class_probability", "repeat_probability"):
            self._expect(name, 0 <= getattr(self, name) <= 1, "0 to 1")
        self._expect("max_repeats", self.max_repeats >= 1, "at least 1")
        for name in ("target_snr", "interference_snr"):
            values = getattr(self, name)
            self._expect(name, len(values) == 2 and values[0] <= values[1], "the lowest and the highest, in dB")
        low_high = self.interferences
        self._expect("interferences", len(low_high) == 2 and 0 <= low_high[0] <= low_high[1], "the fewest and the most")
        self._expect("min_angle", 0 <= self.min_angle <= 180, "0 to 180 degrees")
        longest = self.max_event_duration
        self._expect("max_event_duration", longest is None or 0 < longest <= self.duration, "0 to duration, or None")
        direct = self.direct_range_ms
        self._expect("direct_range_ms", len(direct) == 2 and min(direct) >= 0, "milliseconds before and after the peak")

        slow, fast = self.speed if len(self.speed) == 2 else (0, 0)
        self._expect("speed", 0.25 <= slow <= 1 <= fast <= 4, "the slowest, 0.25 to 1, and the fastest, 1 to 4")
        self._expect("filter_db", 0 <= self.filter_db <= 60, "0 to 60 dB")

    def _expect(self, name: str, good: bool, expected: str) -> None:
        if not good:
            raise ConfigError(f"{name} is {getattr(self, name)!r}, expected {expected}.")

    @classmethod
    def preset(cls, name: str, **changes) -> DrawSettings:
        """Return the settings of a published set, some of them changed.

        >>> DrawSettings.preset("dcase2026", duration=3.0).zero_probability
        0.25

        Raises:
            ConfigError: there is no such preset or setting.
        """
        if name not in DRAW_PRESETS:
            raise ConfigError(f"preset is {name!r}. {nearest(name, DRAW_PRESETS)}")
        known = [item.name for item in fields(cls)]
        for key in changes:
            if key not in known:
                raise ConfigError(f"drawing has no setting {key!r}. {nearest(key, known)}")
        return replace(cls(**DRAW_PRESETS[name]), **changes)

    @property
    def target_shares(self) -> dict[int, float]:
        """Share of each number of targets among the scenes that have any."""
        counts = range(self.min_targets, self.max_targets + 1)
        weights = self.target_weights or [1.0 if count == 1 else 2.0 for count in counts]
        weights = list(weights) * len(counts) if len(weights) == 1 else weights
        return {count: weight / sum(weights) for count, weight in zip(counts, weights, strict=True)}

    @property
    def augments(self) -> bool:
        """Whether drawn scenes are varied by :mod:`s5lib.scenes.augment`."""
        return bool(self.rotate) or self.speed != (1.0, 1.0) or self.filter_db > 0 or self.repeat_probability > 0

    @property
    def event_limit(self) -> float:
        """Seconds that a sound may last."""
        return self.duration if self.max_event_duration is None else self.max_event_duration


DRAW_PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "dcase2026": {"target_weights": (1.0,), "zero_probability": 0.25},
    "dcase2025": {"target_weights": (1.0,), "same_class_probability": 0.0, "ref_db": -50.0},
}
"""``paper``: five equal groups, one, two and three targets of distinct classes, and two and three with same-class ones.
``dcase2026``: 0 to 3 targets equally often, the tagger's training in the challenge.  ``dcase2025``: distinct classes
only."""
