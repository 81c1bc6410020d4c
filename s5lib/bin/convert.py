"""Convert an official checkpoint to s5lib's format: safetensors with a JSON header, no pickle.

  s5lib convert resunetk.ckpt resunetk.safetensors

The model is recognised by its parameter names; no code in the file is run.  All commands accept official checkpoints
directly; a converted file is smaller, loads faster and is safe to share.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.errors import CheckpointError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IN", help="official checkpoint (.ckpt), or its tensors (.safetensors)")
    parser.add_argument("target", metavar="OUT", help="file to write, .safetensors")
    parser.add_argument("--labels", nargs="+", help="class labels in the order of their indices (default: DCASE's 18)")


def run(args: argparse.Namespace) -> None:
    from s5lib.models import save_checkpoint
    from s5lib.models.official import load_official_model

    target = Path(args.target)
    if target.suffix != ".safetensors":
        raise CheckpointError(f"OUT is {target}; expected a name that ends in .safetensors.")
    if target.exists():
        raise CheckpointError(f"{target} already exists: delete it, or choose another name.")
    model, header = load_official_model(args.source)
    labels = args.labels or header["labels"]
    save_checkpoint(
        target,
        model,
        kind=header["kind"],
        name=header["name"],
        distribution=header["distribution"],
        version=header["version"],
        labels=labels,
        trained_on=header["trained_on"],
    )
    size = target.stat().st_size / 1e6
    print(f"{target}: {header['kind']} {header['name']}, {len(labels)} labels, {size:.1f} MB")
