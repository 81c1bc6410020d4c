"""Datasets of scenes for torch: drawn on the fly, rendered from metadata, or recordings of a data directory.

An item is a dict, and :func:`collate` makes the batch of it (B batch, M channels, T samples, K slots, C classes):

======== ================= ===========================================================
mixture  float32 [B, M, T]
sources  float32 [B, K, T] dry targets in channel 0; zeros in silent slots; left out where they are not asked for
labels   int64 [B, K]      class index; -1 in silent slots, which come last
query    float32 [B, K, C] one-hot rows; zeros in silent slots
id       list of B strings
======== ================= ===========================================================
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import Dataset, default_collate

from s5lib.audio import read_audio
from s5lib.data.directory import DataDirectory, Recording
from s5lib.errors import DataError, nearest
from s5lib.scenes.corpus import Corpus, class_labels, find_root, metadata_files
from s5lib.scenes.dcase_json import parse_metadata
from s5lib.scenes.description import SceneDescription
from s5lib.scenes.draw import SceneDrawer
from s5lib.scenes.reader import DEFAULT_MEMORY
from s5lib.scenes.render import Renderer
from s5lib.scenes.settings import DrawSettings

__all__ = ["DrawnScenes", "MetadataScenes", "RecordedScenes", "collate", "label_item", "scene_item"]


def scene_item(
    name: str,
    mixture: np.ndarray,
    sources: np.ndarray | None,
    labels: Sequence[str],
    classes: Sequence[str],
    num_sources: int,
) -> dict:
    """Make an item of a scene: ``mixture [M, T]``, k <= K labels, and their ``sources [k, T]``.

    With ``[0, T]``, the item's sources are zeros; with None, it has none.

    Raises:
        DataError: an unknown label, or more targets than slots.
    """
    item = {**label_item(name, labels, classes, num_sources), "mixture": torch.from_numpy(mixture)}
    if sources is not None:
        slots = np.zeros((num_sources, mixture.shape[-1]), np.float32)
        slots[: len(sources)] = sources
        item["sources"] = torch.from_numpy(slots)
    return item


def label_item(name: str, labels: Sequence[str], classes: Sequence[str], num_sources: int) -> dict:
    """Make ``labels``, ``query`` and ``id`` of an item.

    Raises:
        DataError: an unknown label, or more targets than slots.
    """
    if len(labels) > num_sources:
        raise DataError(f"{name}: {len(labels)} targets ({', '.join(labels)}), but there are {num_sources} slots.")
    for label in labels:
        if label not in classes:
            raise DataError(f"{name}: unknown label {label!r}. {nearest(label, classes)}")
    indices = torch.full((num_sources,), -1, dtype=torch.int64)
    indices[: len(labels)] = torch.tensor([classes.index(label) for label in labels], dtype=torch.int64)
    query = functional.one_hot(indices.clamp(min=0), len(classes)) * (indices >= 0)[:, None]
    return {"labels": indices, "query": query.to(torch.float32), "id": name}


class DrawnScenes(Dataset):
    """Scenes drawn and rendered when they are asked for.

    Item i is a pure function of (corpus, settings, seed, start + i).
    ``len`` is ``size``, but any index that is not negative has its scene, so that a sampler may count on over epochs.
    Every worker process has its own caches.

    Args:
        corpus: where to draw from.
        settings: what to draw.
        seed: not negative.
        size: number of scenes of an epoch.
        start: index of the first one.
        sources: render the dry targets; a tagger needs none, and without them items have no ``sources``.
        num_channels: how many channels of the mixtures to keep, from the first; None: all.
        preset: of the renderer.
        memory_limit: bytes of the caches, in each process.
        cache_dir: folder for decoded sounds, memory-mapped and shared by all processes.

    Raises:
        DataError: the corpus cannot give what the settings ask for.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: DrawSettings,
        seed: int,
        size: int,
        start: int = 0,
        *,
        sources: bool = True,
        num_channels: int | None = None,
        preset: str = "dcase2026",
        memory_limit: int = DEFAULT_MEMORY,
        cache_dir: str | os.PathLike | None = None,
    ):
        self.corpus, self.settings = corpus, settings
        self.seed, self.size, self.start, self.sources, self.num_channels = seed, size, start, sources, num_channels
        self.drawer = SceneDrawer(corpus, settings)
        self.renderer = Renderer(corpus.root, preset, memory_limit, cache_dir)

    def __len__(self) -> int:
        return self.size

    def name(self, index: int) -> str:
        """Return the id of item ``index``."""
        return f"{self.corpus.split}-{self.seed}-{self.start + index:09d}"

    def describe(self, index: int) -> SceneDescription:
        """Return what item ``index`` is made of."""
        return self.drawer(self.seed, self.start + index)

    def __getitem__(self, index: int) -> dict:
        scene = self.renderer(self.describe(index), sources=self.sources)
        mixture, sources = scene.mixture[: self.num_channels], scene.sources if self.sources else None
        name, classes, num_sources = self.name(index), self.corpus.labels, self.settings.max_targets
        return scene_item(name, mixture, sources, scene.labels, classes, num_sources)


class MetadataScenes(Dataset):
    """The scenes of a corpus's ``metadata/NAME``, rendered when they are asked for.

    Args:
        data_root: the corpus.
        name: the set, ``valid`` for one.
        num_sources: K, the number of slots.
        preset, memory_limit, cache_dir: as of :class:`DrawnScenes`.

    Raises:
        DataError: there is no such set; getting an item: as the renderer, an unknown label, more targets than slots.
    """

    def __init__(
        self,
        data_root: str | os.PathLike,
        name: str,
        num_sources: int = 3,
        *,
        preset: str = "dcase2026",
        memory_limit: int = DEFAULT_MEMORY,
        cache_dir: str | os.PathLike | None = None,
    ):
        root = find_root(data_root)
        self.files, self.classes = metadata_files(root, name), class_labels(root)
        self.num_sources = num_sources
        self.renderer = Renderer(root, preset, memory_limit, cache_dir)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict:
        path = self.files[index]
        scene = self.renderer(parse_metadata(path, self.renderer.root))
        return scene_item(path.stem, scene.mixture, scene.sources, scene.labels, self.classes, self.num_sources)


class RecordedScenes(Dataset):
    """The scenes of a data directory.

    Args:
        data_dir: the folder.
        classes: all class labels, in the order of the class indices.
        num_sources: K, the number of slots.
        sample_rate: in Hz; a mixture of another rate is an error.  None: not checked.
        num_channels: how many channels of the mixtures to keep, from the first; fewer are an error.  None: all.

    Raises:
        DataError: the directory is not valid, has no labels, an unknown one, or more targets than slots; reading an
            item: a recording is missing or not usable, or lengths or sample rates of its parts differ.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike,
        classes: Sequence[str],
        num_sources: int = 3,
        *,
        sample_rate: int | None = None,
        num_channels: int | None = None,
    ):
        self.sample_rate, self.num_channels = sample_rate, num_channels
        self.directory = DataDirectory.read(data_dir)
        self.classes, self.num_sources = tuple(classes), num_sources
        silence = np.zeros((1, 0), np.float32)
        for recording in self.directory:
            if recording.labels is None:
                raise DataError(f"{self.directory.path}: no file 'labels'; it is needed to train or to score.")
            scene_item(recording.id, silence, silence[:0], recording.labels, self.classes, num_sources)

    def __len__(self) -> int:
        return len(self.directory)

    def __getitem__(self, index: int) -> dict:
        recording: Recording = self.directory.recordings[index]
        mixture, rate = read_audio(recording.mixture)
        if self.sample_rate not in (None, rate):
            raise DataError(f"{recording.mixture}: {rate} Hz, expected {self.sample_rate} as the model has them.")
        if len(mixture) < (self.num_channels or 0):
            raise DataError(f"{recording.mixture}: {len(mixture)} channels, the model needs {self.num_channels}.")
        mixture = mixture[: self.num_channels]
        sources = np.zeros((len(recording.sources), mixture.shape[1]), np.float32)
        for slot, path in enumerate(recording.sources):
            source, source_rate = read_audio(path)
            if source.shape != (1, mixture.shape[1]) or source_rate != rate:
                raise DataError(
                    f"{path}: {source.shape[0]} channels, {source.shape[1]} samples, {source_rate} Hz; expected 1, "
                    f"{mixture.shape[1]}, {rate} as of the mixture {recording.mixture}."
                )
            sources[slot] = source[0]
        return scene_item(recording.id, mixture, sources, recording.labels or (), self.classes, self.num_sources)


def collate(items: Sequence[dict]) -> dict:
    """Make a batch of items; shorter scenes get zeros at their end.

    Raises:
        DataError: the mixtures have different numbers of channels.
    """
    channels = {item["mixture"].shape[0]: item["id"] for item in items}
    if len(channels) > 1:
        (first, one), (second, other) = list(channels.items())[:2]
        raise DataError(f"{one} has {first} channels, {other} has {second}; scenes of a batch need the same number.")
    longest = max(item["mixture"].shape[-1] for item in items)
    return default_collate([_lengthened(item, longest) for item in items])


def _lengthened(item: dict, length: int) -> dict:
    short = (name for name in ("mixture", "sources") if name in item and item[name].shape[-1] < length)
    return {**item, **{name: functional.pad(item[name], (0, length - item[name].shape[-1])) for name in short}}
