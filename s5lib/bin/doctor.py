"""Report installed packages, devices, and plugins or components that do not load, with the reason.

Exits with status 1 if something does not load.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import sys
from typing import Any

from s5lib.bin.shared_options import add_shared
from s5lib.errors import PluginError
from s5lib.plugins import plugins, register_plugin
from s5lib.plugins.loading import Plugin
from s5lib.untrusted import to_json
from s5lib.version import __version__

PACKAGES = ("torch", "torchaudio", "lightning", "torchmetrics", "numpy", "scipy", "pluggy", "safetensors", "h5py")
EXTRAS = ("kaldiio", "sentencepiece", "distributed", "sofar")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--traceback", action="store_true", help="show tracebacks")
    add_shared(parser, "json", "plugin")


def run(args: argparse.Namespace) -> int:
    refused = [problem for source in args.plugin if (problem := _refusal(source))]
    report = {
        "s5lib": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "packages": {name: _version(name) for name in PACKAGES},
        "extras": {name: _version(name) for name in EXTRAS},
        "devices": _devices(),
        "plugins": [_plugin(plugin, args.traceback) for plugin in plugins()],
        "refused": refused,
    }
    report["problems"] = _problems(report)
    print(to_json(report, indent=2) if args.json else _text(report))
    return 1 if report["problems"] else 0


def _refusal(source: str) -> str:
    try:
        register_plugin(source)
    except PluginError as error:
        return str(error)
    return ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    devices = [f"CPU, {cores} cores"]
    try:
        import torch

        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            devices.append(f"cuda:{index}, {card.name}, {card.total_memory / 2**30:.0f} GiB")
    except Exception as error:  # the report is wanted most where torch is broken
        devices.append(f"torch does not say: {type(error).__name__}: {error}")
    return devices


def _plugin(plugin: Plugin, with_traceback: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": plugin.namespace,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "source": plugin.source,
        "seconds": round(plugin.seconds, 3),
        "error": plugin.error,
        "components": {},
    }
    if with_traceback and plugin.traceback:
        entry["traceback"] = plugin.traceback
    for component in plugin.components:
        try:
            component.config_class()
            component.load()
            problem = ""
        except PluginError as error:
            problem = str(error)
        entry["components"][f"{component.kind} {component.spec.name}"] = problem
    return entry


def _problems(report: dict[str, Any]) -> list[str]:
    problems = [f"{name} is not installed: pip install {name}" for name, v in report["packages"].items() if v is None]
    torch, audio = report["packages"]["torch"], report["packages"]["torchaudio"]
    if torch and audio and torch.split("+")[0] != audio.split("+")[0]:
        problems.append(f"torchaudio {audio} only works beside torch {audio.split('+')[0]}, and torch is {torch}")
    problems += report["refused"]
    for plugin in report["plugins"]:
        origin = f"{plugin['distribution']} {plugin['version']}".strip()
        if plugin["error"]:
            problems.append(f"plugin {plugin['name']} of {origin} ({plugin['source']}): {plugin['error']}")
        problems += [problem for problem in plugin["components"].values() if problem]
    return problems


def _text(report: dict[str, Any]) -> str:
    lines = [f"s5lib {report['s5lib']}, Python {report['python']}"]
    for title, absent in (("packages", "MISSING"), ("extras", "not installed")):
        versions = ", ".join(f"{name} {version or absent}" for name, version in report[title].items())
        lines.append(f"{title:<9} {versions}")
    lines += [f"device    {device}" for device in report["devices"]]
    for plugin in report["plugins"]:
        state = f"{len(plugin['components'])} components" if not plugin["error"] else "DID NOT LOAD"
        origin = f"{plugin['distribution']} {plugin['version']}".strip()
        lines.append(f"plugin    {plugin['name']}, {origin}, {state}, {plugin['seconds']:.2f} s")
        if "traceback" in plugin:
            lines.append(plugin["traceback"].rstrip())
    lines.append("")
    lines += [f"problem: {problem}" for problem in report["problems"]] or ["Everything loads."]
    return "\n".join(lines)
