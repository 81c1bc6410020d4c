"""Long recordings in chunks: time, memory, and the difference to one piece: ``python benchmarks/long_recordings.py``.

Four channels at 32 kHz through ResUNetK.  ``peak`` is memory beyond the model, the recording and the separated sources;
it should be the same for all durations.  ``difference`` is that of chunks and one piece, relative to the largest value
of the sources: over everything, and the largest, which is found at a seam.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import torch
from models import build, peak, reset_peak, synchronise

from s5lib.models.configs import ResUNetKConfig
from s5lib.models.description import example_input
from s5lib.models.resunetk import ResUNetK
from s5lib.systems import separate_long


def measure(seconds: float, device: str, channels: list[int] | None, compare: bool) -> dict:
    """Return the time, the peak and, if ``compare``, the differences for a recording of so many seconds."""
    if channels is None:
        model = build("resunetk", device)
    else:
        torch.manual_seed(0)
        model = ResUNetK(ResUNetKConfig(channels=channels)).to(device).eval()
    warm = example_input(model, "separator", 10.0, device)
    with torch.no_grad():
        model(*warm)
    mixture, query = example_input(model, "separator", seconds)
    reset_peak(device)
    before, start = peak(device), time.perf_counter()
    separated = separate_long(model, mixture, query)
    synchronise(device)
    result = {"seconds": time.perf_counter() - start, "peak": peak(device) - before}
    if device == "cpu":
        result["peak"] -= separated.nbytes
    if compare:
        with torch.no_grad():
            whole = model(mixture.to(device), query.to(device)).cpu()
        error = (separated - whole).abs() / whole.abs().max()
        result |= {"mean": error.mean().item(), "largest": error.max().item()}
    return result


def main() -> None:
    """Measure each duration in a process of its own and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--durations", nargs="+", type=float, default=[30.0, 60.0, 180.0], help="in seconds")
    parser.add_argument(
        "--compare", nargs="*", type=float, default=[30.0], help="durations that are also run in one piece"
    )
    parser.add_argument("--channels", nargs="+", type=int, help="widths of the network (default: the paper's)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.device, args.channels, args.one in args.compare)))
        return
    for seconds in args.durations:
        command = [sys.executable, *sys.argv, f"--one={seconds}"]
        row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        text = f"{seconds:>6g} s of audio in {row['seconds']:>7.1f} s   peak {row['peak'] / 1e6:>6.0f} MB"
        if "mean" in row:
            text += f"   difference: mean {row['mean']:.1e}, largest {row['largest']:.1e}"
        print(text, flush=True)


if __name__ == "__main__":
    main()
