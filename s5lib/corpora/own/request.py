"""What is asked for: the options of ``s5lib new-corpus``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from s5lib.errors import ConfigError

__all__ = ["NewCorpus"]


@dataclass(frozen=True)
class NewCorpus:
    """What to make a corpus of.

    Raises:
        ConfigError: a number is out of its range.
    """

    clips: Path
    """Folder of ``LABEL/[SOURCE/]*.wav``; any format, rate and length."""
    out: Path
    """Gets ``dev_set/``, ``REPORT.md`` and the record of what each file was made from."""
    rooms: Path | None = None
    """Folder of measured impulse responses, see :func:`s5lib.corpora.own.rooms.find_rooms`; None: simulated ones."""
    noise: Path | None = None
    """Folder of background noise with one, two or all of the microphone's channels; None: synthesised."""
    interference: str | None = None
    """Labels of :attr:`clips`, separated by commas, that are no targets but disturb; or another folder of clips."""
    num_rooms: int = 12
    """Simulated rooms for training; a third of that for validation and for test each."""
    noise_seconds: float = 15.0
    """The least that a noise lasts: as long as the longest scene."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("num_rooms", 1), ("seed", 0), ("noise_seconds", 1)):
            if not getattr(self, name) >= least:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; expected at least {least}.")
