"""Train on the corpus mini with the program itself: the paper's separator and a small tagger, large batches; score."""

from __future__ import annotations

import io
import os
import shlex
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from gpu_common import Part

from s5lib.bin.main import main as s5lib
from s5lib.training.history import read_history

__all__ = ["run"]

CONFIGS = Path(__file__).resolve().parents[1] / "egs/dcase26_s5/conf"
ALIKE = {"schedule": "cosine", "amsgrad": "false", "tensorboard_scenes": 0, "keep_best": 1}


def run(part: Part, _: dict) -> None:
    """Train both models in the time that there is, infer, score."""
    work = part.out.with_suffix("")
    cuda, cores = part.device == "cuda", len(os.sched_getaffinity(0))
    common = {
        **ALIKE,
        "ngpu": int(cuda),
        "num_workers": 1 if part.quick else max(1, cores - 2),
        "render_device": "cuda" if cuda else "cpu",
        "precision": "bfloat16" if cuda else "float32",
        "save_interval": 10**6,
    }
    small = CONFIGS / "ci"
    kinds = {
        "tagger": (
            0.25,
            (small if part.quick else CONFIGS / "mini") / "tagger.yaml",
            {"batch_size": 4 if part.quick else 64, "lr": 1e-3, "steps": "train={layers: all}"},
        ),
        "separator": (
            0.75,
            (small if part.quick else CONFIGS / "dcase26") / "separator.yaml",
            {"batch_size": 2 if part.quick else 32, "lr": 1e-3, "separator": part.separator},
        ),
    }
    seconds = min(part.train_seconds, part.until - time.time() - 40)
    for kind, (share, config, options) in kinds.items():
        with part.guarded(kind):
            _train(part, kind, config, {**common, **options}, share * seconds, work)
    with part.guarded("scores"):
        _score(part, work, common["ngpu"])


def _train(part: Part, kind: str, config: Path, options: dict, seconds: float, work: Path) -> None:
    """Train for about so many seconds; a short run before says how many steps these are."""
    trial, size, name = 2 if part.quick else 20, options["batch_size"], options.get(kind)
    own = [f"--{kind}_conf={item.removeprefix(f'{name}.')}" for item in part.conf if item.startswith(f"{name}.")]
    steps = {"max_steps": trial, "valid_interval": trial // 2, "warmup_steps": 1}
    start = time.time()
    _s5lib(part, "train", kind, *own, "--expdir", work / f"trial_{kind}", config=config, **options, **steps)
    history = read_history(work / f"trial_{kind}/train/history.jsonl")
    ends = [size * row["step"] / row["mixtures_per_second"] for row in history]  # seconds
    per_step = (ends[-1] - ends[0]) / (trial - trial // 2)  # with a part of a validation
    left = seconds - 2 * (time.time() - start - per_step * trial)  # what the trial took beside its steps comes again
    count = 4 if part.quick else max(4, int(0.9 * left / per_step))
    steps = {"max_steps": count, "valid_interval": max(2, count // 6), "warmup_steps": max(1, count // 20)}
    start = time.time()
    try:
        _s5lib(part, "train", kind, *own, "--expdir", work / kind, config=config, **options, **steps)
    finally:
        for row in read_history(work / kind / "train/history.jsonl"):
            step = row.pop("step")
            part.row(f"{kind}, step {step} of {count}", **row)
    part.row(f"{kind}, trained", seconds=time.time() - start, mixtures=count * size, batch=size)


def _score(part: Part, work: Path, ngpu: int) -> None:
    models = [f"--{kind}={work / kind / 'model.safetensors'}" for kind in ("tagger", "separator")]
    data = part.data_dir / ("valid" if part.quick else "test")
    start = time.time()
    _s5lib(part, "infer", *models, "--out", work / "infer", "--labels", "predicted", "oracle", data_dir=data, ngpu=ngpu)
    recordings = len((data / "wav.scp").read_text(encoding="utf-8").splitlines())
    part.row("inference", recordings_per_s=recordings / (time.time() - start), recordings=recordings)
    results = work / "RESULTS.md"
    _s5lib(part, "score", "--infer_dir", work / "infer", "--out", results, data_dir=data)
    titles, _, *sets = [line.strip("| ").split(" | ") for line in results.read_text().split("\n\n")[1].splitlines()]
    for values in sets:
        part.row(f"scores, {values[0]}", **dict(zip(titles[1:], values[1:], strict=True)))


def _s5lib(part: Part, command: str, *arguments, **options) -> None:
    """Run a command of the program in this process."""
    options.setdefault("data_dir", part.data_dir)
    line = [
        command,
        *map(str, arguments),
        *(word for name, value in options.items() for word in (f"--{name}", str(value))),
    ]
    print("s5lib", shlex.join(line), flush=True)
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
        status = s5lib(line)
    print(said.getvalue(), file=sys.stderr, flush=True)
    if status:
        raise RuntimeError(f"s5lib {command}: status {status}; {' / '.join(said.getvalue().splitlines()[-3:])}")
