"""Run one function in its own process and return its time and memory; shared by the benchmarks.

Time is the processor's, of one thread: what would pass on an idle machine, little disturbed by other processes.
Memory is how far the process's resident size rose above what it was once the inputs were made (only Linux lets the
peak be reset there), as a multiple of the inputs; a warm-up on short inputs comes first, so that libraries' own buffers
are not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def measured(function: Callable, make_inputs: Callable[[int], Sequence], samples: int, repeat: int) -> dict:
    """Return ``seconds`` (the least of ``repeat`` runs), ``extra_bytes`` and ``input_bytes`` of ``function(*inputs)``.

    ``make_inputs(samples)`` gives the inputs; what has ``nbytes`` is counted.
    """
    function(*make_inputs(1000))
    inputs = make_inputs(samples)
    Path("/proc/self/clear_refs").write_text("5")  # the peak becomes the present size
    before, best = _peak_resident_bytes(), float("inf")
    for _ in range(repeat):
        start = time.process_time()
        function(*inputs)
        best = min(best, time.process_time() - start)
    size = sum(value.nbytes for value in inputs if hasattr(value, "nbytes"))
    return {"seconds": best, "extra_bytes": _peak_resident_bytes() - before, "input_bytes": size}


def _peak_resident_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def in_new_process(script: str, arguments: Sequence[str]) -> dict:
    """Run ``script arguments`` on one thread and return the JSON object that it prints."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, "1")
    done = subprocess.run([sys.executable, script, *arguments], env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def free_bytes() -> int:
    """Return how much memory a new process can have."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def row(name: str, count: int, result: dict) -> str:
    """Return one line of a benchmark's table."""
    extra = result["extra_bytes"]
    return (
        f"{name:<34} K = {count:<3} {result['seconds'] * 1e3:>10.1f} ms   {extra / 1e6:>9.0f} MB beside the inputs"
        f" ({extra / result['input_bytes']:.2f} x {result['input_bytes'] / 1e6:.0f} MB)"
    )
