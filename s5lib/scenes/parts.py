"""What a scene is made of before it is convolved: cut sounds, impulse responses, levels, noise.

:class:`s5lib.scenes.render.Renderer` turns one scene into waveforms with numpy.  :mod:`s5lib.scenes.device_render` does
the same for a batch with torch, on a GPU too; the processes that load data then only :func:`gather`.  Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s5lib.scenes.augment import rotation_matrix
from s5lib.scenes.description import Event, SceneDescription
from s5lib.scenes.reader import SceneReader
from s5lib.scenes.rooms import direct_path

__all__ = ["EventParts", "NoiseParts", "SceneParts", "gather"]


@dataclass(frozen=True)
class EventParts:
    """One sound at one position of the room."""

    sound: np.ndarray
    """[n] float32."""
    peak: np.float32
    """What the sound is divided by."""
    onset: int
    """Sample of the scene at which it begins."""
    filters: np.ndarray
    """[M + 1, N] float32: the impulse responses of all channels and, last, the direct path of channel 0."""
    level: float
    """Root mean square of the convolved sound, over all channels and the whole convolved length."""


@dataclass(frozen=True)
class NoiseParts:
    """One background recording."""

    samples: np.ndarray
    """[M, n] float32."""
    onset: int
    gain: float


@dataclass(frozen=True)
class SceneParts:
    """The parts of a scene of M channels and T samples; sounds and noise are views of what the reader keeps."""

    num_channels: int
    num_samples: int
    events: tuple[EventParts, ...]
    """Targets first."""
    num_targets: int
    noises: tuple[NoiseParts, ...]
    rotation: np.ndarray | None
    """[M, M] float32: turns the sound field; None: it stays."""


def gather(reader: SceneReader, scene: SceneDescription) -> SceneParts:
    """Read a scene's parts through the caches of ``reader``.

    Raises:
        DataError: a file is missing or not usable, or does not fit the description.
    """
    channels, parts = reader.noise_parts(scene)
    events = tuple(_event(reader, scene, event) for event in scene.events)
    noises = tuple(NoiseParts(*part) for part in parts)
    rotation = None if scene.rotation is None else rotation_matrix(scene.rotation)
    return SceneParts(channels, scene.num_samples, events, len(scene.targets), noises, rotation)


def _event(reader: SceneReader, scene: SceneDescription, event: Event) -> EventParts:
    rate, (position,) = scene.sample_rate, reader.positions(scene, (event,))
    (sound, peak), rooms = reader.sound(event, rate), reader.stores(rate)[1]
    response = rooms.responses(scene.sofa_path)[position]
    direct = direct_path(response[0], *reader.direct_range(scene), reader.preset.signed_peak)
    filters = np.concatenate([response, direct[None]])
    return EventParts(sound, peak, int(event.onset * rate), filters, reader.level(scene, event))
