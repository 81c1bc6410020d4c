"""What the parts of ``benchmarks/gpu.py`` share: the sizes, the networks, the clock, and the rows of the table."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.config.command_line import parse_assignments
from s5lib.errors import ConfigError
from s5lib.plugins import available, create, find

SMALL = {
    "m2d": {"n_fft": 1024, "hop_length": 640, "embed_dim": 64, "depth": 3, "num_heads": 4, "head_dim": 64},
    "resunet_joint": {"n_fft": 256, "hop_length": 128, "channels": [8, 16], "n_mels": 64, "label_channels": [8, 16]},
    "": {"n_fft": 256, "hop_length": 128, "channels": [8, 16], "condition_size": 16, "num_heads": 2, "width": 8}
    | {"common_blocks": 1, "single_blocks": 1, "attention_size": 16, "hidden_size": 16, "single_hidden": 16},
}
"""Options of small models, for ``--quick``; those under the empty name are for every model that has such options."""


@dataclass
class Part:
    """One part of the measurements: what it runs on, until when, and the rows that it has found."""

    name: str
    device: str
    quick: bool
    data_dir: Path
    out: Path
    until: float
    """in seconds of :func:`time.time`"""
    train_seconds: float = 0.0
    only: str = ""
    conf: Sequence[str] = ()
    """``MODEL.KEY=VALUE``, options of models"""
    separator: str = "resunetk"
    """the one to train"""
    rows: list[dict] = field(default_factory=list)

    def networks(self) -> dict[str, tuple[str, str, dict]]:
        """Return the models to measure, title -> (kind, name, options): all registered ones, M2D on 1 and 4 channels.

        Raises:
            ConfigError: an option is for no model.
        """
        own = _options(self.conf)
        found = {}
        for kind in ("separator", "joint_model", "tagger"):
            for name in available(kind):
                known = {option.name for option in find(kind, name).options()}
                small = {**SMALL[""], **SMALL.get(name, {})} if self.quick else {}
                options = {**{key: value for key, value in small.items() if key in known}, **own.pop(name, {})}
                if name == "m2d":
                    found |= {f"m2d, {m} channels": (kind, name, {**options, "input_channels": m}) for m in (4, 1)}
                else:
                    found[name] = kind, name, options
        if own:
            raise ConfigError(
                f"--conf is for {', '.join(own)}; there are {', '.join(n for _, n, _ in found.values())}."
            )
        return found

    def separators(self) -> list[str]:
        """Return the titles of the separators that answer a whole query at once."""
        return [t for t, (kind, name, _) in self.networks().items() if kind == "separator" and name != "resunet"]

    def row(self, what: str, **values: float | str) -> None:
        """Add a row, print it, and write all there are, so that what comes later cannot lose them."""
        self.rows.append({"part": self.name, "what": what, **values})
        print(as_line(self.rows[-1]), flush=True)
        self.out.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")

    @contextlib.contextmanager
    def guarded(self, what: str) -> Iterator[None]:
        """Let a failure inside be a row of its own; without time left, nothing inside runs."""
        try:
            yield
        except torch.cuda.OutOfMemoryError:
            self.row(what, error="left out: more memory than the card has")
        except Exception as error:
            traceback.print_exc()
            self.row(what, error=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        finally:
            torch.compiler.reset()
            if self.device == "cuda":
                torch.cuda.empty_cache()

    def has_time(self, what: str, seconds: float) -> bool:
        """Return whether so many seconds are left; a row says where they are not."""
        if self.quick or time.time() + seconds < self.until:
            return True
        self.row(what, error="left out: no time")
        return False


def as_line(row: dict) -> str:
    """Return a row as text."""
    shown = [f"{k.replace('_', ' ')} {_number(v)}" for k, v in row.items() if k not in ("part", "what")]
    return f"{row['part']:<10} {row['what']:<44} {', '.join(shown)}"


def _number(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def quiet() -> None:
    """Silence what libraries advise."""
    warnings.simplefilter("ignore")
    for name in ("lightning.pytorch", "lightning.fabric", "torch._inductor", "torch._dynamo"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _options(conf: Sequence[str]) -> dict[str, dict]:
    """Return model -> options from ``MODEL.KEY=VALUE``."""
    found: dict[str, dict] = {}
    for item in conf:
        model, _, assignment = item.partition(".")
        found.setdefault(model, {}).update(parse_assignments([assignment]))
    return found


def make(kind: str, name: str, options: dict, seed: int = 0) -> nn.Module:
    """Return a model with seeded weights, and statistics as after some training."""
    torch.manual_seed(seed)
    model = create(kind, name, **options)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def make_batch(config, size: int, seconds: float, device: str, seed: int | None = None) -> dict:
    """Return a random batch as of :func:`s5lib.data.collate`; ``seed`` None: another one every time."""
    generator = torch.Generator()
    generator.seed() if seed is None else generator.manual_seed(seed)
    samples, slots = round(seconds * config.sample_rate), config.num_sources
    sources = 0.1 * torch.randn(size, slots, samples, generator=generator)
    labels = torch.randint(config.num_classes, (size, slots), generator=generator)
    count = torch.randint(1, slots + 1, (size, 1), generator=generator)
    silent = torch.arange(slots) >= count
    labels[silent], sources[silent] = -1, 0
    mixture = sources.sum(1, keepdim=True) + 0.05 * torch.randn(size, config.num_channels, samples, generator=generator)
    query = F.one_hot(labels.clamp(min=0), config.num_classes) * (labels >= 0)[..., None]
    batch = {"mixture": mixture, "sources": sources, "labels": labels, "query": query.float()}
    return {**{name: value.to(device) for name, value in batch.items()}, "id": [str(i) for i in range(size)]}


def wait(device: str) -> None:
    """Wait until the device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(function: Callable[[], object], device: str, least: float, warm: int = 3, repeats: int = 3) -> float:
    """Return the seconds of a call: the median of ``repeats`` groups of calls that take at least ``least`` seconds."""
    for _ in range(warm):
        function()
    wait(device)
    start = time.perf_counter()
    function()
    wait(device)
    calls = max(1, round(least / repeats / max(1e-6, time.perf_counter() - start)))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        wait(device)
        times.append((time.perf_counter() - start) / calls)
    return sorted(times)[repeats // 2]


@contextlib.contextmanager
def host_waits(device: str) -> Iterator[Counter]:
    """Count inside where the host waits for the GPU, ``FILE:LINE`` -> times; nothing is counted on the CPU."""
    found: Counter = Counter()
    if device != "cuda":
        yield found
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
            places = [w for w in caught if "synchronizing CUDA" in str(w.message)]
            found.update(f"{Path(w.filename).name}:{w.lineno}" for w in places)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return |found - expected| / |expected|."""
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    return ((found - expected).norm() / expected.norm()).item()


@contextlib.contextmanager
def tensor_float32(allowed: bool) -> Iterator[None]:
    """Let float32 products and convolutions be rounded to TF32 inside, or not."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
