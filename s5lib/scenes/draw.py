"""Drawing scenes: descriptions as a pure function of (corpus, settings, seed, index).

Any scene of any epoch can be made again alone, and a run that was killed goes on with the scenes that it would have
seen.  The rules are the paper's (arXiv 2601.22504, section 4.1) and the challenge's: sources of one class come from
different SOURCE folders and at least ``min_angle`` apart.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from s5lib.errors import ConfigError
from s5lib.scenes.active_starts import active_starts
from s5lib.scenes.augment import augment
from s5lib.scenes.corpus import Clip, Corpus
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.possible import Possible, positions_apart
from s5lib.scenes.settings import DrawSettings
from s5lib.scenes.sofa import Room

__all__ = ["SceneDrawer", "draw"]


class SceneDrawer:
    """Draws scenes of one corpus; what the settings ask for and the corpus cannot give is found at once.

    Raises:
        DataError: no noise is long enough, no room has positions far enough apart, or a class has too few sources.
    """

    def __init__(self, corpus: Corpus, settings: DrawSettings):
        if settings.rotate == "auto":
            settings = replace(settings, rotate=corpus.num_channels == 4)
        self.corpus, self.settings = corpus, settings
        self._possible = Possible(corpus, settings)
        self._starts: dict[Path, np.ndarray] = {}

    def __call__(
        self, seed: int, index: int, targets: int | None = None, same_class: bool | None = None
    ) -> SceneDescription:
        """Draw scene ``index``; its events are sorted by time.

        Args:
            seed: not negative.
            index: not negative.
            targets: number of targets in place of a drawn one.
            same_class: whether several of them are of one class, in place of a drawn choice.

        Raises:
            ConfigError: ``seed`` or ``index`` is negative.
        """
        if seed < 0 or index < 0:
            raise ConfigError(f"seed is {seed} and index {index}; neither can be negative.")
        rng = np.random.default_rng([seed, zlib.crc32(self.corpus.split.encode()), index])
        settings, possible = self.settings, self._possible
        drawn_targets = self._draw_count(rng)
        targets = drawn_targets if targets is None else targets
        labels = self._draw_labels(rng, targets, self._draw_repeats(rng, targets, same_class))
        rooms = possible.rooms(max([labels.count(label) for label in labels], default=1))
        room = rooms[rng.integers(len(rooms))]
        events = []
        for label in dict.fromkeys(labels):
            size = labels.count(label)
            sources = list(possible.sources[label].values())
            chosen = rng.choice(len(sources), size, replace=False)
            positions = positions_apart(room, size, settings.min_angle, rng)
            for source, position in zip(chosen, positions, strict=True):
                clip = sources[source][rng.integers(len(sources[source]))]
                events.append(self._event(rng, label, clip, room, position, settings.target_snr))
        most = settings.interferences[1] if self.corpus.interferences else 0
        interferences = []
        for _ in range(rng.integers(settings.interferences[0], most + 1)):
            known = sorted(self.corpus.interferences)
            label = known[rng.integers(len(known))]
            clips = self.corpus.interferences[label]
            clip, position = clips[rng.integers(len(clips))], int(rng.integers(len(room)))
            interferences.append(self._event(rng, label, clip, room, position, settings.interference_snr))
        noise = possible.noises[rng.integers(len(possible.noises))]
        noise_time = rng.uniform(0.0, noise.info.duration - settings.duration)
        scene = SceneDescription(
            duration=settings.duration,
            sample_rate=int(settings.sample_rate),
            ref_db=settings.ref_db,
            targets=_by_onset(events),
            interferences=_by_onset(interferences),
            noises=(Event("", noise.path, noise_time, 0.0, settings.duration, 0.0, None),),
            room_path=Path(room.path),
            direct_range_ms=settings.direct_range_ms,
        )
        if not settings.augments:
            return scene
        # a generator of its own, so that the scene is the same one, varied
        return augment(scene, settings, np.random.default_rng([seed, zlib.crc32(self.corpus.split.encode()), index, 1]))

    def _draw_count(self, rng: np.random.Generator) -> int:
        empty, share = rng.random() < self.settings.zero_probability, rng.random()
        shares = self.settings.target_shares
        index = int(np.searchsorted(np.cumsum(list(shares.values())), share, side="right"))
        return 0 if empty else list(shares)[min(index, len(shares) - 1)]

    def _draw_repeats(self, rng: np.random.Generator, targets: int, same_class: bool | None) -> int:
        """Draw how many targets repeat a class already there."""
        drawn, share = rng.random() < self.settings.same_class_probability, rng.random()
        most = min(self.settings.max_repeats, targets - 1)
        if most < 1 or not (drawn if same_class is None else same_class):
            return 0
        return 1 + int(share * most)

    def _draw_labels(self, rng: np.random.Generator, targets: int, repeats: int) -> list[str]:
        """Draw the labels, equal ones side by side; the first distinct one can take all repeats."""
        if targets == 0:
            return []
        sources = self._possible.sources
        able = self._possible.labels(repeats + 1)
        first = able[rng.integers(len(able))]
        others = [label for label in sources if label != first]
        labels = [first, *(others[i] for i in rng.choice(len(others), targets - repeats - 1, replace=False))]
        counts = dict.fromkeys(labels, 1)
        for _ in range(repeats):
            free = [
                label
                for label in labels
                if len(sources[label]) > counts[label] and self._possible.rooms(counts[label] + 1)
            ]
            counts[free[rng.integers(len(free))]] += 1
        return [label for label, count in counts.items() for _ in range(count)]

    def _event(
        self, rng: np.random.Generator, label: str, clip: Clip, room: Room, position: int, snr: tuple[float, float]
    ) -> Event:
        duration = min(clip.info.duration, self.settings.event_limit)
        return Event(
            label=label,
            path=clip.path,
            source_time=self._source_time(rng, clip, duration),
            onset=rng.uniform(0.0, self.settings.duration - duration),
            duration=duration,
            position=room.position(position),
            snr=rng.uniform(*snr),
        )

    def _source_time(self, rng: np.random.Generator, clip: Clip, duration: float) -> float:
        """Draw what part of a recording is heard; its peak is within 20 dB of the whole recording's."""
        share = rng.random()
        if duration >= clip.info.duration:
            return 0.0
        if clip.path not in self._starts:
            self._starts[clip.path] = active_starts(clip.path, duration)
        starts = self._starts[clip.path]
        return float(starts[int(share * len(starts))])


def _by_onset(events: list[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda event: event.onset))


def draw(corpus: Corpus, settings: DrawSettings, seed: int, index: int) -> SceneDescription:
    """Draw one scene, a pure function of its arguments.

    For many scenes make one :class:`SceneDrawer`, which looks at the corpus once.

    Raises:
        DataError: the corpus cannot give what the settings ask for.
        ConfigError: ``seed`` or ``index`` is negative.
    """
    return SceneDrawer(corpus, settings)(seed, index)
