"""Options that several commands share."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s5lib.config.argument_types import count, process_count, seed
from s5lib.errors import ConfigError

__all__ = ["add_shared", "device", "load_plugins", "progress_bar", "with_picture"]

SHARED: dict[str, dict[str, Any]] = {
    "config": {"is_config_file": True, "metavar": "YAML", "help": "file with options"},
    "json": {"action": "store_true", "help": "print JSON, for other programs"},
    "ngpu": {"type": count, "default": 0, "metavar": "N", "help": "0: run on the CPU (default); 1: on the GPU"},
    "nj": {"type": process_count, "default": 1, "metavar": "N", "help": "processes (default: 1)"},
    "plugin": {"action": "append", "default": [], "metavar": "MODULE|FILE", "help": "plugin to load; may be repeated"},
    "seed": {"type": seed, "default": 0, "metavar": "N", "help": "random seed (default: 0)"},
}


def add_shared(parser: argparse.ArgumentParser, *names: str, **texts: str) -> None:
    """Add options by name; those of ``texts`` have a help text of their own."""
    for name in (*names, *texts):
        options = {**SHARED[name], **({"help": texts[name]} if name in texts else {})}
        parser.add_argument(f"--{name}", **options)


def device(ngpu: int) -> str:
    """Return ``"cuda"`` or, without a GPU asked for, ``"cpu"``.

    Raises:
        ConfigError: fewer GPUs are visible than asked for.
    """
    if not ngpu:
        return "cpu"
    import torch

    if torch.cuda.device_count() < ngpu:
        raise ConfigError(
            f"--ngpu is {ngpu}, but torch {torch.__version__} sees {torch.cuda.device_count()} GPUs (see "
            "nvidia-smi and CUDA_VISIBLE_DEVICES). --ngpu 0 computes on the CPU."
        )
    return "cuda"


def with_picture(out: str) -> tuple[Path, Path]:
    """Return the file of a table, ``--out``, and of the picture that goes beside it.

    Raises:
        ConfigError: both are one.
    """
    table = Path(out)
    if table.suffix == ".png":
        raise ConfigError(f"--out is {out}; the table goes there, the .png beside it: choose a name in .md.")
    return table, table.with_suffix(".png")


def progress_bar(unit: str, **options: Any) -> Callable[..., Any]:
    """Return what shows the progress of an iterable on a terminal; ``options``: of tqdm."""
    from tqdm import tqdm

    return functools.partial(tqdm, unit=unit, disable=None, **options)


def load_plugins(args: argparse.Namespace) -> None:
    """Load what ``--plugin`` names.

    Raises:
        PluginError: a plugin does not load.
    """
    from s5lib.plugins import register_plugin

    for source in args.plugin:
        register_plugin(source)
