"""What scenes a corpus can give under given settings, found out before the first one is drawn."""

from __future__ import annotations

import numpy as np

from s5lib.errors import DataError
from s5lib.scenes.corpus import Clip, Corpus
from s5lib.scenes.settings import DrawSettings
from s5lib.scenes.sofa import Room

__all__ = ["Possible", "positions_apart"]


class Possible:
    """What can be chosen from.

    Attributes:
        sources: clips of each SOURCE folder, for each label.
        noises: noise recordings that last as long as a scene.

    Raises:
        DataError: no noise is long enough, no room has positions far enough apart, or a class has too few sources.
    """

    def __init__(self, corpus: Corpus, settings: DrawSettings):
        self.corpus, self.settings = corpus, settings
        self.sources = {label: _by_source(clips) for label, clips in corpus.events.items()}
        self.noises = [noise for noise in corpus.noises if noise.info.duration >= settings.duration]
        self._rooms: dict[int, list[Room]] = {}
        self._check()

    def labels(self, size: int) -> list[str]:
        """Return the labels that have at least ``size`` sources."""
        return [label for label, sources in self.sources.items() if len(sources) >= size]

    def rooms(self, size: int) -> list[Room]:
        """Return the rooms that have ``size`` positions, each ``min_angle`` from the others."""
        if size not in self._rooms:
            angle = self.settings.min_angle
            self._rooms[size] = [room for room in self.corpus.rooms if positions_apart(room, size, angle)]
        return self._rooms[size]

    def _check(self) -> None:
        corpus, settings = self.corpus, self.settings
        if not self.noises:
            longest = max(corpus.noises, key=lambda noise: noise.info.duration)
            raise DataError(
                f"{longest.path.parent}: no noise recording lasts {settings.duration:g} s; the longest, "
                f"{longest.path.name}, has {longest.info.duration:.2f} s. Give longer noise or a shorter duration."
            )
        if settings.rotate is True and corpus.num_channels != 4:
            raise DataError(
                f"{corpus.root}: {corpus.num_channels} channels; rotate=true needs the 4 of first-order Ambisonics. "
                "Choose rotate=auto or rotate=false (--scenes_conf)."
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
        if not self.labels(repeats + 1):
            most = max(self.sources, key=lambda label: len(self.sources[label]))
            raise DataError(
                f"{folder}: no label has {repeats + 1} SOURCE folders or files, as scenes of {count} targets with "
                f"{repeats + 1} of one class need; {most} has the most, {len(self.sources[most])}. Lower max_targets, "
                "max_repeats or same_class_probability."
            )
        if len(self.sources) < count - repeats:
            raise DataError(f"{folder}: {len(self.sources)} labels, but scenes of {count - repeats} are to be drawn.")
        if not self.rooms(repeats + 1):
            raise DataError(
                f"{corpus.root / 'room_ir' / corpus.split}: no room has {repeats + 1} source positions that are "
                f"{settings.min_angle:g} degrees apart, as same-class sources must be. Lower "
                "min_angle, or give rooms with sources on more sides."
            )


def _by_source(clips: tuple[Clip, ...]) -> dict[str, list[Clip]]:
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.source, []).append(clip)
    return groups


def positions_apart(room: Room, size: int, angle: float, rng: np.random.Generator | None = None) -> list[int]:
    """Return ``size`` positions of a room, each ``angle`` degrees or more from the others; none where there are none.

    Positions are tried in a random order (in the room's without ``rng``), going back where a choice leads nowhere.
    """
    return _extend(room, [], size, angle, rng)


def _extend(room: Room, chosen: list[int], size: int, angle: float, rng: np.random.Generator | None) -> list[int]:
    if len(chosen) == size:
        return chosen
    allowed = np.ones(len(room), bool)
    for index in chosen:
        allowed &= room.angles(index) >= angle
        allowed[index] = False
    candidates = np.flatnonzero(allowed)
    for candidate in candidates if rng is None else rng.permutation(candidates):
        found = _extend(room, [*chosen, int(candidate)], size, angle, rng)
        if found:
            return found
    return []
