"""Time and memory of the paper's models, full size, against their plain form: ``python benchmarks/models.py``.

A recording of 10 s at 32 kHz with 4 channels, or a training step on a batch.  Every row is a process of its own: the
plain form (``benchmarks/plain.py``, eager float32) and s5lib's, each as it is and keeping freed memory (CPU), s5lib's
in bfloat16, and compiled.  ``error`` is relative to the plain form's values; ``peak`` is memory beyond the model and
its inputs.  On the CPU, times are processor times of one thread, which other programs disturb little; the least of the
runs counts.  With a GPU, ``--device cuda`` adds mixtures per second and the share of the peak that a large product of
matrices reaches.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from plain import plain_resunetk, plain_tagger
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from s5lib.models import accelerate, keep_freed_memory
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.description import example_input
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK

PLAIN = {"resunetk": plain_resunetk, "m2d": plain_tagger}
WAYS = ("plain", "plain-memory", "s5lib", "memory", "bfloat16", "compiled", "compiled-bfloat16")
TITLES = {
    "plain": "plain eager float32",
    "plain-memory": "plain, keeping freed memory",
    "s5lib": "s5lib",
    "memory": "s5lib, keeping freed memory",
    "bfloat16": "s5lib, bfloat16",
    "compiled": "s5lib, compiled",
    "compiled-bfloat16": "s5lib, compiled, bfloat16",
}


def build(name: str, device: str) -> nn.Module:
    """Return a model of the paper's size, with seeded weights and statistics as after some training."""
    torch.manual_seed(0)
    model = ResUNetK(ResUNetKConfig()) if name == "resunetk" else M2DTagger(M2DConfig())
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            if module.affine:
                nn.init.normal_(module.weight, 1, 0.1)
                nn.init.normal_(module.bias, 0, 0.02)
    return model.to(device).eval()


def inputs(model: nn.Module, seconds: float, batch: int, device: str) -> list[Tensor]:
    """Return noise and, for a separator, a query of all slots."""
    kind = "separator" if isinstance(model, ResUNetK) else "tagger"
    return [value.repeat(batch, *[1] * (value.ndim - 1)) for value in example_input(model, kind, seconds, device)]


def inference(name: str, way: str, model: nn.Module, given: list[Tensor]):
    """Return a function that runs the model once."""
    if "plain" in way:
        run = torch.no_grad()(lambda: PLAIN[name](model, *given))
    else:
        accelerate(model, precision="bfloat16" if "bfloat16" in way else "float32", compiled="compiled" in way)
        run = torch.no_grad()(lambda: model(*given))
    return run


def training(name: str, way: str, model: nn.Module, given: list[Tensor]):
    """Return a function that makes one training step, of the separator or of the tagger's last two blocks and head."""
    model.train()
    if name == "m2d":
        model.set_trainable("last2")
    if "compiled" in way:
        model.network.compile()
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), 1e-4, amsgrad=True)
    forward = (lambda: PLAIN[name](model, *given)) if "plain" in way else (lambda: model(*given))

    def step():
        with torch.autocast(given[0].device.type, torch.bfloat16, enabled="bfloat16" in way):
            output = forward()
        optimiser.zero_grad()
        output.float().square().mean().backward()
        optimiser.step()

    return step


def measure(name: str, task: str, way: str, seconds: float, batch: int, device: str, repeat: int) -> dict:
    """Return the times in seconds, peak bytes, error and operations of one row."""
    if "memory" in way:
        keep_freed_memory()
    model = build(name, device)
    given = inputs(model, seconds, batch, device)
    make = inference if task == "inference" else training
    make(name, way, model, inputs(model, 0.2, batch, device))()  # what libraries set up once is not counted
    run = make(name, way, model, given)
    reset_peak(device)
    before, times = allocated(device), []
    clock = time.process_time if device == "cpu" else time.perf_counter
    for _ in range(1 + repeat):
        synchronise(device)
        start = clock()
        run()
        synchronise(device)
        times.append(clock() - start)
    result = {"seconds": min(times[1:]), "peak": peak(device) - before, "error": None, "operations": None}
    if task == "inference" and "plain" not in way:
        first = [value[:1] for value in given]
        with torch.no_grad():
            found, expected = model(*first), PLAIN[name](model, *first)
        result["error"] = ((found - expected).norm() / expected.norm()).item()
    if way == "plain":
        with FlopCounterMode(display=False) as counter:
            run()
        result["operations"] = counter.get_total_flops()
    return result


def synchronise(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def reset_peak(device: str) -> None:
    if device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak becomes the present size
    else:
        torch.cuda.reset_peak_memory_stats()


def peak(device: str) -> int:
    """Return the largest value of :func:`allocated` since :func:`reset_peak`."""
    return torch.cuda.max_memory_allocated() if device != "cpu" else _status_bytes("VmHWM")


def allocated(device: str) -> int:
    """Return the bytes in use: those of tensors on a GPU, of the process on the CPU."""
    return torch.cuda.memory_allocated() if device != "cpu" else _status_bytes("VmRSS")


def _status_bytes(name: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


def peak_speed(device: str, dtype: torch.dtype) -> float:
    """Return the operations per second of a large product of matrices."""
    size, clock = (2048, time.process_time) if device == "cpu" else (8192, time.perf_counter)
    one = torch.randn(size, size, device=device).to(dtype)
    one @ one
    synchronise(device)
    start = clock()
    for _ in range(5):
        one @ one
    synchronise(device)
    return 5 * 2 * size**3 / (clock() - start)


def main() -> None:
    """Run all rows and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["resunetk", "m2d"], choices=["resunetk", "m2d"])
    parser.add_argument("--tasks", nargs="+", default=["inference", "training"], choices=["inference", "training"])
    ways = ["plain", "plain-memory", "s5lib", "memory", "bfloat16"]
    parser.add_argument("--ways", nargs="+", default=ways, choices=WAYS)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=1, help="recordings at once")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        torch.set_num_threads(1)
        name, task, way = args.one.split("/")
        row = measure(name, task, way, args.seconds, args.batch, args.device, args.repeat)
        print(json.dumps(row))
        return
    torch.set_num_threads(1)
    dtypes = {"bfloat16": torch.bfloat16, "": torch.float32}
    peaks = {name: peak_speed(args.device, dtype) for name, dtype in dtypes.items()}
    common = [f"--{name}={getattr(args, name)}" for name in ("seconds", "batch", "device", "repeat")]
    for name in args.models:
        for task in args.tasks:
            print(f"{name}, {task}, {args.batch} x {args.seconds:g} s", flush=True)
            reference = None
            for way in args.ways:
                command = [sys.executable, __file__, *common, f"--one={name}/{task}/{way}"]
                row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
                reference = reference or row
                print(line(way, row, reference, args.batch, peaks), flush=True)


def line(way: str, row: dict, reference: dict, batch: int, peaks: dict) -> str:
    """Return a row of the table; speeds are relative to the first row."""
    faster = reference["seconds"] / row["seconds"]
    parts = [f"  {TITLES[way]:<28} {row['seconds']:>8.3f} s  {faster:>5.2f} x  peak {row['peak'] / 1e6:>6.0f} MB"]
    if row["error"] is not None:
        parts.append(f"error {row['error']:.1e}")
    if reference["operations"]:
        share = reference["operations"] / row["seconds"] / peaks["bfloat16" if "bfloat16" in way else ""]
        parts.append(f"{batch / row['seconds']:.2f} mixtures/s, {share:.0%} of the limit")
    return "  ".join(parts)


if __name__ == "__main__":
    main()
