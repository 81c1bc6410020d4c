"""What a system gives for one recording: a list of labelled sources."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s5lib.audio import check_sample_rate
from s5lib.audio.writing import can_encode, data_uri, write_audio
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.untrusted import shown

__all__ = ["Source"]

_FORMATS = {".wav": "float", ".flac": "flac", ".mp3": "mp3"}
_LOUDEST = {"flac": 1 - 2**-20, "mp3": 0.9}  # of formats that clip; MP3 overshoots


@dataclass(frozen=True)
class Source:
    """One separated source; in a notebook it is shown as a player."""

    label: str
    probability: float
    """of the label, as the tagger gives it, 0 to 1; 1.0 for a label that was given"""
    waveform: np.ndarray
    """``[T]``, float32, at the system's sampling rate"""
    sample_rate: int | None = None
    """in Hz; None only inside a system, which sets it on all that it returns"""

    def save(self, path: str | os.PathLike[str]) -> float:
        """Write the waveform; folders above are made.

        Args:
            path: ends in ``.wav`` (32-bit floats, which hold any level), ``.flac`` (24 bits) or ``.mp3``.

        Returns:
            The gain it was written with: 1.0, or less where a format that ends at full scale would have clipped it.

        Raises:
            ConfigError: the ending is another one, the source has no sampling rate, or the format does not know it.
            DataError: the file cannot be written, or the waveform is not finite real samples ``[T]``.
        """
        self._check()
        try:
            ending = Path(os.fsdecode(path)).suffix.lower()
        except TypeError:
            raise ConfigError(f"{shown(path)} is no path; expected one that ends in {nearest('', _FORMATS)}") from None
        if "\0" in os.fsdecode(path) or os.fsdecode(path).endswith("/"):
            raise ConfigError(f"{shown(path)} is not the name of a file.")
        if ending not in _FORMATS:
            raise ConfigError(f"{path}: no format for {ending or 'a name without ending'}. {nearest(ending, _FORMATS)}")
        if self.sample_rate is None:
            raise ConfigError(f"{path}: the source has no sample_rate; dataclasses.replace(source, sample_rate=...).")
        rate = check_sample_rate(self.sample_rate, f"the source {shown(self.label)}")
        format = _FORMATS[ending]
        if not can_encode(format, rate):
            raise ConfigError(f"{path}: {ending[1:]} cannot be written at {rate} Hz. Choose .wav or .flac.")
        gain = min(1.0, _LOUDEST.get(format, np.inf) / max(self._peak(), 1e-9))
        write_audio(os.fsdecode(path), self.waveform if gain == 1 else np.float32(gain) * self.waveform, rate, format)
        return gain

    def _check(self) -> None:
        """Raise DataError where the waveform is not one that a file can hold."""
        problem = ""
        if not isinstance(self.waveform, np.ndarray) or self.waveform.dtype.kind != "f" or self.waveform.ndim != 1:
            problem = f"is {_kind(self.waveform)}; expected a floating-point array [T]"
        elif not np.isfinite(self.waveform).all():
            problem = "has samples that are not finite numbers"
        if problem:
            raise DataError(
                f"the waveform of the source {shown(self.label)} {problem}. dataclasses.replace(source, waveform=...)."
            )

    def _peak(self) -> float:
        return float(np.abs(self.waveform).max(initial=0))

    def _repr_html_(self) -> str | None:
        """Return a player for notebooks, as loud as can be; None where there is no sampling rate or no sample."""
        if self.sample_rate is None or not len(self.waveform):
            return None
        self._check()
        loudest = self.waveform * np.float32(0.9 / max(self._peak(), 1e-9))
        title = f"{html.escape(self.label)}, {self.probability:.0%}, {len(self.waveform) / self.sample_rate:.1f} s"
        return (
            f"<figure><figcaption>{title}</figcaption>"
            f'<audio controls preload="metadata" src="{data_uri(loudest, self.sample_rate)}"></audio></figure>'
        )


def _kind(value: object) -> str:
    """Return what something that is no waveform is instead."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"a {type(value).__name__} of {value.dtype} and shape {list(value.shape)}"
    return f"a {type(value).__name__}"
