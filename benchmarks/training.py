"""Training on the corpus `mini`: ``python benchmarks/training.py --data_dir egs/dcase26_s5/data/mini``.

The recipe's own models and scenes (``egs/dcase26_s5/conf/mini``), without validation.  Printed are

* the tagger's seconds per epoch with the features of a pool computed once (``--tagger_cache``) and without, and what
  the pool costs before;
* steps per second of tagger and separator, and the share of a step that mixing takes, in the training process itself;
* the share of time spent waiting for data with 0, 1 and 2 mixing processes.

Each row is a process of its own with one thread.  Times are of the processor, which other programs disturb little, but
for the last part, where processes work side by side and the time that passes is what counts.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings
from pathlib import Path

import yaml
from measure import in_new_process

CONFIGS = Path(__file__).resolve().parents[1] / "egs/dcase26_s5/conf/mini"


class Clock:
    """Notes when steps end, and how much of the time went by before their batch was there."""

    def __init__(self, now, skipped: int):
        self.now, self.skipped, self.steps = now, skipped, 0
        self.start = self.end = self.waited = 0.0

    def batch_comes(self):
        if self.steps >= self.skipped:
            self.waited += self.now() - self.end

    def step_ends(self):
        self.end, self.steps = self.now(), self.steps + 1
        if self.steps == self.skipped:
            self.start = self.end

    def result(self) -> dict:
        seconds = self.end - self.start
        return {"seconds": seconds / (self.steps - self.skipped), "waiting": self.waited / seconds}


def one_row(kind: str, cache: int, workers: int, steps: int, data_dir: Path) -> dict:
    """Train some steps and return seconds per step, the share of waiting, mixtures per step and the pool's seconds."""
    import lightning
    import torch

    from s5lib.data import CorpusDescription, DrawnScenes, RecordedScenes
    from s5lib.models import keep_freed_memory
    from s5lib.plugins import create
    from s5lib.scenes import Corpus, DrawSettings
    from s5lib.training import TrainSettings
    from s5lib.training.cached_data import CachedData
    from s5lib.training.data import TrainingData
    from s5lib.training.modules import SeparatorTraining, TaggerTraining

    torch.set_num_threads(1)
    keep_freed_memory()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    config = yaml.safe_load((CONFIGS / f"{kind}.yaml").read_text(encoding="utf-8"))
    corpus = CorpusDescription.read(data_dir)
    sizes = {"num_classes": len(corpus.labels), "num_channels": corpus.num_channels, "sample_rate": corpus.sample_rate}
    model = create(kind, config[kind], **sizes, num_sources=corpus.max_sources, **config[f"{kind}_conf"])
    scenes = DrawSettings(**{**corpus.draw_options, "sample_rate": corpus.sample_rate, **config["scenes_conf"]})
    settings = TrainSettings(
        batch_size=config["batch_size"],
        max_steps=steps,
        num_workers=workers,
        tagger_cache=cache,
        amsgrad=False,
    )
    drawn = DrawnScenes(Corpus(corpus.root), scenes, seed=0, size=10**6, sources=kind != "tagger")
    valid = RecordedScenes(data_dir / "valid", corpus.labels, corpus.max_sources)
    module = (TaggerTraining if kind == "tagger" else SeparatorTraining)(model, settings)
    clock = Clock(time.perf_counter if workers else time.process_time, max(2, steps // 4))

    class Callback(lightning.Callback):
        def on_train_batch_start(self, *_):
            clock.batch_comes()

        def on_train_batch_end(self, *_):
            clock.step_ends()

    with tempfile.TemporaryDirectory() as folder:
        data = CachedData(drawn, valid, settings, Path(folder)) if cache else TrainingData(drawn, valid, settings)
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_steps=steps,
            max_epochs=-1,
            limit_val_batches=0,
            gradient_clip_val=settings.clip,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            use_distributed_sampler=False,
            callbacks=[Callback()],
        )
        began = time.process_time()
        trainer.fit(module, datamodule=data)
        spent = time.process_time() - began
    result = clock.result()
    return {**result, "batch": settings.batch_size, "pool_seconds": spent - steps * result["seconds"]}


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data_dir", type=Path, default="egs/dcase26_s5/data/mini", help="what the data stage has written"
    )
    parser.add_argument("--pool", type=int, default=1024, help="mixtures of an epoch of the tagger")
    parser.add_argument("--steps", type=int, default=16, help="of each row")
    parser.add_argument(
        "--parts", nargs="+", choices=["cache", "steps", "workers"], default=["cache", "steps", "workers"]
    )
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        kind, *numbers = args.row.split(",")
        print(json.dumps(one_row(kind, *map(int, numbers), args.data_dir)))
        return

    def row(kind, cache=0, workers=0, steps=args.steps):
        return in_new_process(__file__, [f"--row={kind},{cache},{workers},{steps}", f"--data_dir={args.data_dir}"])

    if "cache" in args.parts:
        plain = row("tagger")
        cached = row("tagger", cache=args.pool, steps=4 * args.pool // plain["batch"])
        epochs = [result["seconds"] * args.pool / result["batch"] for result in (plain, cached)]
        print(f"the tagger, an epoch of {args.pool} mixtures, processor time")
        print(f"  without a cache   {epochs[0]:8.2f} s")
        print(f"  from features     {epochs[1]:8.2f} s   {epochs[0] / epochs[1]:.0f} times as fast")
        print(f"  the features      {cached['pool_seconds']:8.2f} s   once\n")
    if "steps" in args.parts:
        print("a step, mixing in the training process, processor time")
        for kind in ("tagger", "separator"):
            result = row(kind)
            print(
                f"  {kind:<10} {1 / result['seconds']:6.2f} steps/s of {result['batch']} mixtures, "
                f"{result['waiting']:.0%} of it mixing"
            )
        print()
    if "workers" in args.parts:
        print("share of the time that passes waiting for data")
        for kind in ("tagger", "separator"):
            for workers in (0, 1, 2):
                result = row(kind, workers=workers)
                print(
                    f"  {kind:<10} {workers} workers  {result['waiting']:4.0%}   {1 / result['seconds']:6.2f} steps/s"
                )


if __name__ == "__main__":
    main()
