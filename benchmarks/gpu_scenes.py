"""Scenes per second: read, rendered by workers, rendered by the device; and how long a training waits for them."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import lightning
import numpy as np
import soundfile
import torch
from gpu_common import Part, host_waits, make, seconds_of
from gpu_parity import TRAINING
from lightning.fabric.utilities import move_data_to_device
from torch.utils.data import DataLoader
from training import Clock

from s5lib.data import CorpusDescription, DrawnScenes, RecordedScenes, collate
from s5lib.data.unrendered import UnrenderedScenes, rendered
from s5lib.models import keep_freed_memory
from s5lib.scenes import Corpus, DrawSettings
from s5lib.training.data import TrainingData
from s5lib.training.nonfinite_guard import Guard
from s5lib.training.settings import TrainSettings

__all__ = ["long_corpus", "run"]

BATCH = 32


def run(part: Part, _: dict) -> None:
    """Measure scenes as long as the paper's."""
    keep_freed_memory()  # as 's5lib train' does
    with tempfile.TemporaryDirectory() as folder:
        seconds = 1.0 if part.quick else 10.0
        drawn = _drawn(part, Path(folder), seconds)
        with part.guarded("one process"):
            _one_process(part, drawn)
        with part.guarded("rendering on the device"):
            _on_device(part, drawn)
        most = 1 if part.quick else max(1, len(os.sched_getaffinity(0)) - 2)
        for where in ("workers", "cuda" if part.device == "cuda" else "cpu"):
            what = f"m2d head, batches of {BATCH}, {most} workers, --render_device {where}"
            if part.has_time(what, 20):
                with part.guarded(what):
                    part.row(what, **_waiting(part, drawn, most, where))
        for workers in sorted({1, min(4, most), most}):
            for where in ("device", "workers"):
                what = f"{seconds:g} s scenes, {workers} workers, rendered by {where}"
                if part.has_time(what, 10):
                    with part.guarded(what):
                        part.row(what, scenes_per_s=_loaded(part, drawn, workers, where))


def long_corpus(root: Path, folder: Path, seconds: float) -> Path:
    """Return a copy of a corpus in ``folder`` (by links) whose noise lasts at least so long."""
    for path in sorted(root.rglob("*.*")):
        target = folder / "dev_set" / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if "noise" in path.relative_to(root).parts[:1]:
            samples, rate = soundfile.read(path, dtype="float32")
            times = int(np.ceil(seconds * rate / len(samples))) + 1
            soundfile.write(target.with_suffix(".wav"), np.tile(samples, (times, 1)), rate, subtype="FLOAT")
        elif path.is_file():
            target.symlink_to(path.resolve())
    return folder


def _drawn(part: Part, folder: Path, seconds: float) -> DrawnScenes:
    corpus = CorpusDescription.read(part.data_dir)
    options = {**corpus.draw_options, "sample_rate": corpus.sample_rate, "duration": seconds}
    long = Corpus(long_corpus(Path(corpus.root), folder, seconds), "train")
    return DrawnScenes(long, DrawSettings(**options), seed=0, size=10**6)


def _one_process(part: Part, drawn: DrawnScenes) -> None:
    """Time what a worker does for a scene, in either way."""
    unrendered, count = UnrenderedScenes(drawn), 8 if part.quick else 32
    for title, scenes, make_batch in (("renders", drawn, collate), ("only reads", unrendered, unrendered.collate)):
        for _ in range(2):  # the second time, sounds and rooms are cached
            start = time.process_time()
            make_batch([scenes[index] for index in range(count)])
            elapsed = time.process_time() - start
        part.row(f"a process {title}", scenes_per_s=count / elapsed)


def _on_device(part: Part, drawn: DrawnScenes) -> None:
    unrendered = UnrenderedScenes(drawn)
    for batch in (4,) if part.quick else (4, 32, 128):
        host = unrendered.collate([unrendered[index] for index in range(batch)])
        size = sum(value.nbytes for value in host["parts"].values() if isinstance(value, torch.Tensor))
        given = move_data_to_device(host, part.device)
        elapsed = seconds_of(lambda given=given: rendered(given), part.device, 0.5)
        part.row(
            f"the device renders, batches of {batch}", scenes_per_s=batch / elapsed, mb_per_scene=size / batch / 1e6
        )


def _loaded(part: Part, drawn: DrawnScenes, workers: int, where: str) -> float:
    """Return scenes per second that reach the device, rendered, with filled caches."""
    scenes = UnrenderedScenes(drawn) if where == "device" else drawn
    batch, batches = (4, 6) if part.quick else (BATCH, 3 * workers + 5)
    loader = DataLoader(
        scenes,
        batch,
        sampler=range(batch * batches),
        num_workers=workers,
        collate_fn=getattr(scenes, "collate", collate),
        prefetch_factor=4,
        pin_memory=part.device == "cuda",
    )
    first = batches // 2  # until then, caches fill, and batches wait that were made while nobody looked
    for number, host in enumerate(loader, 1):
        rendered(move_data_to_device(host, part.device))
        if number in (first, batches):
            if part.device == "cuda":
                torch.cuda.synchronize()
            if number == first:
                start = time.perf_counter()
    return batch * (batches - first) / (time.perf_counter() - start)


def _waiting(part: Part, drawn: DrawnScenes, workers: int, where: str) -> dict:
    """Train the tagger's head on scenes that nobody has rendered before, and return its speed and what it waited."""
    cuda, steps = part.device == "cuda", 6 if part.quick else 45
    kind, name, options = part.networks()["m2d, 4 channels"]
    corpus = CorpusDescription.read(part.data_dir)
    sizes = {"num_classes": len(corpus.labels), "num_channels": corpus.num_channels, "sample_rate": corpus.sample_rate}
    settings = TrainSettings(
        batch_size=4 if part.quick else BATCH, max_steps=steps, layers="head", num_workers=workers, render_device=where
    )
    module = TRAINING[kind](make(kind, name, {**options, **sizes}), settings)
    drawn = DrawnScenes(drawn.corpus, drawn.settings, seed=1, size=10**6, sources=False)
    valid = RecordedScenes(part.data_dir / "valid", corpus.labels, corpus.max_sources)
    clock, last, counting = Clock(time.perf_counter, steps // 3), 2 if part.quick else 10, contextlib.ExitStack()

    class Callback(lightning.Callback):
        """Times all steps but the last ones, in which it counts how often the host waits."""

        def on_train_batch_start(self, *_):
            if clock.steps < steps - last:
                clock.batch_comes()

        def on_train_batch_end(self, *_):
            if clock.steps < steps - last:
                clock.step_ends()
                if clock.steps == steps - last:
                    self.waits = counting.enter_context(host_waits(part.device))

    trainer = lightning.Trainer(
        accelerator="gpu" if cuda else "cpu",
        devices=1,
        precision="bf16-mixed" if cuda else "32-true",
        max_steps=steps,
        max_epochs=-1,
        limit_val_batches=0,
        gradient_clip_val=settings.clip,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        use_distributed_sampler=False,
        callbacks=[Guard(Path(), drawn), counts := Callback()],
    )
    data = TrainingData(drawn, valid, settings)
    with counting:
        trainer.fit(module, datamodule=data)
    data.close()
    found = clock.result()
    waits = " ".join(f"{place} x {times / last:g}" for place, times in counts.waits.items())
    speed = {"mixtures_per_s": settings.batch_size / found["seconds"], "waiting": found["waiting"]}
    return {**speed, "host_waits_per_step": waits or "none"}
