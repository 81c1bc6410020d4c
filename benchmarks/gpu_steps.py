"""Training steps of the paper's models on random batches: mixtures per second, share of the peak, memory."""

from __future__ import annotations

import time

import torch
from gpu_common import Part, host_waits, make, make_batch, networks, seconds_of
from gpu_parity import TRAINING
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from s5lib.training.settings import TrainSettings

__all__ = ["run", "run_compiled"]


def run(part: Part, peaks: dict[str, float]) -> None:
    """Measure the steps as they are."""
    known = networks(part.quick)
    rows = []
    for title in _separators(known):
        rows += [(title, "all", batch, precision) for batch in (4, 16) for precision in ("float32", "bfloat16")]
    for layers, batches in (("head", (16, 64)), ("last2", (8, 64))):
        rows += [("m2d, 4 channels", layers, b, p) for b in batches for p in ("float32", "tf32", "bfloat16")]
    if part.quick:
        rows = rows[::2]
    for title, layers, batch, precision in rows:
        _guarded_row(part, known[title], title, layers, precision, batch, False, peaks)


def run_compiled(part: Part, peaks: dict[str, float]) -> None:
    """Measure steps whose network torch.compile has generated code for, which takes a while each."""
    known = networks(part.quick)
    rows = [(title, "all", 16, "bfloat16") for title in _separators(known)]
    rows += [("m2d, 4 channels", "last2", 64, "bfloat16")]
    rows += [(title, "all", 16, "float32") for title in _separators(known)]
    rows += [("m2d, 4 channels", "last2", 64, "float32"), ("m2d, 4 channels", "head", 64, "bfloat16")]
    for title, layers, batch, precision in [] if part.quick else rows:
        _guarded_row(part, known[title], title, layers, precision, batch, True, peaks)


def _separators(known: dict) -> list[str]:
    """Return the separators that answer a whole query at once."""
    return [title for title, (kind, name, _) in known.items() if kind == "separator" and name != "resunet"]


def _guarded_row(part, network, title, layers, precision, batch, compiled, peaks):
    batch = 2 if part.quick else batch
    what = f"{title}, {layers}, {precision}, {batch} mixtures{', compiled' * compiled}"
    if part.only in what and part.has_time(what, 45 if compiled else 8):
        with part.guarded(what):
            part.row(what, **measure(part, *network, layers, precision, batch, compiled, peaks))


def measure(part: Part, kind, name, options, layers, precision, batch, compiled, peaks) -> dict:
    """Return mixtures per second, share of the peak and memory of a training step on scenes of 10 s."""
    cuda = part.device == "cuda"
    seconds = 0.5 if part.quick else 10.0
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"  # that of convolutions is on by default
    settings = TrainSettings(layers=layers)
    module = TRAINING[kind](make(kind, name, options).to(part.device), settings).train()
    given = make_batch(module.model.config, batch, seconds, part.device, seed=0)
    optimiser = module.configure_optimizers()["optimizer"]
    trained = [p for p in module.parameters() if p.requires_grad]

    def step():
        loss = _loss(module, given, precision)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, settings.clip)
        optimiser.step()

    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        step()
    result = {}
    if compiled:
        start, eager = time.perf_counter(), _loss(module, given, precision).detach()
        module.model.network.compile()
        difference = (_loss(module, given, precision) - eager).abs().item()
        step()
        result = {"loss_differs_by": difference, "compiling_s": time.perf_counter() - start}
    if cuda:
        step()
        torch.cuda.reset_peak_memory_stats()
    elapsed = seconds_of(step, part.device, 0.1 if part.quick else 1.5)
    with host_waits(part.device) as waits:
        step()
    result = {"mixtures_per_s": batch / elapsed, "ms_per_step": 1000 * elapsed, **result}
    result["gflop_per_mixture"] = counter.get_total_flops() / batch / 1e9
    peak = "tf32" if precision == "float32" and kind != "tagger" else precision
    if peak in peaks:
        result |= {"share_of_peak": counter.get_total_flops() / elapsed / 1e12 / peaks[peak], "peak": peak}
    if cuda:
        result |= {"gib": torch.cuda.max_memory_allocated() / 2**30, "host_waits": " ".join(waits) or "none"}
    return result


def _loss(module, given: dict, precision: str) -> torch.Tensor:
    with torch.autocast(given["mixture"].device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        return module.loss(given)
