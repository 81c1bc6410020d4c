"""Options that several commands have, and what they stand for."""

from __future__ import annotations

import argparse

from s5lib.config.argument_types import count, process_count, seed
from s5lib.errors import ConfigError

__all__ = ["add_config", "add_json", "add_ngpu", "add_nj", "add_plugin", "add_seed", "device", "load_plugins"]


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument("--config", is_config_file=True, metavar="YAML", help="file with options")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON, for other programs")


def add_ngpu(parser: argparse.ArgumentParser, text: str = "0: run on the CPU; 1: on the GPU") -> None:
    """Add ``--ngpu``."""
    parser.add_argument("--ngpu", type=count, default=0, metavar="N", help=f"{text} (default: 0)")


def add_nj(parser: argparse.ArgumentParser, text: str = "processes", default: int = 1) -> None:
    """Add ``--nj``."""
    parser.add_argument("--nj", type=process_count, default=default, metavar="N", help=f"{text} (default: {default})")


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """Add ``--plugin``."""
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE|FILE", help="plugin to load; may be repeated"
    )


def add_seed(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--seed``."""
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help=f"{text} (default: 0)")


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
            f"--ngpu is {ngpu}, but torch {torch.__version__} sees {torch.cuda.device_count()} GPUs here (look at "
            "nvidia-smi and CUDA_VISIBLE_DEVICES). --ngpu 0 computes on the CPU."
        )
    return "cuda"


def load_plugins(args: argparse.Namespace) -> None:
    """Load what ``--plugin`` names.

    Raises:
        PluginError: a plugin does not load.
    """
    from s5lib.plugins import register_plugin

    for source in args.plugin:
        register_plugin(source)
