"""Describe a model and its cost: parameters, multiplications, real-time factor.

s5lib describe exp/separator/model.safetensors     a trained model
s5lib describe resunetk.ckpt --seconds 60          an official checkpoint, for a minute of audio
s5lib describe m2d --conf depth=4 --layers last2   a model to be trained
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s5lib.bin.shared_options import add_shared, load_plugins
from s5lib.config.argument_types import seconds
from s5lib.config.command_line import parse_assignments
from s5lib.errors import ConfigError, nearest
from s5lib.plugins import available, create, find
from s5lib.untrusted import to_json

if TYPE_CHECKING:
    from s5lib.models.description import Cost

_KINDS = ("tagger", "separator", "joint_model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="checkpoint, or the name of a component")
    parser.add_argument(
        "--conf", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="options of the component"
    )
    parser.add_argument("--layers", help="trainable layers: 'head', 'last2' or 'all'")
    parser.add_argument("--seconds", type=seconds, default=10.0, help="duration of the input (default: 10)")
    parser.add_argument("--device", default="cpu", help="'cpu' or 'cuda' (default: cpu)")
    add_shared(parser, "json", "plugin")


def run(args: argparse.Namespace) -> None:
    import torch

    from s5lib.models import keep_freed_memory
    from s5lib.models.description import measure_cost

    load_plugins(args)
    if args.device != "cpu" and not (args.device.startswith("cuda") and torch.cuda.is_available()):
        raise ConfigError(f"--device {args.device}: no such device; expected cpu or, with a GPU, cuda.")
    model, header = _open(args.model, args.conf)
    if args.layers:
        model.set_trainable(args.layers)
    keep_freed_memory()  # as 's5lib infer' does, whose speed is measured here
    cost = measure_cost(model, header["kind"], args.seconds, args.device)
    if args.json:
        print(to_json({**header, **dataclasses.asdict(cost), "real_time_factor": cost.real_time_factor}, indent=2))
    else:
        print(_page(header, cost, args.device))


def _open(name: str, conf: list[str]) -> tuple[Any, dict[str, Any]]:
    """Return the model, and a header as checkpoints have it; the labels of an untrained one are missing."""
    from s5lib.models import load_model

    if Path(name).exists() or Path(name).suffix in (".safetensors", ".ckpt", ".pth", ".pt"):
        if conf:
            raise ConfigError("--conf is for a component's name; a checkpoint brings its own options.")
        return load_model(name)
    for kind in _KINDS:
        if name in available(kind):
            component = find(kind, name)
            model = create(kind, name, **parse_assignments(conf, "conf"))
            return model, {
                "kind": kind,
                "name": name,
                "distribution": component.distribution,
                "version": component.version,
                "config": dataclasses.asdict(model.config),
            }
    known = [component for kind in _KINDS for component in available(kind)]
    raise ConfigError(f"{name!r} is neither a file nor a model. {nearest(name, known)}")


def _page(header: dict[str, Any], cost: Cost, device: str) -> str:
    import torch

    config = header["config"]
    sizes = ("num_classes", "num_sources", "num_channels", "sample_rate")
    options = ", ".join(f"{name}={_plain(value)}" for name, value in config.items() if name not in sizes)
    threads = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
    rows = {
        "model": f"{header['kind']} {header['name']}, of {header['distribution']} {header['version']}",
        "task": f"{config['num_channels']} channels at {config['sample_rate']} Hz to {config['num_sources']} sources "
        f"of {config['num_classes']} classes",
        "labels": ", ".join(header.get("labels", [])) or "none yet",
        "options": options or "none",
        "parameters": f"{_millions(cost.trainable)} train, {_millions(cost.frozen)} frozen ({cost.bytes / 1e6:.1f} MB)",
        "operations": f"{cost.macs / 1e9:.2f} G multiply-accumulate for {cost.seconds:g} s of audio",
        "speed": f"{cost.elapsed:.2f} s for {cost.seconds:g} s of audio: real-time factor {cost.real_time_factor:.3f} "
        f"({device}{threads})",
    }
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count else "0"


def _plain(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, (list, tuple)) else str(value)
