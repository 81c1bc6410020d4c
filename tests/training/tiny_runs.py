"""Trainings of a second: the arguments of the command, and what they have left."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

MODELS = {
    "tagger": [
        "n_fft=256",
        "hop_length=128",
        "n_mels=16",
        "embed_dim=16",
        "depth=1",
        "num_heads=2",
        "head_dim=16",
        "track_dim=8",
        "dropout=0.3",
    ],
    "separator": ["n_fft=256", "hop_length=128", "channels=[4, 8]", "condition_size=8"],
}
OPTIONS = {
    "batch_size": 2,
    "max_steps": 6,
    "save_interval": 3,
    "valid_interval": 2,
    "keep_best": 2,
    "lr": 1e-3,
    "num_workers": 0,
    "tensorboard_scenes": 0,
}


def command(kind: str, data: Path, expdir: Path, **options) -> list[str]:
    """Return the arguments of ``s5lib``."""
    arguments = ["train", kind, "--data_dir", str(data), "--expdir", str(expdir)]
    for size in MODELS[kind]:
        arguments += [f"--{kind}_conf", size]
    return arguments + [item for name, value in {**OPTIONS, **options}.items() for item in (f"--{name}", str(value))]


def history(expdir: Path) -> list[dict]:
    """Return the rows of the only step, without what depends on the clock."""
    rows = [json.loads(line) for line in (expdir / "train/history.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("mixtures_per_second", "waiting_for_data")} for row in rows]


def assert_same(one: Path, other: Path) -> None:
    """The final weights and all figures of two runs are equal to the bit."""
    first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    assert history(one) == history(other)
