"""Training steps of the full-size models on random batches: mixtures per second, share of the peak, memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from gpu_common import Part, host_waits, make, make_batch, seconds_of
from gpu_parity import TRAINING
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from s5lib.training.settings import TrainSettings

__all__ = ["TrainingStep", "run"]


def run(part: Part, peaks: dict[str, float]) -> None:
    """Measure the steps as they are."""
    rows = []
    for title in part.separators():
        rows += [(title, "all", 4, "bfloat16"), (title, "all", 4, "float32"), (title, "all", 16, "bfloat16")]
    for layers, batch in (("head", 16), ("head", 64), ("last2", 8), ("last2", 64)):
        rows += [("m2d, 4 channels", layers, batch, precision) for precision in ("bfloat16", "float32")]
    for title, layers, batch, precision in rows[::3] if part.quick else rows:
        batch = 2 if part.quick else batch
        what = f"{title}, {layers}, {precision}, {batch} mixtures"
        if part.only in what and part.has_time(what, 6):
            with part.guarded(what):
                part.row(what, **TrainingStep(part, title, layers, batch, precision).measure(peaks, count=True))


class TrainingStep:
    """Forward, backward, clipping and AdamW, on one batch of scenes of 10 s that is on the device already."""

    def __init__(self, part: Part, title: str, layers: str, batch: int, precision: str):
        kind, name, options = part.networks()[title]
        self.part, self.kind, self.size, self.precision = part, kind, batch, precision
        self.settings = TrainSettings(layers=layers)
        self.module = TRAINING[kind](make(kind, name, options).to(part.device), self.settings).train()
        seconds = 0.5 if part.quick else 10.0
        self.batch = make_batch(self.module.model.config, batch, seconds, part.device, seed=0)
        self.optimiser = self.module.configure_optimizers()["optimizer"]

    def loss(self) -> torch.Tensor:
        """Return the loss of the batch."""
        with torch.autocast(self.part.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.module.loss(self.batch)

    def __call__(self) -> None:
        loss = self.loss()
        self.optimiser.zero_grad()
        loss.backward()
        trained = [p for p in self.module.parameters() if p.requires_grad]
        torch.nn.utils.clip_grad_norm_(trained, self.settings.clip)
        self.optimiser.step()

    def measure(self, peaks: dict[str, float] | None = None, count: bool = False) -> dict:
        """Return mixtures per second, memory, and, if operations are to be counted, the share of the peak."""
        operations = _operations(self) if count else 0
        if self.part.device == "cuda":
            self()
            torch.cuda.reset_peak_memory_stats()
        elapsed = seconds_of(self, self.part.device, 0.1 if self.part.quick else 1.5)
        result: dict = {"mixtures_per_s": self.size / elapsed, "ms_per_step": 1000 * elapsed}
        if count:
            result["gflop_per_mixture"] = operations / self.size / 1e9
        # By default, torch lets convolutions round to TF32, and matrix products not.
        peak = "tf32" if self.precision == "float32" and "resunet" in self.module.model.__module__ else self.precision
        if count and peaks and peak in peaks:
            result |= {"share_of_peak": operations / elapsed / 1e12 / peaks[peak], "peak": peak}
        if self.part.device == "cuda":
            with host_waits(self.part.device) as waits:
                self()
            memory = torch.cuda.max_memory_allocated() / 2**30
            result |= {"gib": memory, "host_waits": " ".join(waits) or "none"}
        return result


def _operations(step: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        step()
    return counter.get_total_flops()
