"""Training data of a tagger with fixed features: these, computed once, instead of scenes."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any

import torch
from torch import nn

from s5lib.audio import probe
from s5lib.data import DrawnScenes, RecordedScenes
from s5lib.data.identity import read_stamps
from s5lib.errors import ConfigError
from s5lib.plugins.feature_check import check_features, has_features
from s5lib.training.data import TrainingData
from s5lib.training.features import (
    FeatureShards,
    backbone_key,
    features_are_fixed,
    pool_key,
    recordings_key,
)
from s5lib.training.resume import Stopped
from s5lib.training.settings import TrainSettings

__all__ = ["CachedData", "have_one_length", "require_tagger", "why_not_cached"]

log = logging.getLogger(__name__)


def require_tagger(kind: str) -> None:
    """Reject a cache for a model that is no tagger.

    Raises:
        ConfigError: ``kind`` is another.
    """
    if kind != "tagger":
        raise ConfigError(f"--tagger_cache is for taggers, whose features may be fixed; this is a {kind}.")


def why_not_cached(model: nn.Module, mixture: torch.Tensor, layers: str) -> str:
    """Return why a tagger cannot train on stored features; empty: it can.

    Args:
        model: on the device of ``mixture``; left as it was.
        mixture: ``[1, M, T]``.
        layers: that train.

    Raises:
        PluginError: see :func:`s5lib.plugins.feature_check.check_features`.
    """
    name = type(model).__name__
    if not has_features(model):
        return f"{name} lacks features(mixture) and classify(features), which together are its forward(mixture)"
    check_features(model, mixture, name)
    return "" if features_are_fixed(model, mixture) else f"with --layers {layers} they change during training"


def have_one_length(recorded: RecordedScenes) -> bool:
    """Return whether all recordings are of one length; others' features depend on what they are batched with."""
    return len({probe(recording.mixture).frames for recording in recorded.directory}) == 1


class CachedData(TrainingData):
    """Like :class:`TrainingData`, from the features of ``settings.tagger_cache`` mixtures, visited in turn.

    Where the tagger has no features, or they depend on what trains, scenes are drawn as without a cache, and the log
    says so.  A validation set whose recordings differ in length is read as without a cache, too.

    Args:
        folder: for the features; see :mod:`s5lib.training.features`.
    """

    def __init__(self, train: DrawnScenes, valid: RecordedScenes, settings: TrainSettings, folder: Path):
        super().__init__(train, valid, settings)
        self.folder = Path(folder)
        self.drawn, self.recorded = train, valid
        self.filled = False

    def setup(self, stage: str) -> None:
        """Compute what is missing, each process its share, before the first step."""
        try:
            self._fill()
        except KeyboardInterrupt:
            raise Stopped(signal.SIGINT) from None  # as in training: what is there is kept

    def _fill(self) -> None:
        trainer, s = self.trainer, self.settings
        if self.filled:
            return
        module: Any = trainer.lightning_module
        model: nn.Module = module.model
        device = trainer.strategy.root_device
        model.to(device)
        if reason := why_not_cached(model, self.recorded[0]["mixture"][None].to(device), s.layers):
            log.warning("features are not cached: %s", reason)
            return
        pool = min(s.tagger_cache, s.batch_size * s.max_steps)
        keys = self._keys(model) if trainer.is_global_zero else {"train": {}, "valid": {}}
        sets = {
            "train": (self.unrendered(self.drawn), pool, f"{self.drawn.corpus.split}-{self.drawn.seed}"),
            "valid": (self.recorded, len(self.recorded), "valid"),
        }
        if not have_one_length(self.recorded):
            log.info("the validation set's features are not cached: its recordings differ in length")
            del sets["valid"]
        kept = {}
        for name, (scenes, count, prefix) in sets.items():
            shards = FeatureShards(self.folder / name, keys[name])
            if trainer.is_global_zero:
                shards.clear_if_other()
                shards.clear_if_stale(scenes, model, count, device=device, precision=s.precision)
            trainer.strategy.barrier()
            shards.fill(
                scenes,
                model,
                count,
                device=device,
                precision=s.precision,
                batch_size=max(1, s.batch_size // (trainer.world_size * s.accumulate)),
                num_workers=s.num_workers,
                rank=trainer.global_rank,
                world_size=trainer.world_size,
            )
            trainer.strategy.barrier()
            kept[name] = shards.scenes(count, prefix)
        self.train, self.valid, self.filled = kept["train"], kept.get("valid", self.recorded), True
        seen = s.batch_size * s.max_steps / pool
        log.info("trains on the features of %d mixtures, each seen %.3g times, in %s", pool, seen, self.folder)

    def _keys(self, model: nn.Module) -> dict[str, dict[str, Any]]:
        """Return what the features of both sets are a function of."""
        key, stamps = backbone_key(model, self.settings.precision), read_stamps(self.recorded.directory.path.parent)
        return {
            "train": {**key, **pool_key(self.drawn, stamps)},
            "valid": {**key, **recordings_key(self.recorded, stamps)},
        }
