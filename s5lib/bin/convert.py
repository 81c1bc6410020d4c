"""Turn an official checkpoint into one of s5lib: weights in safetensors, and a header in JSON; no pickle is left.

  s5lib convert resunetk.ckpt resunetk.safetensors

The model is recognised by the names of its parameters, and nothing in the file is run.  Every command that takes a
checkpoint takes the official ones too; a converted file loads faster, is smaller and can be shared without worries.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.errors import CheckpointError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("source", metavar="IN", help="official checkpoint (.ckpt), or its tensors (.safetensors)")
    parser.add_argument("target", metavar="OUT", help="file to write, .safetensors")
    parser.add_argument(
        "--labels", nargs="+", help="of the classes, in the order of their indices (default: DCASE's 18)"
    )


def run(args: argparse.Namespace) -> None:
    """Convert, and say what was found."""
    from s5lib.models import save_checkpoint
    from s5lib.models.official import load_official_model

    target = Path(args.target)
    if target.suffix != ".safetensors":
        raise CheckpointError(f"OUT is {target}; expected a name that ends in .safetensors.")
    if target.exists():
        raise CheckpointError(f"{target} is there already: delete it, or choose another name.")
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
    )
    size = target.stat().st_size / 1e6
    print(f"{target}: {header['kind']} {header['name']}, {len(labels)} labels, {size:.1f} MB")
