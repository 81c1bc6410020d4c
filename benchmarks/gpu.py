"""Check and measure s5lib on a machine with one GPU, in eight minutes: ``benchmarks/gpu.sh``.

Parts, each a process of its own that cannot take the others with it:

peaks      the card's ceilings: products of matrices and copies of memory
parity     models, gradients, losses, metrics and rendering against the CPU
scenes     scenes per second with workers and on the device; what a training waits for data
steps      training steps of the paper's models: mixtures per second, share of the peak, memory
inference  real-time factors
training   the corpus mini in three minutes with large batches: curve and scores
compiled   training steps again, with torch.compile, which takes minutes: as far as time is left, or by itself with
           --parts peaks compiled

Nothing is fetched.  Needed are s5lib's own requirements (setup.py); without a network, bring as wheels what the machine
lacks of them.  The corpus is made first, with --nj processes, unless --data_dir has one.  The table goes to OUT/gpu.md,
all rows to OUT/gpu.json.  ``--device cpu --quick`` goes the same way with small models in two minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch
from gpu_common import Part, as_line, quiet

PARTS = {"peaks": 20, "parity": 65, "scenes": 75, "steps": 65, "inference": 35, "training": 230, "compiled": 240}
"""Seconds that each may take."""


def main() -> int:
    """Run the parts and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="small models, short inputs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data_dir", type=Path, help="data directory of 's5lib prepare --corpus mini'")
    parser.add_argument("--out", type=Path, default=os.environ.get("OUT") or "gpu_results", help="default: $OUT")
    parser.add_argument("--seconds", type=float, default=470.0, help="for everything")
    parser.add_argument("--train_seconds", type=float, default=180.0)
    parser.add_argument("--only", default="", metavar="TEXT", help="of parity and steps, rows with this in their title")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; for a trial on the CPU: --device cpu --quick")
    args.out = Path(args.out)
    if args.one:
        return run_part(args)
    began = time.time()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = [{"part": "machine", "what": what, "is": value} for what, value in machine(args.device).items()]
    print(*map(as_line, rows), sep="\n", flush=True)
    if args.data_dir is None:
        args.data_dir = make_corpus(args.out, args.quick)
        rows.append({"part": "corpus", "what": "mini is made", "seconds": time.time() - began})
        print(as_line(rows[-1]), flush=True)
    for index, name in enumerate(args.parts):
        rows += start_part(args, name, began, last=index == len(args.parts) - 1)
        (args.out / "gpu.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    table = "\n".join(map(as_line, rows))
    (args.out / "gpu.md").write_text(table + "\n", encoding="utf-8")
    print(f"\n{table}\n\n{time.time() - began:.0f} s; rows in {args.out / 'gpu.json'}")
    return int(any("error" in row and "no time" not in row["error"] for row in rows))


def machine(device: str) -> dict[str, str]:
    """Return what was measured on."""
    found = {"torch": torch.__version__, "python": platform.python_version()}
    found["cores"] = str(len(os.sched_getaffinity(0)))
    if device == "cuda":
        card = torch.cuda.get_device_properties(0)
        found["card"] = f"{card.name}, {card.total_memory / 2**30:.0f} GiB, {card.multi_processor_count} processors"
    return found


def make_corpus(out: Path, quick: bool) -> Path:
    """Make the corpus mini and return its data directory."""
    config = Path(__file__).resolve().parents[1] / f"egs/dcase26_s5/conf/{'ci' if quick else 'mini'}/data.yaml"
    folders = [f"--{name}={out / 'corpus' / name}" for name in ("data_root", "data_dir", "dump_dir")]
    command = [sys.executable, "-m", "s5lib.bin.main", "prepare", "--corpus", "mini", "--config", str(config), *folders]
    subprocess.run([*command, "--nj", str(len(os.sched_getaffinity(0)))], check=True)
    return out / "corpus" / "data_dir"


def start_part(args, name: str, began: float, last: bool) -> list[dict]:
    """Run a part in a process of its own, and return its rows."""
    left = args.seconds - (time.time() - began)
    seconds = left if last else min(PARTS[name], left)
    file = args.out / f"{name}.json"
    file.unlink(missing_ok=True)
    arguments = [a for a in sys.argv[1:] if a]
    command = [sys.executable, __file__, *arguments, "--one", f"{name},{time.time() + seconds}"]
    command += ["--out", str(args.out), "--data_dir", str(args.data_dir)]
    start, error = time.time(), None
    try:
        status = subprocess.run(command, timeout=max(10.0, seconds), check=False).returncode
        error = f"ended with status {status}" if status else None
    except subprocess.TimeoutExpired:
        error = f"stopped after {seconds:.0f} s"
    rows = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    if error:
        rows.append({"part": name, "what": "the part itself", "error": error})
    return [*rows, {"part": name, "what": "the part took", "seconds": time.time() - start}]


def run_part(args) -> int:
    """Run one part in this process."""
    name, until = args.one.split(",")
    quiet()
    file, options = args.out / f"{name}.json", (args.train_seconds, args.only)
    part = Part(name, args.device, args.quick, args.data_dir, file, float(until), *options)
    measured = args.out / "peaks.json"
    peaks = json.loads(measured.read_text(encoding="utf-8")) if measured.exists() else []
    tflops = {row["what"].split(", ")[-1]: row["tflops"] for row in peaks if "tflops" in row}
    if name in ("steps", "compiled"):
        steps = importlib.import_module("gpu_steps")
        (steps.run if name == "steps" else steps.run_compiled)(part, tflops)
    else:
        importlib.import_module(f"gpu_{name}").run(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
