"""Time and memory of the CA-PI-SDR loss, forward and backward, against plain ways: ``python benchmarks/loss.py``.

A batch of 4 items of K same-class sources, 10 s at 32 kHz.  The plain ways are (1) the loss of every permutation of
whole waveforms, the smallest of which is kept, and (2) the SDR of all pairs of whole waveforms, then every permutation
of that matrix; in both, autograd records everything.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from itertools import permutations

import torch
from measure import free_bytes, in_new_process, measured, row
from torch import Tensor

from s5lib.losses import AlignedSDRLoss

BATCH = 4


def make_inputs(count: int, samples: int) -> list[Tensor]:
    """Return prediction and target, both ``[B, K, T]`` float32; predictions in another order."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(BATCH, count, samples, generator=generator)
    prediction = torch.randn(BATCH, count, samples, generator=generator)
    for k in range(count):
        prediction[:, k].mul_(0.3).add_(target[:, count - 1 - k])
    return [prediction.requires_grad_(), target]


def ours(prediction: Tensor, target: Tensor) -> Tensor:
    query = torch.ones(*target.shape[:2], 1)
    return AlignedSDRLoss("ca_pi")(prediction, target, query)


def sdr(estimate: Tensor, reference: Tensor) -> Tensor:
    return 10 * torch.log10(reference.square().sum(-1) / (reference - estimate).square().sum(-1))


def waveforms(prediction: Tensor, target: Tensor) -> Tensor:
    orders = permutations(range(target.shape[1]))
    return torch.stack([-sdr(prediction[:, list(order)], target).mean(-1) for order in orders]).min(0).values.mean()


def pairs(prediction: Tensor, target: Tensor) -> Tensor:
    count = target.shape[1]
    score = sdr(prediction[:, None], target[:, :, None])  # [B, K, K], by way of [B, K, K, T]
    orders = torch.tensor(list(permutations(range(count))))
    return -score[:, torch.arange(count), orders].mean(-1).max(-1).values.mean()


WAYS = {"ours": ours, "waveforms": waveforms, "pairs": pairs}
TITLES = {"ours": "s5lib", "waveforms": "all permutations of waveforms", "pairs": "all pairs, then all permutations"}


def needed_bytes(way: str, count: int, samples: int) -> int:
    """Return about what autograd keeps: two waveform tensors for each permutation, or three for each pair."""
    unit = BATCH * count * samples * 4
    return {"waveforms": 2 * math.factorial(count), "pairs": 3 * count}[way] * unit


def step(way: str):
    """Return a function that runs one forward and backward pass and forgets the gradient."""

    def run(prediction: Tensor, target: Tensor) -> None:
        WAYS[way](prediction, target).backward()
        prediction.grad = None

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, nargs="+", default=[1, 2, 3, 4, 5, 8], help="K, several")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the scene, at 32 kHz")
    parser.add_argument("--repeat", type=int, default=5, help="the fastest of so many runs counts")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    samples = round(args.seconds * 32000)
    if args.one:
        count = args.sources[0]
        print(json.dumps(measured(step(args.one), lambda length: make_inputs(count, length), samples, args.repeat)))
        return
    for count in args.sources:
        check = make_inputs(min(count, 4), 4000)
        values = [WAYS[way](*check).item() for way in WAYS]
        assert max(values) - min(values) < 1e-3, f"the ways disagree: {values}"
        shared = ["--sources", str(count), "--seconds", str(args.seconds), "--repeat", str(args.repeat)]
        mine = in_new_process(sys.argv[0], [*shared, "--one", "ours"])
        print(row(TITLES["ours"], count, mine), flush=True)
        for way in ("waveforms", "pairs"):
            needed = needed_bytes(way, count, samples)
            if needed > 0.8 * free_bytes():
                print(f"{TITLES[way]:<34} K = {count:<3} left out: about {needed / 1e9:.3g} GB", flush=True)
                continue
            other = in_new_process(sys.argv[0], [*shared, "--one", way])
            print(row(TITLES[way], count, other), f"  {other['seconds'] / mine['seconds']:.1f} x", flush=True)


if __name__ == "__main__":
    main()
