"""Cached features: what does not train always computes the same ones for a mixture, so they are computed once.

For a pool of training mixtures and for the validation set, what the head sees is stored in shards, ``.npy`` files of
structured arrays that are mapped into memory and not read as a whole::

    FOLDER/key.json              what the features are a function of: backbone, precision, corpus, scenes, seed
    FOLDER/00000.npy ...         labels [K] int64 and features float32 of 256 mixtures each, in order

Shards are complete or missing, so that an interrupted run resumes with the next one.  Shards with another key are
deleted, and the log says what changed; so are those of which the tagger, edited meanwhile, computes another first row.
A larger pool keeps a smaller one's shards.
"""

from __future__ import annotations

import hashlib
import logging
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from humanfriendly import format_size, format_timespan
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn
from torch.utils.data import DataLoader, Dataset

from s5lib.data import DrawnScenes, RecordedScenes, collate
from s5lib.data.identity import recordings_digest
from s5lib.data.unrendered import rendered
from s5lib.errors import ConfigError, DataError
from s5lib.plugins.feature_check import in_mode, nearly_equal, require_one_shape
from s5lib.provenance import Stamps, atomic_write, write_text
from s5lib.untrusted import json_record, to_json

__all__ = [
    "FeatureScenes",
    "FeatureShards",
    "backbone_key",
    "compute_features",
    "features_are_fixed",
    "pool_key",
    "recordings_key",
]

log = logging.getLogger(__name__)

SHARD = 256  # mixtures: some seconds of work to lose, and few enough files
_ROUNDING = {"float32": 2e-3, "bfloat16": 2e-2}  # of other devices and batches, with TF32 convolutions


def features_are_fixed(model: nn.Module, mixture: torch.Tensor) -> bool:
    """Return whether, in training, a mixture's features depend on nothing that trains, on no chance and on no batch.

    Chance shows in random generators that have moved, however rarely it changes the features.  The model's buffers and
    mode and the generators are left as they were.
    """
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    pair = mixture.repeat(2, 1, 1)  # batch normalisation refuses a single one
    features = cast("Callable[[torch.Tensor], torch.Tensor]", model.features)
    with isolate_rng():
        with in_mode(model, training=False), torch.no_grad():
            expected = features(pair.clone())  # which it may change
        before = _generators(mixture.device)
        with in_mode(model, training=True):
            found = features(pair)
        is_fixed = not found.requires_grad and nearly_equal(found, expected) and before == _generators(mixture.device)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            is_fixed = is_fixed and torch.equal(buffer, buffers[name])
            buffer.copy_(buffers[name])
    return is_fixed


def compute_features(model: nn.Module, batch: dict, precision: str) -> torch.Tensor:
    """Return the features of a batch's mixtures as they are stored: in eval mode, float32 ``[B, ...]``.

    Args:
        model: a tagger with ``features``; its mode is left as it was.
        batch: on the model's device.
        precision: ``"float32"`` or ``"bfloat16"``, as in training.
    """
    mixture = rendered(batch)["mixture"]
    autocast = torch.autocast(mixture.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    with in_mode(model, training=False), torch.no_grad(), autocast:
        return cast("Callable[[torch.Tensor], torch.Tensor]", model.features)(mixture).float()


def _generators(device: torch.device) -> list:
    """Return the states of the global random generators, which change with each number that is drawn."""
    states = [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]
    _, keys, position, *_ = cast("tuple", np.random.get_state())
    return [*(state.tolist() for state in states), keys.tolist(), position, random.getstate()]


def backbone_key(model: nn.Module, precision: str) -> dict:
    """Return what determines the features of a mixture: frozen weights and options."""
    digest = hashlib.sha256()
    kept = [(n, p) for n, p in model.named_parameters() if not p.requires_grad] + list(model.named_buffers())
    for name, tensor in sorted(kept, key=lambda item: item[0]):
        digest.update(f"{name} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return {"backbone": digest.hexdigest()[:16], "options": repr(model.config), "precision": precision}


def pool_key(scenes: DrawnScenes, stamps: Stamps) -> dict:
    """Return what the training mixtures are a function of: the corpus's files, the drawing's settings, the seed.

    Args:
        scenes: the mixtures.
        stamps: of files that are known already.
    """
    corpus = scenes.corpus
    return {
        "corpus": stamps.digest(corpus.files, corpus.root),
        "scenes": repr(scenes.settings),
        "seed": scenes.seed,
    }


def recordings_key(scenes: RecordedScenes, stamps: Stamps) -> dict:
    """Return what a validation set is a function of: its recordings and labels; ``stamps``: of known files."""
    return {"recordings": recordings_digest(scenes.directory, stamps)}


class FeatureScenes(Dataset):
    """Scenes as their features; item i is scene ``i % size`` of the pool.

    A batch is a dict: ``features`` float32 [B, ...], ``labels`` int64 [B, K] with -1 in silent slots, ``id`` list of B.
    """

    def __init__(self, shards: Sequence[np.ndarray], name: str):
        self.shards, self.name = list(shards), name
        self.size = sum(len(shard) for shard in self.shards)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict:
        return {name: value[0] for name, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict:
        """Return the batch of several scenes at once; torch's loaders ask for it."""
        places = [divmod(index % self.size, SHARD) for index in indices]
        rows = np.stack([self.shards[shard][row] for shard, row in places])
        return {
            "features": torch.from_numpy(rows["features"].copy()),
            "labels": torch.from_numpy(rows["labels"].copy()),
            "id": [f"{self.name}-{index % self.size:09d}" for index in indices],
        }

    @staticmethod
    def collate(batch: dict) -> dict:
        """Return what :meth:`__getitems__` has made a batch of already."""
        return batch


class FeatureShards:
    """The shards of one folder.

    Args:
        folder: where to keep them; made on :meth:`fill`.
        key: what they are a function of, plain values.

    Raises:
        ConfigError: (:meth:`fill`) there is no room for them, or they cannot be written.
        PluginError: (:meth:`fill`) mixtures of one length have features of several shapes.
    """

    def __init__(self, folder: Path, key: dict):
        self.folder, self.key = Path(folder), key

    def clear_if_other(self) -> None:
        """Delete shards of another key; for one process, before any fills."""
        file = self.folder / "key.json"
        try:
            found = json_record(file).values
        except DataError:
            found = None
        if found == self.key:
            return
        if found is not None:
            changed = ", ".join(sorted(name for name in {*found, *self.key} if found.get(name) != self.key.get(name)))
            log.info("%s: the cached features are of another %s; they are recomputed", self.folder, changed)
        try:
            self._clear()
            write_text(file, to_json(self.key, indent=1) + "\n")
        except OSError as error:
            raise self._not_written(error) from None

    def clear_if_stale(self, scenes: Dataset, model: nn.Module, count: int, *, device, precision: str) -> None:
        """Delete all shards if the first mixture stored now has other features, as after an edit of a plugin's code.

        For one process, before any fills; for arguments see :meth:`fill`.
        """
        for number in range(-(-count // SHARD)):
            if (rows := self.shard(number, count)) is not None:
                batch = getattr(scenes, "collate", collate)([scenes[number * SHARD]])
                found = compute_features(model, move_data_to_device(batch, device), precision)[0].cpu()
                if not nearly_equal(found, torch.from_numpy(rows["features"][0].copy()), _ROUNDING[precision]):
                    log.warning("%s: the tagger no longer computes the cached features; recomputed", self.folder)
                    self._clear()
                return

    def _clear(self) -> None:
        for shard in self.folder.glob("[0-9]*.npy"):
            shard.unlink()

    def shard(self, number: int, count: int) -> np.ndarray | None:
        """Return shard ``number`` of a pool of ``count`` mixtures, memory-mapped; None if missing or incomplete."""
        path = self.folder / f"{number:05d}.npy"
        try:
            rows = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return rows if len(rows) == len(_indices(number, count)) else None

    def fill(
        self,
        scenes: Dataset,
        model: nn.Module,
        count: int,
        *,
        device,
        precision: str,
        batch_size: int,
        num_workers: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Compute the missing shards among those of this process.

        Args:
            scenes: gives the items, of which the first ``count`` are taken.
            model: a tagger with ``features``, on ``device``.
            precision: ``"float32"`` or ``"bfloat16"``, as in training.
            batch_size: mixtures at once.
            num_workers: processes that mix.
            rank: of this process; it takes every ``world_size``-th of the missing shards.
        """
        shards = range(-(-count // SHARD))
        missing = [number for number in shards if self.shard(number, count) is None]
        if rank == 0 and missing:
            log.info("%s: %d of %d shards are to be computed", self.folder, len(missing), len(shards))
        mine = missing[rank::world_size]
        parts = [
            _indices(n, count)[i : i + batch_size] for n in mine for i in range(0, len(_indices(n, count)), batch_size)
        ]
        make_batch = getattr(scenes, "collate", collate)
        loader = DataLoader(scenes, batch_sampler=parts, num_workers=num_workers, collate_fn=make_batch)
        rows, done, since = [], 0, time.monotonic()
        first: torch.Tensor | None = None
        for batch in loader:
            features = compute_features(model, move_data_to_device(batch, device), precision)
            first = features[:1] if first is None else first
            require_one_shape(features, first, type(model).__name__)
            rows.append((batch["labels"].cpu().numpy(), features.cpu().numpy()))
            if sum(len(labels) for labels, _ in rows) == len(_indices(mine[done], count)):
                to_come = sum(len(_indices(number, count)) for number in missing) if done == 0 and rank == 0 else 0
                self._write(mine[done], rows, to_come)
                rows, done = [], done + 1
                rate = min(done * SHARD, count) / (time.monotonic() - since)
                left = format_timespan(int((len(mine) - done) * SHARD / rate))
                log.info(
                    "%s: %d of %d, %.1f mixtures/s, %s left", self.folder, done, len(mine), rate * world_size, left
                )

    def _write(self, number: int, rows: list, to_come: int) -> None:
        labels, features = (np.concatenate(columns) for columns in zip(*rows, strict=True))
        kinds = [("labels", "<i8", labels.shape[1:]), ("features", "<f4", features.shape[1:])]
        table = np.empty(len(labels), dtype=kinds)
        table["labels"], table["features"] = labels, features
        free, needed = shutil.disk_usage(self.folder).free, to_come * table.dtype.itemsize
        if needed > free:
            raise ConfigError(
                f"--tagger_cache: the features need {format_size(needed)} in {self.folder}, which has "
                f"{format_size(free)} free. Use a smaller number or another --expdir."
            )
        try:
            with atomic_write(self.folder / f"{number:05d}.npy") as temporary, open(temporary, "wb") as stream:
                np.save(stream, table)
        except OSError as error:
            raise self._not_written(error) from None

    def _not_written(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"--tagger_cache: cannot write {self.folder} ({error.strerror}). Free some space or use another --expdir."
        )

    def scenes(self, count: int, name: str) -> FeatureScenes:
        """Return the dataset of the first ``count`` mixtures, all of whose shards are there."""
        shards = [self.shard(number, count) for number in range(-(-count // SHARD))]
        return FeatureScenes(cast("list[np.ndarray]", shards), name)


def _indices(number: int, count: int) -> list[int]:
    return list(range(number * SHARD, min(count, (number + 1) * SHARD)))
