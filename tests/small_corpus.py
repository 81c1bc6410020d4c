"""A corpus of synthetic sounds, small enough to be made anew by every test session."""

from __future__ import annotations

import h5py
import numpy as np
from scipy.io import wavfile

RATE = 8000


def write_sofa(path, responses, positions, rate=RATE, kind="cartesian"):
    """Write ``responses [P, M, N]`` and ``positions [P, 3]`` as the little of a SOFA file that is needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"], file.attrs["SOFAConventions"], file.attrs["DataType"] = "SOFA", "GeneralFIR", "FIR"
        file["Data.IR"] = responses
        file["Data.SamplingRate"] = np.array([float(rate)])
        file["Data.SamplingRate"].attrs["Units"] = "hertz"
        file["SourcePosition"] = positions
        file["SourcePosition"].attrs["Type"] = kind
        file["SourcePosition"].attrs["Units"] = "metre" if kind == "cartesian" else "degree, degree, metre"


def write_wav(path, samples, rate=RATE):
    """Write ``samples [T]`` or ``[T, M]`` as float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, np.asarray(samples, np.float32))


def _room(generator, path, kind, rate, positions=12, length=0.1):
    azimuth, elevation = 360 * np.arange(positions) / positions, generator.uniform(-20, 20, positions)
    spherical = np.stack([azimuth, elevation, generator.uniform(1, 2, positions)], 1)
    a, e, r = np.radians(spherical[:, 0]), np.radians(spherical[:, 1]), spherical[:, 2]
    cartesian = np.stack([r * np.cos(a) * np.cos(e), r * np.sin(a) * np.cos(e), r * np.sin(e)], 1)
    samples = int(length * rate)
    responses = generator.standard_normal((positions, 4, samples)) * np.exp(-6 * np.arange(samples) / samples)
    responses[:, :, : samples // 20] = 0
    responses[:, 0, samples // 20] = -5 * r
    write_sofa(path, 0.01 * responses, spherical if kind == "spherical" else cartesian, rate, kind)


def make_corpus(root):
    """Write a corpus of 4 labels, 8 kHz, clips of 0.4 to 1.5 s, noise of 4 s, below ``root/dev_set``."""
    generator = np.random.default_rng(7)
    base = root / "dev_set"
    for split in ("train", "valid"):
        for number, label in enumerate(("Bell", "Dog", "Rain", "Speech")):
            for source in range(3):
                for take in range(2):
                    time = np.arange(int(RATE * generator.uniform(0.4, 1.5))) / RATE
                    sound = np.sin(2 * np.pi * (300 + 200 * number) * time) + 0.3 * generator.standard_normal(len(time))
                    # of Rain the files lie directly below the label's folder: each is a source of its own
                    folder = f"{label}" if label == "Rain" else f"{label}/source{source}"
                    write_wav(base / f"sound_event/{split}/{folder}/{source}_{take}.wav", 0.2 * sound)
        for take in range(2):
            write_wav(base / f"interference/{split}/Fan/{take}.wav", 0.1 * generator.standard_normal(RATE))
            write_wav(base / f"noise/{split}/{take}.wav", 0.01 * generator.standard_normal((4 * RATE, 4)))
        _room(generator, base / f"room_ir/{split}/a.sofa", "cartesian", RATE)
        _room(generator, base / f"room_ir/{split}/b.sofa", "spherical", 2 * RATE)
    return root
