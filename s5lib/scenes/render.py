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

from s5lib.scenes.augment import rotation_matrix
from s5lib.scenes.convolution import add_filtered, block_spectra, convolved_energy, overlap_add
from s5lib.scenes.dcase_json import parse_metadata
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.reader import SceneReader, add_from
from s5lib.scenes.rooms import ResponseSpectra

__all__ = ["Renderer", "Scene", "Stems", "render"]


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
        """Return the targets' impulse responses ``[K, M, N]`` float32, in the scale of their SOFA file.

        Without targets it is ``[0, 0, 0]``.
        """
        scene, reader = self.description, self._renderer
        if not scene.targets:
            return np.zeros((0, 0, 0), np.float32)
        responses = reader.stores(scene.sample_rate)[1].responses(scene.sofa_path)
        return _turned(scene, np.array(responses[reader.positions(scene, scene.targets)]))

    def directions(self) -> np.ndarray:
        """Return the targets' directions of arrival ``[K, 3]``: unit vectors, x to the front, y left, z up."""
        scene, reader = self.description, self._renderer
        if not scene.targets:
            return np.zeros((0, 3))
        room = reader.stores(scene.sample_rate)[1].room(scene.sofa_path)
        directions = room.directions[reader.positions(scene, scene.targets)]
        if scene.rotation is None:
            return directions
        y, z, x = rotation_matrix(scene.rotation)[1:, 1:] @ directions[:, [1, 2, 0]].T
        return np.stack([x, y, z], axis=1)


class Renderer(SceneReader):
    """Renders the scenes of one corpus; keeps decoded sounds and the spectra of impulse responses between scenes."""

    def __call__(self, scene: SceneDescription, sources: bool = True) -> Scene:
        """Render a scene; without ``sources`` only the mixture, which is faster, and ``Scene.sources`` is [0, T].

        Raises:
            DataError: a file is missing or not usable, or does not fit the description.
        """
        mixture = self.noise(scene)
        dry = np.zeros((len(scene.targets) if sources else 0, scene.num_samples), np.float32)
        total: np.ndarray | None = None
        for index, event in enumerate(scene.events):
            first, spectra, response = self._scaled(scene, event)
            block = response.block
            if total is None:
                total = np.zeros((len(mixture), -(-scene.num_samples // block), block + 1), np.complex64)
            add_filtered(total, first, spectra, response.channels)
            if index < len(dry):
                add_from(dry[index], first * block, overlap_add(spectra * response.direct, block))
        if total is not None:
            add_from(mixture, 0, overlap_add(total, total.shape[-1] - 1))
        mixture = _turned(scene, mixture)
        labels = tuple(event.label for event in scene.targets)
        return Scene(mixture, dry, labels, scene.sample_rate, scene, self)

    def stems(self, scene: SceneDescription) -> Stems:
        """Render the parts of a scene one by one."""
        noise = self.noise(scene)
        parts = []
        for event in scene.events:
            first, spectra, response = self._scaled(scene, event)
            wet = np.zeros_like(noise)
            add_from(wet, first * response.block, overlap_add(spectra * response.channels[:, None], response.block))
            parts.append(_turned(scene, wet))
        stacked = np.array(parts, np.float32).reshape(len(parts), *noise.shape)
        return Stems(stacked[: len(scene.targets)], stacked[len(scene.targets) :], _turned(scene, noise))

    def _scaled(self, scene: SceneDescription, event: Event) -> tuple[int, np.ndarray, ResponseSpectra]:
        """Return the first block, the spectra of the event at its final level, and the room's response to it."""
        rate, (position,) = scene.sample_rate, self.positions(scene, (event,))
        (sound, peak), rooms = self.sound(event, rate), self.stores(rate)[1]
        response = rooms.spectra(scene.sofa_path, position, *self.direct_range(scene), self.preset.signed_peak)
        first, spectra = block_spectra(sound / peak, int(event.onset * rate), response.block)
        values = (len(sound) + response.length - 1) * response.channels.shape[0]
        power = convolved_energy(spectra, response.kernel) / values
        spectra *= np.float32(self.level(scene, event) / np.sqrt(power))
        return first, spectra, response


def _turned(scene: SceneDescription, field: np.ndarray) -> np.ndarray:
    """Return a sound field ``[..., M, T]`` as the scene turns it."""
    return field if scene.rotation is None else rotation_matrix(scene.rotation) @ field


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
