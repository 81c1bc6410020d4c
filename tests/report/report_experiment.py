"""An experiment as the recipe leaves it, of eight scenes of one second, with labels that try to break out of a page."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import soundfile
import yaml

from s5lib.data.directory import DataDirectory, Recording
from s5lib.systems.outputs import write_sources
from s5lib.systems.source import Source

RATE = 8000
EVIL = "<script>alert('1')</script>\"&"
SCENES = {
    # name: labels, what is predicted of them (and of nothing), noise of the estimates
    "empty_right": ((), (), 0.0),
    "empty_wrong": ((), ("Dog",), 0.1),
    "one": (("Dog",), ("Dog",), 0.02),
    "pair": (("Dog", "Dog"), ("Dog", "Dog"), 0.03),
    "evil": ((EVIL, "Bell"), (EVIL, "Bell"), 0.05),
    "swapped": (("Bell", "Dog"), ("Dog", EVIL), 0.05),
    "missed": (("Bell", "Dog", "Dog"), ("Dog",), 0.02),
    "three": (("Bell", "Dog", EVIL), ("Bell", "Dog", EVIL), 0.3),
}


def make_data(folder):
    """Write mixtures and references of ``SCENES`` and return the data directory."""
    generator, recordings = np.random.default_rng(5), []
    time = np.arange(RATE) / RATE
    for name, (labels, _, _) in SCENES.items():
        tones = [np.sin(2 * np.pi * (300 + 417 * i) * time) * np.hanning(RATE) for i in range(len(labels))]
        sources = 0.05 * np.array(tones).reshape(-1, RATE)
        mixture = np.tile(sources.sum(0), (4, 1)) + 0.02 * generator.standard_normal((4, RATE))
        paths = []
        for index, source in enumerate(sources):
            paths.append(str(folder / f"audio/{name}_{index}.wav"))
            (folder / "audio").mkdir(parents=True, exist_ok=True)
            soundfile.write(paths[-1], source, RATE, subtype="FLOAT")
        (folder / "audio").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"audio/{name}.wav", mixture.T, RATE, subtype="FLOAT")
        recordings.append(Recording(name, str(folder / f"audio/{name}.wav"), labels, tuple(paths), RATE))
    return DataDirectory.write(folder / "data/mini/test", recordings)


def make_outputs(data, folder, seed, noisier, made_by):
    """Write estimates, the references with noise, below ``folder/predicted`` and ``folder/oracle``."""
    generator = np.random.default_rng(seed)
    for recording in data:
        references = [soundfile.read(path, dtype="float32")[0] for path in recording.sources]
        _, predicted, noise = SCENES[recording.id]
        for kind, labels in (("predicted", predicted), ("oracle", recording.labels)):
            left = list(zip(recording.labels, references, strict=True))
            sources = []
            for label in labels:
                match = next((pair for pair in left if pair[0] == label), None)
                clean = left.pop(left.index(match))[1] if match else np.zeros(RATE, np.float32)
                wrong = noisier * noise * generator.standard_normal(RATE) + 1e-3
                sources.append(Source(label, 0.75, (clean + wrong).astype(np.float32)))
            write_sources(folder / kind, recording.id, sources, RATE, labels="given", made_by=made_by)


def make_model(folder, kind, name, steps, seed=0):
    """Write what training leaves and return the digest of the weights."""
    folder.mkdir(parents=True)
    weights = f"weights of {folder.name} {seed}".encode()
    (folder / "model.safetensors").write_bytes(weights)
    settings = {"batch_size": 16, "max_steps": 60, "lr": 1e-3, "aligner": "ca_pi"}
    config = {
        "kind": kind,
        "name": name,
        "distribution": "s5lib",
        "version": "0.1.0",
        "options": {"depth": 3, "note": EVIL},
        "seed": seed,
        "steps": dict.fromkeys(steps, settings),
        "made_with": {"s5lib": "0.1.0", "torch": "2.11.0"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for step, rows in steps.items():
        (folder / step).mkdir()
        lines = [
            {
                "step": 20 * (i + 1),
                "loss": 2.0 / (i + 1),
                "lr": 1e-3,
                "valid_loss": 2.1 / (i + 1),
                "pi_sdri": 1.0 * i,
                "source_accuracy": 0.1 * i,
                "mixtures_per_second": 9.0,
            }
            for i in range(rows)
        ]
        (folder / step / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return hashlib.sha256(weights).hexdigest()
