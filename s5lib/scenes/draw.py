"""Drawing scenes: descriptions as a pure function of (corpus, settings, seed, index).

Any scene of any epoch can be made again alone, and a run that was killed goes on with the scenes that it would have
seen.  The rules are the paper's (arXiv 2601.22504, section 4.1) and the challenge's: sources of one class come from
different SOURCE folders and at least ``min_angle`` apart.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from s5lib.errors import ConfigError, DataError
from s5lib.scenes.choice import active_starts, positions_apart
from s5lib.scenes.corpus import Clip, Corpus
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.settings import DrawSettings
from s5lib.scenes.sofa import Room

__all__ = ["SceneDrawer", "draw"]


class SceneDrawer:
    """Draws scenes of one corpus; what the settings ask for and the corpus cannot give is found at once.

    Raises:
        DataError: no noise is long enough, no room has positions far enough apart, or a class has too few sources.
    """

    def __init__(self, corpus: Corpus, settings: DrawSettings):
        self.corpus = corpus
        self.settings = settings
        self.sources = {label: _by_source(clips) for label, clips in corpus.events.items()}
        self.noises = [noise for noise in corpus.noises if noise.info.duration >= settings.duration]
        self._rooms_by_size: dict[int, list[Room]] = {}
        self._starts: dict[Path, np.ndarray] = {}
        self._check()

    # -- what is possible

    def _check(self) -> None:
        corpus, settings = self.corpus, self.settings
        if not self.noises:
            longest = max(corpus.noises, key=lambda noise: noise.info.duration)
            raise DataError(
                f"{longest.path.parent}: no noise recording lasts {settings.duration:g} s; the longest, "
                f"{longest.path.name}, has {longest.info.duration:.2f} s. Give longer noise or a shorter duration."
            )
        if settings.interferences[0] and not corpus.interferences:
            raise DataError(
                f"{corpus.root / 'interference' / corpus.split}: no recordings, but every scene is to have at least "
                f"{settings.interferences[0]} (interferences={settings.interferences})."
            )
        if len(self.sources) < settings.max_targets and settings.same_class_probability < 1:
            raise DataError(
                f"{corpus.root / 'sound_event' / corpus.split}: {len(self.sources)} labels have recordings, but a "
                f"scene may have {settings.max_targets} distinct ones (max_targets={settings.max_targets})."
            )
        if settings.same_class_probability > 0:
            for count in range(max(2, settings.min_targets), settings.max_targets + 1):
                for repeats in range(1, min(settings.max_repeats, count - 1) + 1):
                    self._check_repeats(count, repeats)

    def _check_repeats(self, count: int, repeats: int) -> None:
        corpus, settings = self.corpus, self.settings
        folder = corpus.root / "sound_event" / corpus.split
        if not self.repeatable(repeats + 1):
            most = max(self.sources, key=lambda label: len(self.sources[label]))
            raise DataError(
                f"{folder}: no label has {repeats + 1} SOURCE folders or files, as scenes of {count} targets with "
                f"{repeats + 1} of one class need; {most} has the most, {len(self.sources[most])}. Lower max_targets, "
                "max_repeats or same_class_probability."
            )
        if len(self.sources) < count - repeats:
            raise DataError(f"{folder}: {len(self.sources)} labels, but scenes of {count - repeats} are to be drawn.")
        if not self.rooms_for(repeats + 1):
            raise DataError(
                f"{corpus.root / 'room_ir' / corpus.split}: no room has {repeats + 1} source positions that are "
                f"{settings.min_angle:g} degrees apart from each other, as same-class sources must be. Lower "
                "min_angle, or give rooms with sources on more sides."
            )

    def repeatable(self, size: int) -> list[str]:
        """Return the labels that have at least ``size`` sources."""
        return [label for label, sources in self.sources.items() if len(sources) >= size]

    def rooms_for(self, size: int) -> list[Room]:
        """Return the rooms that have ``size`` positions, each ``min_angle`` from the others."""
        if size not in self._rooms_by_size:
            angle = self.settings.min_angle
            self._rooms_by_size[size] = [room for room in self.corpus.rooms if positions_apart(room, size, angle)]
        return self._rooms_by_size[size]

    # -- drawing

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
        settings = self.settings
        drawn_targets = self._draw_count(rng)
        targets = drawn_targets if targets is None else targets
        labels = self._draw_labels(rng, targets, self._draw_repeats(rng, targets, same_class))
        rooms = self.rooms_for(max([labels.count(label) for label in labels], default=1))
        room = rooms[rng.integers(len(rooms))]
        events = []
        for label in dict.fromkeys(labels):
            size = labels.count(label)
            names = list(self.sources[label])
            chosen = rng.choice(len(names), size, replace=False)
            positions = positions_apart(room, size, settings.min_angle, rng)
            for source, position in zip(chosen, positions, strict=True):
                clips = self.sources[label][names[source]]
                clip = clips[rng.integers(len(clips))]
                events.append(self._event(rng, label, clip, room, position, settings.target_snr))
        most = settings.interferences[1] if self.corpus.interferences else 0
        interferences = []
        for _ in range(rng.integers(settings.interferences[0], most + 1)):
            known = sorted(self.corpus.interferences)
            label = known[rng.integers(len(known))]
            clips = self.corpus.interferences[label]
            clip, position = clips[rng.integers(len(clips))], int(rng.integers(len(room)))
            interferences.append(self._event(rng, label, clip, room, position, settings.interference_snr))
        noise = self.noises[rng.integers(len(self.noises))]
        noise_time = rng.uniform(0.0, noise.info.duration - settings.duration)
        return SceneDescription(
            duration=settings.duration,
            sample_rate=int(settings.sample_rate),
            ref_db=settings.ref_db,
            targets=_by_onset(events),
            interferences=_by_onset(interferences),
            noises=(Event(None, noise.path, noise_time, 0.0, settings.duration, 0.0, None),),
            room_path=Path(room.path),
            direct_range_ms=settings.direct_range_ms,
        )

    def _draw_count(self, rng: np.random.Generator) -> int:
        empty, share = rng.random() < self.settings.zero_probability, rng.random()
        shares = self.settings.target_shares
        index = np.searchsorted(np.cumsum(list(shares.values())), share, side="right")
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
        able = self.repeatable(repeats + 1)
        first = able[rng.integers(len(able))]
        others = [label for label in self.sources if label != first]
        labels = [first, *(others[i] for i in rng.choice(len(others), targets - repeats - 1, replace=False))]
        counts = dict.fromkeys(labels, 1)
        for _ in range(repeats):
            free = [
                label
                for label in labels
                if len(self.sources[label]) > counts[label] and self.rooms_for(counts[label] + 1)
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
            position=tuple(room.positions[position].tolist()),
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


def _by_source(clips: tuple[Clip, ...]) -> dict[str, list[Clip]]:
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.source, []).append(clip)
    return groups


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
