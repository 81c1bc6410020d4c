"""The rules for a package: DCASE 2026 task 4, or the same form with the labels of another corpus.

::

    AUTHOR_AFFILIATION_task4_N.zip
      AUTHOR_AFFILIATION_task4_N/
        eval_out/NAME_I_LABEL.wav       one channel, an estimate of soundscape NAME; I numbers them
        eval_results.json               nparams, config, probabilities: [{soundscape, estimate: [{filename, label,
                                        probability}]}]
        dev_set_test_results.json       CAPI-SDRi: {mean}, label_metrics: {accuracy_mix, accuracy_src}, nparams,
                                        details, config
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s5lib.audio import probe
from s5lib.data import CorpusDescription, DataDirectory
from s5lib.models.challenge_labels import LABELS as CHALLENGE_LABELS

__all__ = ["CHALLENGE_LABELS", "NAME_PATTERN", "Rules", "Violation"]

NAME_PATTERN = re.compile(r"[A-Za-z0-9-]+_[A-Za-z0-9-]+_task4_[1-9][0-9]?")


@dataclass(frozen=True)
class Violation:
    """A violation of the rules."""

    where: str
    """file or entry"""
    what: str
    """what is wrong there, and what was expected"""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Rules:
    """What depends on the set that was separated; the defaults are the challenge's."""

    labels: tuple[str, ...] = CHALLENGE_LABELS
    sample_rate: int = 32000
    """in Hz"""
    max_sources: int = 3
    soundscapes: Mapping[str, int] | None = None
    """names of all recordings of the set, each with its number of samples at ``sample_rate``; None: not known"""
    recordings: Mapping[str, str] | None = None
    """their paths; None: not known"""

    @classmethod
    def of(cls, data_dir: str | Path) -> Rules:
        """Return the rules for a data directory with ``wav.scp``, or for a folder of soundscapes.

        Labels, sample rate and the maximum number of sources come from ``corpus.json`` beside a data directory, or else
        from the challenge.

        Raises:
            DataError: there are no recordings, or one cannot be read.
        """
        data_dir, sizes = Path(data_dir), dict[str, Any]()
        if (data_dir.parent / "corpus.json").is_file() and (data_dir / "wav.scp").is_file():
            corpus = CorpusDescription.read(data_dir.parent)
            sizes = {"labels": corpus.labels, "sample_rate": corpus.sample_rate, "max_sources": corpus.max_sources}
        rate = sizes.get("sample_rate", cls.sample_rate)
        lengths, recordings = {}, {recording.id: recording.mixture for recording in DataDirectory.of(data_dir)}
        for name, path in recordings.items():
            info = probe(path)
            lengths[name] = -(-info.frames * rate // info.sample_rate)
        return cls(**sizes, soundscapes=lengths, recordings=recordings)
