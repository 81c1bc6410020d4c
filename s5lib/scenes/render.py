"""From scene descriptions to waveforms, as the DCASE 2026 Task 4 set was made.

A sound is cut from its recording, divided by its peak and convolved with the impulse responses ``h [M, N]`` of its
position.  It is scaled so that the mean of the squared result, over all channels and the whole convolved length, lies
``snr`` dB above ``ref_db``:  gain = 10^((ref_db + snr - 10 log10 mean(wet^2)) / 20).  It begins at sample
``int(event_time * sr)``; what sounds beyond the scene's end is cut.  A target's dry reference is the same gain times
the sound convolved with the direct path of channel 0, ``[peak - 6 ms, peak + 50 ms]``.  The noise is scaled to
``ref_db``.  Nothing is normalised at the end.  (Often responses are first divided by their energy; the gain cancels any
such factor.)

The convolutions are those of :mod:`s5lib.scenes.convolution`, in float32: within 1e-6 of the peak of a float64
rendering.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from s5lib.audio import AudioStore
from s5lib.errors import ConfigError, DataError, nearest
from s5lib.scenes.convolution import add_filtered, block_spectra, convolved_energy, overlap_add
from s5lib.scenes.dcase_json import parse_metadata
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.rooms import ResponseSpectra, RoomStore

__all__ = ["PRESETS", "Preset", "Renderer", "Scene", "Stems", "render"]

DEFAULT_MEMORY = 1 << 30
"""Bytes that a renderer's caches may take: a quarter for sounds, the rest for rooms, which take longer to read."""


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


@dataclass(frozen=True)
class Stems:
    """The parts of a scene; ``mixture = wet.sum(0) + interference.sum(0) + noise``.  All float32."""

    wet: np.ndarray
    """[K, M, T], the targets with reverberation."""
    interference: np.ndarray
    """[I, M, T]."""
    noise: np.ndarray
    """[M, T]."""


@dataclass(frozen=True)
class Scene:
    """A rendered scene.  M channels, T samples, K targets in the order of the description's."""

    mixture: np.ndarray
    """[M, T] float32."""
    sources: np.ndarray
    """[K, T] float32, the dry targets in channel 0."""
    labels: tuple[str, ...]
    sample_rate: int
    description: SceneDescription
    _renderer: Renderer

    def stems(self) -> Stems:
        """Render the parts of the mixture one by one."""
        return self._renderer.stems(self.description)

    def responses(self) -> np.ndarray:
        """Return the targets' impulse responses ``[K, M, N]`` float32, in the scale of their SOFA file."""
        return self._renderer.responses(self.description)

    def directions(self) -> np.ndarray:
        """Return the targets' directions of arrival ``[K, 3]``: unit vectors, x to the front, y left, z up."""
        return self._renderer.directions(self.description)


class Renderer:
    """Renders the scenes of one corpus; keeps decoded sounds and the spectra of impulse responses between scenes.

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

    def __call__(self, scene: SceneDescription, sources: bool = True) -> Scene:
        """Render a scene; without ``sources`` only the mixture, which is faster, and ``Scene.sources`` is [0, T].

        Raises:
            DataError: a file is missing or not usable, or does not fit the description.
        """
        mixture = self.noise(scene)
        dry = np.zeros((len(scene.targets) if sources else 0, scene.num_samples), np.float32)
        if scene.events:
            total = None
            for index, event in enumerate(scene.events):
                first, spectra, response = self._scaled(scene, event)
                block = response.block
                if total is None:
                    blocks = -(-scene.num_samples // block)
                    total = np.zeros((len(mixture), blocks, block + 1), np.complex64)
                add_filtered(total, first, spectra, response.channels)
                if index < len(dry):
                    _add(dry[index], first * block, overlap_add(spectra * response.direct, block))
            _add(mixture, 0, overlap_add(total, block))
        labels = tuple(event.label for event in scene.targets)
        return Scene(mixture, dry, labels, scene.sample_rate, scene, self)

    def stems(self, scene: SceneDescription) -> Stems:
        """Render the parts of a scene one by one."""
        noise = self.noise(scene)
        parts = []
        for event in scene.events:
            first, spectra, response = self._scaled(scene, event)
            wet = np.zeros_like(noise)
            _add(wet, first * response.block, overlap_add(spectra * response.channels[:, None], response.block))
            parts.append(wet)
        stacked = np.array(parts, np.float32).reshape(len(parts), *noise.shape)
        return Stems(stacked[: len(scene.targets)], stacked[len(scene.targets) :], noise)

    def responses(self, scene: SceneDescription) -> np.ndarray:
        """Return the targets' impulse responses ``[K, M, N]``; ``[0, 0, 0]`` without targets."""
        if not scene.targets:
            return np.zeros((0, 0, 0), np.float32)
        rooms, path = self.stores(scene.sample_rate)[1], os.fspath(scene.room_path)
        indices = [rooms.room(path).position_index(event.position) for event in scene.targets]
        return np.array(rooms.responses(path)[indices])

    def directions(self, scene: SceneDescription) -> np.ndarray:
        """Return the targets' directions of arrival ``[K, 3]``."""
        if not scene.targets:
            return np.zeros((0, 3))
        room = self.stores(scene.sample_rate)[1].room(os.fspath(scene.room_path))
        return room.directions[[room.position_index(event.position) for event in scene.targets]]

    def noise(self, scene: SceneDescription) -> np.ndarray:
        """Return the background ``[M, T]``; zeros where the scene has none."""
        rate = scene.sample_rate
        parts = [(event, self._cut(event, rate)) for event in scene.noises]
        if scene.room_path is not None:
            channels, like = self.stores(rate)[1].room(os.fspath(scene.room_path)).num_channels, scene.room_path
        else:
            channels, like = len(parts[0][1]), scene.noises[0].path
        total = np.zeros((channels, scene.num_samples), np.float32)
        for event, samples in parts:
            if len(samples) != channels:
                raise DataError(
                    f"{event.path}: {len(samples)} channels, but {like} has {channels}; noise must be recorded with "
                    "the room's microphone."
                )
            energy = float(np.mean(np.square(samples), dtype=np.float64))
            if energy == 0.0:
                raise DataError(f"{event.path}: silent from {event.source_time:g} s on; it has no level to scale.")
            _add(total, int(event.onset * rate), np.float32(self.level(scene, event) / np.sqrt(energy)) * samples)
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

    def sound(self, event: Event, rate: int) -> np.ndarray:
        """Return the event's part of its recording, ``[n]`` float32, divided by its peak."""
        samples = self._cut(event, rate)
        if len(samples) != 1:
            raise DataError(f"{event.path}: {len(samples)} channels, expected a recording of one channel.")
        peak = np.max(np.abs(samples))
        if peak == 0.0:
            raise DataError(
                f"{event.path}: silent for {event.duration:g} s from {event.source_time:g} s on; remove the clip."
            )
        return samples[0] / peak

    def level(self, scene: SceneDescription, event: Event) -> float:
        """Return the root mean square that the event has in the scene."""
        ref_db = self.preset.ref_db if scene.ref_db is None else scene.ref_db
        return 10 ** ((ref_db + event.snr) / 20)

    def direct_range(self, scene: SceneDescription) -> tuple[int, int]:
        """Return how many samples before and after its peak belong to the direct path."""
        before, after = scene.direct_range_ms or self.preset.direct_range_ms
        return int(before * scene.sample_rate / 1000), int(after * scene.sample_rate / 1000)

    def _scaled(self, scene: SceneDescription, event: Event) -> tuple[int, np.ndarray, ResponseSpectra]:
        """Return the first block, the spectra of the event at its final level, and the room's response to it."""
        rate = scene.sample_rate
        sound = self.sound(event, rate)
        rooms, path = self.stores(rate)[1], os.fspath(scene.room_path)
        position = rooms.room(path).position_index(event.position)
        response = rooms.spectra(path, position, *self.direct_range(scene), self.preset.signed_peak)
        first, spectra = block_spectra(sound, int(event.onset * rate), response.block)
        values = (len(sound) + response.length - 1) * response.channels.shape[0]
        power = convolved_energy(spectra, response.kernel) / values
        spectra *= np.float32(self.level(scene, event) / np.sqrt(power))
        return first, spectra, response


def _add(target: np.ndarray, start: int, samples: np.ndarray) -> None:
    """Add ``samples [..., n]`` to ``target [..., T]`` from sample ``start`` on; what goes beyond is cut."""
    stop = min(start + samples.shape[-1], target.shape[-1])
    if start < stop:
        target[..., start:stop] += samples[..., : stop - start]


@functools.lru_cache(maxsize=4)
def _renderer(root: str, preset: str) -> Renderer:
    return Renderer(root, preset)


def render(
    metadata: SceneDescription | Mapping | str | os.PathLike, root: str | os.PathLike, preset: str = "dcase2026"
) -> Scene:
    """Render one scene.

    Args:
        metadata: a JSON file of the DCASE 2026 format, its content, or a drawn description.
        root: the corpus's ``dev_set`` folder; what follows ``dev_set/`` in the metadata's paths is taken below it.
        preset: ``dcase2026``, ``dcase2025`` or ``paper``: the reference level where the metadata gives none, and
            where the direct path is.

    Returns:
        The scene, ``.mixture [M, T]``, ``.sources [K, T]`` (dry, channel 0), ``.labels``, more on demand.

    Raises:
        DataError: the metadata is not valid, or one of its files is missing or not usable.
        ConfigError: there is no such preset.
    """
    scene = metadata if isinstance(metadata, SceneDescription) else parse_metadata(metadata, root)
    return _renderer(os.path.abspath(root), preset)(scene)
