"""Mixtures per second of drawing and rendering, against the plain way: ``python benchmarks/scenes.py``.

The plain way opens the SOFA file for every event and convolves every event by itself with ``scipy.signal.fftconvolve``
(float64).  It is the one that the tests compare with (tests/scenes/plain_renderer.py), on the same scenes, in the same
run, one process and one thread; the mixtures are compared as well.  Then: what share of our time is FFT, what batches
rendered with torch cost (``--render_device``), how data loader workers scale, and how much memory the caches take with
few and with many rooms.  Times are of the processor, so that other programs count less, except with workers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "scenes"))

import numpy as np
from plain_renderer import plain_render
from scipy import fft

from s5lib.corpora import mini
from s5lib.scenes import Corpus, DrawSettings, Renderer, SceneDrawer, compose_metadata


def seconds_each(function, items) -> float:
    """Return the processor time per item."""
    start = time.process_time()
    for item in items:
        function(item)
    return (time.process_time() - start) / len(items)


class FFTClock:
    """Counts the processor time spent in the FFTs of :mod:`s5lib.scenes.convolution`."""

    def __init__(self):
        self.seconds = 0.0
        self._real = {name: getattr(fft, name) for name in ("rfft", "irfft")}

    def __enter__(self):
        for name, function in self._real.items():
            setattr(fft, name, self._timed(function))
        return self

    def __exit__(self, *_):
        for name, function in self._real.items():
            setattr(fft, name, function)

    def _timed(self, function):
        def timed(*args, **kwargs):
            start = time.process_time()
            result = function(*args, **kwargs)
            self.seconds += time.process_time() - start
            return result

        return timed


def against_plain(corpus: Corpus, duration: float, scenes: int) -> dict:
    """Time both ways on the same scenes; ours with warm caches, as in any but the first minutes of training."""
    drawer = SceneDrawer(corpus, DrawSettings(duration=duration, sample_rate=corpus.noises[0].info.sample_rate))
    renderer = Renderer(corpus.root)
    drawn = [drawer(0, index) for index in range(scenes)]
    few = [compose_metadata(scene, corpus, drawer.settings) for scene in drawn[: max(3, scenes // 10)]]
    error = 0.0
    for scene, metadata in zip(drawn, few, strict=False):
        reference = plain_render(metadata, corpus.root)[0]
        error = max(error, np.abs(renderer(scene).mixture - reference).max() / np.abs(reference).max())
    cold = seconds_each(Renderer(corpus.root), drawn)
    for scene in drawn:
        renderer(scene)
    warm = seconds_each(renderer, drawn)
    with FFTClock() as clock:
        total = seconds_each(renderer, drawn) * scenes
    return {
        "duration_s": duration,
        "plain_mixtures_per_s": 1 / seconds_each(lambda metadata: plain_render(metadata, corpus.root), few),
        "first_pass_mixtures_per_s": 1 / cold,
        "mixtures_per_s": 1 / warm,
        "tagger_mixtures_per_s": 1 / seconds_each(lambda scene: renderer(scene, sources=False), drawn),
        "drawing_ms": 1000 * seconds_each(lambda index: drawer(1, index), range(200)),
        "fft_share": clock.seconds / total,
        "largest_difference_of_peak": float(error),
    }


def in_batches(corpus: Corpus, duration: float, scenes: int) -> dict:
    """Time what is done for ``--render_device``: reading the parts of scenes, and rendering batches of 4 with torch."""
    import torch

    from s5lib.data import DrawnScenes, collate
    from s5lib.data.unrendered import UnrenderedScenes, rendered

    torch.set_num_threads(1)
    settings = DrawSettings(duration=duration, sample_rate=corpus.noises[0].info.sample_rate)
    drawn = DrawnScenes(corpus, settings, seed=0, size=scenes)
    unrendered, starts = UnrenderedScenes(drawn), range(0, scenes - 3, 4)

    def read(start: int) -> dict:
        return unrendered.collate([unrendered[start + index] for index in range(4)])

    batches = [read(start) for start in starts]
    found, expected = rendered(batches[0]), collate([drawn[index] for index in range(4)])
    reading = seconds_each(read, starts) / 4
    rendering = seconds_each(rendered, batches) / 4
    errors = {f"{n}_difference_of_peak": relative_difference(found[n], expected[n]) for n in ("mixture", "sources")}
    return {
        "only_read_mixtures_per_s": 1 / reading,
        "render_device_cpu_mixtures_per_s": 1 / (reading + rendering),
        **{f"render_device_{name}": value for name, value in errors.items()},
    }


def relative_difference(found, expected) -> float:
    """Return the largest difference of two batches, relative to the peak of each scene."""
    peaks = expected.abs().amax((-1, -2)).clamp(min=1e-9)
    return ((found - expected).abs().amax((-1, -2)) / peaks).max().item()


def with_workers(corpus: Corpus, duration: float, scenes: int) -> dict:
    """Time a data loader, elapsed time, batches of 4, without and with two workers; the first third is not counted."""
    import torch
    from torch.utils.data import DataLoader

    from s5lib.data import DrawnScenes, collate
    from s5lib.data.unrendered import UnrenderedScenes

    torch.set_num_threads(1)
    rates = {}
    settings = DrawSettings(duration=duration, sample_rate=corpus.noises[0].info.sample_rate)
    for workers, title in ((0, ""), (1, ""), (2, ""), (2, "render_device_cpu_")):
        dataset = DrawnScenes(corpus, settings, seed=0, size=scenes)
        dataset = UnrenderedScenes(dataset, in_loader=True) if title else dataset
        make_batch = getattr(dataset, "collate", collate)
        loader = DataLoader(
            dataset, 4, collate_fn=make_batch, num_workers=workers, prefetch_factor=4 if workers else None
        )
        start, counted = 0.0, 0
        for number, batch in enumerate(loader):
            if number == len(loader) // 3:
                start = time.perf_counter()
            elif start:
                counted += len(batch["id"])
        rates[f"workers_{workers}_{title}mixtures_per_s"] = counted / (time.perf_counter() - start)
    return rates


def many_rooms(corpus: Corpus, rooms: int, folder: Path) -> Path:
    """Make a corpus of ``rooms`` rooms out of links to another's files."""
    root = folder / f"rooms{rooms}" / "dev_set"
    for kind in ("sound_event", "noise", "interference"):
        (root / kind).mkdir(parents=True)
        (root / kind / "train").symlink_to((corpus.root / kind / "train").absolute())
    (root / "room_ir" / "train").mkdir(parents=True)
    for index in range(rooms):
        source = corpus.room_paths[index % len(corpus.room_paths)]
        (root / "room_ir" / "train" / f"{index:03d}.sofa").symlink_to(source.absolute())
    return root


def peak_resident_kib() -> int:
    """Return the largest resident size of this process so far (Linux)."""
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])


def memory(root: str, scenes: int, limit: int, duration: float, cache_dir: str | None) -> dict:
    """Render scenes and return how much the process grew; to be called in a process of its own."""
    corpus = Corpus(root)
    drawer = SceneDrawer(corpus, DrawSettings(duration=duration, sample_rate=corpus.noises[0].info.sample_rate))
    Renderer(corpus.root, memory_limit=0)(drawer(0, 0))
    before = peak_resident_kib()
    renderer = Renderer(corpus.root, memory_limit=limit, cache_dir=cache_dir)
    seconds_each(lambda index: renderer(drawer(0, index)), range(scenes))
    each = seconds_each(lambda index: renderer(drawer(0, index)), range(scenes, 2 * scenes))
    sounds, rooms = renderer.stores(corpus.noises[0].info.sample_rate)
    return {
        "rooms": len(corpus.room_paths),
        "limit_MiB": limit / 2**20,
        "cached_MiB": (sounds.cache.nbytes + rooms.nbytes) / 2**20,
        "growth_MiB": (peak_resident_kib() - before) / 2**10,
        "mixtures_per_s": 1 / each,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_root", type=Path, help="corpus to use (default: the mini corpus, made for the purpose)")
    parser.add_argument("--durations", type=float, nargs="*", default=[3.0, 10.0], help="seconds of a scene")
    parser.add_argument("--scenes", type=int, default=150)
    parser.add_argument("--limit_mib", type=int, default=256, help="memory limit of the memory measurement")
    parser.add_argument("--memory_of", help=argparse.SUPPRESS)
    parser.add_argument("--cache_dir", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print(json.dumps(memory(args.memory_of, args.scenes, args.limit_mib << 20, args.durations[0], args.cache_dir)))
        return
    with tempfile.TemporaryDirectory() as folder:
        root = args.data_root or mini.build(Path(folder) / "mini")
        corpus = Corpus(root)
        print(corpus)
        longest = max(noise.info.duration for noise in corpus.noises)
        durations = [duration for duration in args.durations if duration <= longest]
        for duration in durations:
            result = against_plain(corpus, duration, args.scenes)
            result["times_as_fast"] = result["mixtures_per_s"] / result["plain_mixtures_per_s"]
            result |= in_batches(corpus, duration, args.scenes)
            show({**result, **with_workers(corpus, duration, args.scenes)})
        for rooms, mapped in ((8, False), (80, False), (80, True)):
            made = many_rooms(corpus, rooms, Path(folder) / ("mapped" if mapped else "kept"))
            command = [sys.executable, __file__, "--memory_of", str(made), "--scenes", str(args.scenes)]
            command += ["--limit_mib", str(args.limit_mib), "--durations", str(durations[0])]
            command += ["--cache_dir", f"{folder}/cache"] if mapped else []
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            show({**result, "memory_mapped": mapped})


def show(result: dict) -> None:
    """Print a result, a line a value."""
    for key, value in result.items():
        print(f"  {key:<28} {value:.3g}")
    print()


if __name__ == "__main__":
    main()
