"""Tiny models and files to spoil, and a guard against hanging and against huge allocations."""

from __future__ import annotations

import contextlib
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from s5lib.data import CorpusDescription, DataDirectory, Recording
from s5lib.models import save_checkpoint
from s5lib.models.configs import M2DConfig, ResUNetKConfig
from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK
from s5lib.systems import Source
from s5lib.systems.outputs import write_sources

from .readers import write_documents

RATE = 8000
LABELS = ["Bell", "Dog", "Rain"]
SECONDS, CPU_SECONDS, BYTES = 60, 10, 3 << 30  # 10 s of work; a minute to wait on a busy machine


@contextlib.contextmanager
def limits():
    """Raise TimeoutError after a while, and MemoryError or the like where far more memory is requested than needed."""

    def stop(*_):
        raise TimeoutError(f"took more than {CPU_SECONDS} s of work, or {SECONDS} s of waiting")

    before = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGPROF)}
    old = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, old[1]))
    signal.alarm(SECONDS)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, old)
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def seeds(tmp_path_factory, small_corpus) -> Path:
    """A folder with a file of each kind, all without fault."""
    folder = tmp_path_factory.mktemp("seeds")
    torch.manual_seed(0)
    sizes = {"num_sources": 2, "n_fft": 256}
    own = {"num_classes": 3, "sample_rate": RATE, "hop_length": 128}
    separator = {"channels": (2, 3), "condition_size": 4}
    tagger = {"embed_dim": 16, "depth": 1, "num_heads": 2, "head_dim": 8, "track_dim": 4, "n_mels": 32}
    models = {
        "separator": ResUNetK(ResUNetKConfig(**sizes, **own, **separator)),
        "tagger": M2DTagger(M2DConfig(**sizes, **own, **tagger)),
    }
    for (kind, model), name in zip(models.items(), ("resunetk", "m2d"), strict=True):
        save_checkpoint(folder / f"{kind}.safetensors", model, kind, name, "s5lib", "0.1.0", LABELS)
    official = {
        "resunetk": ResUNetK(ResUNetKConfig(num_sources=2, n_fft=512, channels=(2, 3), condition_size=4)),
        "m2dat": M2DTagger(
            M2DConfig(num_sources=2, embed_dim=64, depth=1, num_heads=1, head_dim=8, track_dim=4, chunk_frames=32)
        ),
    }
    for name, model in official.items():
        torch.save({"state_dict": {f"model.{k}": t for k, t in model.state_dict().items()}}, folder / f"{name}.ckpt")
        legacy = {"state_dict": {k: t.half().float() for k, t in model.state_dict().items()}}
        torch.save(legacy, folder / f"{name}.pth", _use_new_zipfile_serialization=False)
    mixture = 0.1 * np.random.default_rng(0).standard_normal((800, 4))
    for name, subtype in (
        ("a.wav", "PCM_16"),
        ("b.wav", "FLOAT"),
        ("c.flac", "PCM_16"),
        ("d.ogg", "VORBIS"),
        ("e.aiff", "PCM_16"),
    ):
        soundfile.write(folder / name, mixture, RATE if name != "d.ogg" else 44100, subtype=subtype)
    sources = [Source(label, 0.9, 0.1 * mixture[:, 0].astype(np.float32)) for label in ("Dog", "Rain")]
    write_sources(folder / "infer/predicted", "one", sources, RATE, labels="predicted")
    for k in range(2):
        soundfile.write(folder / f"source{k}.wav", mixture[:, k], RATE, subtype="FLOAT")
    recording = Recording(
        "one", str(folder / "b.wav"), ("Dog", "Rain"), tuple(str(folder / f"source{k}.wav") for k in range(2)), 800
    )
    DataDirectory.write(folder / "data/test", [recording], 2)
    CorpusDescription("nowhere", tuple(LABELS), RATE, 4, 2).write(folder / "data")
    write_documents(folder, small_corpus)
    return folder
