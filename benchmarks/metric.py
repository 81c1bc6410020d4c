"""Time and memory of CA-PI-SDRi against the plain way: ``python benchmarks/metric.py``.

A scene of K same-class sources, 10 s at 32 kHz.  The plain way reorders whole waveforms by every permutation, takes
every SDRi of each and keeps the best mean; it is left out where its K! x K waveforms would not fit into memory.  With
distinct labels nothing is to be searched: there the bound is reading all samples once, widened to float64 and squared.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from itertools import permutations

import numpy as np
from measure import free_bytes, in_new_process, measured, row

from s5lib.metrics import ca_pi_sdri

TITLE = "all permutations of waveforms"
PLAIN_COPIES = 4  # waveform tensors of all permutations that are alive at once


def make_inputs(count: int, samples: int) -> list[np.ndarray]:
    """Return estimates, references (each ``[K, T]``) and mixture ``[T]``, float32; estimates in another order."""
    generator = np.random.default_rng(0)
    references = generator.standard_normal((count, samples), dtype=np.float32)
    estimates = generator.standard_normal((count, samples), dtype=np.float32)
    estimates *= 0.3
    estimates += references[::-1]
    noise = generator.standard_normal(samples, dtype=np.float32)
    noise += references.sum(0)
    return [estimates, references, noise]


def ours(estimates: np.ndarray, references: np.ndarray, mixture: np.ndarray) -> float:
    labels = ["Speech"] * len(references)
    return ca_pi_sdri(estimates, labels, references, labels, mixture).value


def distinct(estimates: np.ndarray, references: np.ndarray, mixture: np.ndarray) -> float:
    labels = [f"class{index}" for index in range(len(references))]
    return ca_pi_sdri(estimates, labels, references, labels, mixture).value


def read(estimates: np.ndarray, references: np.ndarray, mixture: np.ndarray) -> float:
    total, step = 0.0, 1 << 13  # what stays in the cache
    for signal in (*estimates, *references, mixture):
        for start in range(0, len(signal), step):
            block = signal[start : start + step].astype(np.float64)
            total += block @ block
    return total


def plain(estimates: np.ndarray, references: np.ndarray, mixture: np.ndarray) -> float:
    reordered = estimates[list(permutations(range(len(references))))]  # [K!, K, T]
    sdri = sdr(reordered, references) - sdr(mixture, references)
    return float(sdri.mean(-1).max())


def sdr(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return 10 * np.log10((reference**2).sum(-1) / ((reference - estimate) ** 2).sum(-1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6, 16, 64], help="K, several")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the scene, at 32 kHz")
    parser.add_argument("--repeat", type=int, default=5, help="the fastest of so many runs counts")
    parser.add_argument("--one", choices=["ours", "plain", "distinct", "read"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    samples = round(args.seconds * 32000)
    if args.one:
        function, count = {"ours": ours, "plain": plain, "distinct": distinct, "read": read}[args.one], args.sources[0]
        repeat = args.repeat if args.one != "plain" or count < 5 else 2
        print(json.dumps(measured(function, lambda length: make_inputs(count, length), samples, repeat)))
        return
    for count in args.sources:
        check = make_inputs(min(count, 5), 4000)
        assert math.isclose(ours(*check), plain(*check), abs_tol=1e-3), "the two ways disagree"
        shared = ["--sources", str(count), "--seconds", str(args.seconds), "--repeat", str(args.repeat)]
        mine = in_new_process(sys.argv[0], [*shared, "--one", "ours"])
        print(row("s5lib", count, mine), flush=True)
        labelled, once = (in_new_process(sys.argv[0], [*shared, "--one", way]) for way in ("distinct", "read"))
        print(
            row("s5lib, distinct labels", count, labelled),
            f"  {labelled['seconds'] / once['seconds']:.2f} x",
            flush=True,
        )
        print(row("reading once", count, once), flush=True)
        needed = PLAIN_COPIES * math.factorial(count) * count * samples * 4
        if needed > 0.8 * free_bytes():
            print(f"{TITLE:<34} K = {count:<3} left out: about {needed / 1e9:.3g} GB", flush=True)
            continue
        other = in_new_process(sys.argv[0], [*shared, "--one", "plain"])
        print(row(TITLE, count, other), f"  {other['seconds'] / mine['seconds']:.1f} x", flush=True)


if __name__ == "__main__":
    main()
