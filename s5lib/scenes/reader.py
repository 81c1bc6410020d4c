"""The parts of a scene, read through caches: noise at its level, sounds, rooms.  What convolves them is elsewhere."""

from __future__ import annotations

import os

import numpy as np

from s5lib.audio import AudioStore
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.scenes.augment import changed_sound
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.presets import PRESETS
from s5lib.scenes.rooms import RoomStore

__all__ = ["DEFAULT_MEMORY", "SceneReader", "add_from"]

DEFAULT_MEMORY = 1 << 30
"""Bytes that a renderer's caches may take: a quarter for sounds, the rest for rooms, which take longer to read."""


class SceneReader:
    """Reads the parts of one corpus's scenes; keeps decoded sounds and rooms between scenes.

    Args:
        root: the ``dev_set`` folder.
        preset: a name in :data:`PRESETS`.
        memory_limit: bytes that the caches may take.
        cache_dir: folder for decoded sounds and responses, memory-mapped and shared by all processes.

    Raises:
        ConfigError: there is no such preset.
    """

    def __init__(
        self,
        root: str | os.PathLike,
        preset: str = "dcase2026",
        memory_limit: int = DEFAULT_MEMORY,
        cache_dir: str | os.PathLike | None = None,
    ):
        if preset not in PRESETS:
            raise ConfigError(f"preset is {preset!r}. {nearest(preset, PRESETS)}")
        self.root = os.fspath(root)
        self.preset = PRESETS[preset]
        self.memory_limit = memory_limit
        self.cache_dir = cache_dir
        self._stores: dict[int, tuple[AudioStore, RoomStore]] = {}

    def stores(self, sample_rate: int) -> tuple[AudioStore, RoomStore]:
        """Return the sounds and the rooms at a sample rate."""
        if sample_rate not in self._stores:
            sounds = AudioStore(sample_rate, self.memory_limit // 4, self.cache_dir)
            rooms = RoomStore(sample_rate, self.memory_limit - self.memory_limit // 4, self.cache_dir)
            self._stores = {sample_rate: (sounds, rooms)}  # one rate at a time, so that the limit holds
        return self._stores[sample_rate]

    def __getstate__(self):
        return {**self.__dict__, "_stores": {}}  # a data loader's workers fill their own

    def noise_parts(self, scene: SceneDescription) -> tuple[int, list[tuple[np.ndarray, int, float]]]:
        """Return M and, of each noise, the samples ``[M, n]``, the sample of the scene it begins at, and its gain."""
        rate = scene.sample_rate
        parts = [(event, self._cut(event, rate)) for event in scene.noises]
        if scene.room_path is not None:
            channels, like = self.stores(rate)[1].room(scene.sofa_path).num_channels, scene.room_path
        else:
            channels, like = len(parts[0][1]), scene.noises[0].path
        scaled = []
        for event, samples in parts:
            if len(samples) != channels:
                raise DataError(
                    f"{event.path}: {len(samples)} channels, but {like} has {channels}; noise must be recorded with "
                    "the room's microphone."
                )
            energy = sum(float(np.sum(np.square(channel), dtype=np.float64)) for channel in samples) / samples.size
            if energy == 0.0:
                raise DataError(f"{event.path}: silent from {event.source_time:g} s on; it has no level to scale.")
            scaled.append((samples, int(event.onset * rate), float(self.level(scene, event) / np.sqrt(energy))))
        return channels, scaled

    def noise(self, scene: SceneDescription) -> np.ndarray:
        """Return the background ``[M, T]``; zeros where the scene has none."""
        channels, parts = self.noise_parts(scene)
        total = np.zeros((channels, scene.num_samples), np.float32)
        for samples, onset, gain in parts:
            add_from(total, onset, np.float32(gain) * samples)
        return total

    def _cut(self, event: Event, rate: int) -> np.ndarray:
        """Return the event's part of its recording, ``[channels, n]``."""
        sounds = self.stores(rate)[0]
        start, frames = int(event.source_time * rate), round(event.duration * rate)
        samples = sounds.segment(event.path, start, frames)
        if samples.shape[1] < frames - rate // 100:
            raise DataError(
                f"{event.path}: {samples.shape[1] / rate:.3f} s from {event.source_time:g} s to its end, but the scene "
                f"needs {event.duration:.3f} s. Is this the recording that the metadata was made with?"
            )
        return samples

    def sound(self, event: Event, rate: int) -> tuple[np.ndarray, np.float32]:
        """Return the event's sound, ``[n]`` float32, and its peak."""
        samples = self._cut(event, rate)
        if len(samples) != 1:
            raise DataError(f"{event.path}: {len(samples)} channels, expected a recording of one channel.")
        peak = max(samples.max(), -samples.min())
        if peak == 0.0:
            raise DataError(
                f"{event.path}: silent for {event.duration:g} s from {event.source_time:g} s on; remove the clip."
            )
        heard = changed_sound(samples[0], event, rate)
        return heard, peak if heard is samples[0] else max(heard.max(), -heard.min())

    def level(self, scene: SceneDescription, event: Event) -> float:
        """Return the root mean square that the event has in the scene."""
        ref_db = self.preset.ref_db if scene.ref_db is None else scene.ref_db
        return 10 ** ((ref_db + event.snr) / 20)

    def direct_range(self, scene: SceneDescription) -> tuple[int, int]:
        """Return how many samples before and after its peak belong to the direct path."""
        before, after = scene.direct_range_ms or self.preset.direct_range_ms
        return int(before * scene.sample_rate / 1000), int(after * scene.sample_rate / 1000)

    def positions(self, scene: SceneDescription, events: tuple[Event, ...]) -> list[int]:
        """Return the indices of the events' positions in the scene's room."""
        room = self.stores(scene.sample_rate)[1].room(scene.sofa_path)
        return [room.position_index(event.position) for event in events]


def add_from(target: np.ndarray, start: int, samples: np.ndarray) -> None:
    """Add ``samples [..., n]`` to ``target [..., T]`` from sample ``start`` on; what goes beyond is cut."""
    stop = min(start + samples.shape[-1], target.shape[-1])
    if start < stop:
        target[..., start:stop] += samples[..., : stop - start]
