"""Check and measure s5lib on a machine with one GPU, in eight minutes: ``benchmarks/gpu.sh``.

Parts, each a process of its own that cannot take the others with it:

peaks      the card's ceilings: products of matrices and copies of memory
parity     models, gradients, losses, metrics and rendering against the CPU
inference  real-time factors of tagging and separating, with every separator
steps      training steps of the full-size models: mixtures per second, share of the peak, memory
training   the corpus mini in three minutes with large batches: curve and scores
compiled   training steps and inference again, with torch.compile; it works in the background from the start
scenes     scenes per second with workers and on the device; what a training waits for data

A part that runs out of time is stopped and reported, and so is one that fails.  Separators are all registered ones;
--plugin and --conf add others and their options.  Nothing is fetched.  Needed are s5lib's own requirements (setup.py);
without a network, bring as wheels what the machine lacks of them, which the first rows list.  torch.compile also needs
a C compiler and Python's headers.  The corpus is made first, with all cores, unless --data_dir has one.  The table goes
to OUT/gpu.md, all rows to OUT/gpu.json, what the programs print to OUT/gpu.log.  ``--device cpu --quick`` goes the same
way with small models in two minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import platform
import re
import shutil
import signal
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.synchronize import Event
from pathlib import Path

import torch
from gpu_common import Part, as_line, quiet

from s5lib.errors import ConfigError
from s5lib.plugins import register_plugin

PARTS = {
    "peaks": (15, 5),
    "parity": (60, 20),
    "inference": (45, 15),
    "steps": (60, 25),
    "training": (225, 150),
    "compiled": (90, 20),
    "scenes": (70, 0),
}
"""Seconds that each may take at most, and those that the parts before it leave it."""


def main() -> int:
    """Run the parts and print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="small models, short inputs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data_dir", type=Path, help="data directory of 's5lib prepare --corpus mini'")
    parser.add_argument("--out", type=Path, default=os.environ.get("OUT") or "gpu_results", help="default: $OUT")
    parser.add_argument("--budget", type=float, default=470.0, metavar="SECONDS", help="for everything")
    parser.add_argument("--train_seconds", type=float, default=180.0)
    parser.add_argument(
        "--separator", default="resunetk", metavar="NAME", help="the one to train on mini and to infer compiled"
    )
    parser.add_argument("--conf", nargs="+", default=[], metavar="MODEL.KEY=VALUE", help="options of models")
    parser.add_argument("--plugin", action="append", default=[], metavar="MODULE|FILE", help="has more models")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="of parity, steps and compiled, rows with this title"
    )
    args = parser.parse_args()
    began = float(os.environ.get("BEGAN", time.time()))  # before the imports
    for source in args.plugin:
        register_plugin(source)
    args.out = Path(args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    report = Report(args.out)
    report.add(*({"part": "machine", "what": what, "is": is_} for what, is_ in host().items()))
    with tempfile.TemporaryDirectory() as work:
        runner = Runner(args, Path(work), began)
        try:
            runner.new_part("", 0).networks()
        except ConfigError as error:
            parser.error(str(error))
        try:
            return runner.run(report)
        finally:
            runner.stop_all()
            print(f"\n{report.table()}\n\n{time.time() - began:.0f} s; rows in {args.out / 'gpu.json'}", flush=True)


class Report:
    """All rows, on disk after each."""

    def __init__(self, out: Path):
        self.out, self.rows = out, []

    def add(self, *rows: dict, shown: bool = True) -> None:
        """Add rows, print them unless that is done, and write the files."""
        self.rows += rows
        if shown:
            print(*map(as_line, rows), sep="\n", flush=True)
        (self.out / "gpu.json").write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
        (self.out / "gpu.md").write_text(self.table() + "\n", encoding="utf-8")

    def table(self) -> str:
        """Return all rows as text."""
        return "\n".join(map(as_line, self.rows))


def host() -> dict[str, str]:
    """Return what is measured on, but for the card."""
    include = Path(sysconfig.get_path("include")) / "Python.h"
    found = {"torch": torch.__version__, "python": platform.python_version()}
    found["cores"] = str(len(os.sched_getaffinity(0)))
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang") or "none"
    found["for torch.compile"] = f"C compiler {compiler}, {'has' if include.exists() else 'lacks'} Python's headers"
    setup = (Path(__file__).resolve().parents[1] / "setup.py").read_text(encoding="utf-8")
    needed = re.findall(r'"(\w+)>', re.search(r"INSTALL = \[(.*?)\n\]", setup, re.DOTALL).group(1))
    found["missing packages"] = ", ".join(name for name in needed if not _installed(name)) or "none"
    return found


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


@dataclass(frozen=True)
class Compiling:
    """A process that compiles, and the events by which it says that it has, and waits for its turn to measure."""

    process: multiprocessing.process.BaseProcess
    part: Part
    ready: Event
    go: Event


class Runner:
    """Starts each part as a process, and takes it down when its time is over."""

    def __init__(self, args: argparse.Namespace, work: Path, began: float):
        self.args, self.work, self.began = args, work, began
        self.context = multiprocessing.get_context("fork")  # imports happen once; this process never uses the GPU
        self.compiling: dict[str, Compiling] = {}

    def run(self, report: Report) -> int:
        """Run everything; return the exit status."""
        report.add(*self._take("card", card, self.args.device))
        if any("error" in row for row in report.rows):
            return 2
        if self.args.data_dir is None:
            self._start_compiling()
            start = time.time()
            config = Path(__file__).resolve().parents[1] / f"egs/dcase26_s5/conf/{'ci' if self.args.quick else 'mini'}"
            report.add(*self._take("corpus", make_corpus, self.work / "corpus", config / "data.yaml"))
            report.add({"part": "corpus", "what": "mini is made", "seconds": time.time() - start})
            self.args.data_dir = self.work / "corpus/data_dir"
        else:
            self._start_compiling()
        peaks: dict[str, float] = {}
        for index, name in enumerate(self.args.parts):
            later = sum(PARTS[other][1] for other in self.args.parts[index + 1 :])
            left = self.began + self.args.budget - time.time()
            last = index == len(self.args.parts) - 1
            seconds = left if last or self.args.quick else min(PARTS[name][0], left - later)
            start = time.time()
            if seconds < 3:
                report.add({"part": name, "what": "the part itself", "error": "left out: no time"})
                continue
            rows = self._compiled(seconds) if name == "compiled" else self._part(name, seconds, peaks)
            report.add(*rows, shown=False)
            report.add({"part": name, "what": "the part took", "seconds": time.time() - start})
            if name == "peaks":
                peaks |= {row["what"].split(", ")[-1]: row["tflops"] for row in rows if "tflops" in row}
        return int(any("error" in row and "left out" not in row["error"] for row in report.rows))

    def stop_all(self) -> None:
        """End what still runs."""
        for job in self.compiling.values():
            _kill(job.process)

    def _part(self, name: str, seconds: float, peaks: dict[str, float]) -> list[dict]:
        module = importlib.import_module(f"gpu_{name}")
        part = self.new_part(name, time.time() + seconds)
        return self._wait(self._start(run_part, module.run, part, peaks), part, seconds)

    def new_part(self, name: str, until: float, file: str = "") -> Part:
        """Return the settings of a part that may take until then."""
        a = self.args
        out = self.work / f"{file or name}.json"
        return Part(name, a.device, a.quick, a.data_dir, out, until, a.train_seconds, a.only, a.conf, a.separator)

    def _start_compiling(self) -> None:
        """Start one process for each thing to compile; they take minutes, most of it on one core."""
        if "compiled" not in self.args.parts:
            return
        module = importlib.import_module("gpu_compiled")
        for index, job in enumerate(module.jobs(self.new_part("compiled", 0))):
            part = self.new_part("compiled", self.began + self.args.budget, f"compiled_{index}")
            ready, go = self.context.Event(), self.context.Event()
            process = self._start(run_part, module.run, part, job, ready, go)
            self.compiling[job.title] = Compiling(process, part, ready, go)

    def _compiled(self, seconds: float) -> list[dict]:
        """Let the processes that have compiled measure, one after the other, and return their rows."""
        until, rows, waiting = time.time() + seconds, [], dict(self.compiling)
        while waiting and time.time() < until:
            titles = [t for t, job in waiting.items() if job.ready.is_set() or not job.process.is_alive()]
            if not titles:
                time.sleep(0.2)
                continue
            job = waiting.pop(titles[0])
            job.go.set()
            rows += self._wait(job.process, job.part, max(0.0, until - time.time()))
        for title in waiting:
            rows.append({"part": "compiled", "what": title, "error": "compiling had not finished when time was over"})
        return rows

    def _take(self, name: str, function: Callable, *arguments) -> list[dict]:
        part = self.new_part(name, time.time() + 120)
        return self._wait(self._start(run_part, function, part, *arguments), part, 120)

    def _start(self, *arguments) -> multiprocessing.process.BaseProcess:
        process = self.context.Process(target=arguments[0], args=(self.args.out / "gpu.log", *arguments[1:]))
        process.start()
        return process

    def _wait(self, process, part: Part, seconds: float) -> list[dict]:
        process.join(seconds)
        error = f"stopped after {seconds:.0f} s" if process.is_alive() else None
        if process.exitcode:
            error = f"ended with status {process.exitcode}"
        _kill(process)
        return [*_rows(part.out), *([{"part": part.name, "what": "the part itself", "error": error}] if error else [])]


def _rows(file: Path) -> list[dict]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def _kill(process: multiprocessing.process.BaseProcess) -> None:
    """End a process with all that it has started, its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    process.join()


def run_part(log: Path, function: Callable, part: Part, *arguments) -> None:
    """Run one part in this process; what programs print by descriptor goes to ``log``."""
    os.setsid()
    quiet()
    with open(log, "a", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 2)
    function(part, *arguments)


def card(part: Part, device: str) -> None:
    """Add a row for the card, or an error."""
    if device == "cuda":
        with part.guarded("card"):
            found = torch.cuda.get_device_properties(0)
            size = f"{found.total_memory / 2**30:.0f} GiB, {found.multi_processor_count} processors"
            part.row("card", **{"is": f"{found.name}, {size}"})


def make_corpus(part: Part, folder: Path, config: Path) -> None:
    """Make the corpus mini in ``folder``."""
    from s5lib.bin.main import main as s5lib

    folders = [f"--{name}={folder / name}" for name in ("data_root", "data_dir", "dump_dir")]
    with part.guarded("mini"):
        cores = str(len(os.sched_getaffinity(0)))
        if s5lib(["prepare", "--corpus", "mini", "--config", str(config), *folders, "--nj", cores]):
            raise RuntimeError("'s5lib prepare' failed; see gpu.log")


if __name__ == "__main__":
    sys.exit(main())
