"""How many scenes, how long and of what kind, for a corpus of a given size, where nobody says so."""

from __future__ import annotations

import itertools
import logging
import statistics
from collections.abc import Collection
from dataclasses import replace

from s5lib.errors import ConfigError, DataError
from s5lib.scenes.corpus import Corpus
from s5lib.scenes.possible import Possible
from s5lib.scenes.settings import DrawSettings

__all__ = ["ADAPTED", "feasible", "scene_seconds", "test_scenes", "valid_scenes"]

log = logging.getLogger(__name__)

ADAPTED = {"max_targets", "max_repeats", "same_class_probability"}
"""Settings that :func:`feasible` may change."""
SHORTEST, LONGEST = 3.0, 10.0  # seconds; the latter is the challenge's


def scene_seconds(corpus: Corpus) -> float:
    """Return the duration of scenes in which a typical clip has room: 1.5 times the median, 3 to 10 s.

    It is at most that of the longest noise.
    """
    clips = [clip.info.duration for clips in corpus.events.values() for clip in clips]
    noise = max(clip.info.duration for clip in corpus.noises)
    wanted = min(max(SHORTEST, round(1.5 * statistics.median(clips))), LONGEST)
    return float(min(wanted, noise))


def test_scenes(corpus: Corpus) -> int:
    """Return the number of test mixtures: each source is heard about eight times; 60, and the paper's 3000 at most."""
    return min(max(60, 4 * _sources(corpus)), 3000)


def valid_scenes(corpus: Corpus) -> int:
    """Return the number of validation scenes: half as many for each source; 30 to 500."""
    return min(max(30, 2 * _sources(corpus)), 500)


def _sources(corpus: Corpus) -> int:
    return sum(len({clip.source for clip in clips}) for clips in corpus.events.values())


def feasible(corpus: Corpus, settings: DrawSettings, fixed: Collection[str]) -> DrawSettings:
    """Return ``settings`` without the scenes that ``corpus`` has too few classes, sources or positions for.

    Three of one class are given up first, then several of one class, then the number of targets.

    Args:
        corpus: one split.
        settings: what is wished for.
        fixed: names of settings that somebody has chosen; with one of :data:`ADAPTED` among them all must stay.

    Raises:
        DataError: no scene can be drawn, or not as it must be.
    """
    error: DataError | None = None
    kinds: list[dict] = [{}, {"max_repeats": 1}, {"same_class_probability": 0.0}]
    targets = range(settings.max_targets, settings.min_targets - 1, -1)
    if ADAPTED & set(fixed):
        kinds, targets = kinds[:1], targets[:1]
    for most, kind in itertools.product(targets, kinds):
        changes = {**({"max_targets": most} if most < settings.max_targets else {}), **kind}
        try:
            changed = replace(settings, **changes)
            Possible(corpus, changed)
        except DataError as problem:
            error = error or problem
        except ConfigError:  # weights of another number of targets
            continue
        else:
            if changes:
                log.warning("%s: scenes are drawn with %s. %s", corpus.split, _listed(changes), error)
            return changed
    raise error or DataError(f"{corpus}: no scene can be drawn.")


def _listed(changes: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in changes.items())
