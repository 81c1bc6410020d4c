"""Time of scoring a set of mixtures against reading its files alone: ``python benchmarks/scoring.py``.

A set of four-channel mixtures of 10 s with zero to three sources of float32, as renderers write them, and estimates
that are the references plus noise; or a rendered set of your own (--references FOLDER).  Scoring means all that 's5lib
score' does for a mixture: finding the files, reading, checking, CA-PI-SDRi, CA-SDRi, PI-SDRi and the floors.  The
values are compared with those of the metrics' functions.  Rounds alternate and the fastest counts, so that what else
the machine does disturbs little; the processor's time, and the time that passes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The libraries read these variables when they are imported.
import numpy as np  # noqa: E402
import soundfile  # noqa: E402

from s5lib.corpora.layout import read_synthesized  # noqa: E402
from s5lib.evaluation import list_outputs, score_listed  # noqa: E402
from s5lib.metrics import ca_pi_sdri  # noqa: E402

LABELS = ("Cough", "Dishes", "Speech")
RATE = 32000


def make_references(folder: Path, mixtures: int, seconds: float) -> None:
    """Write ``soundscape/`` and ``oracle_target/``: noise bursts, a source each, in four channels."""
    generator = np.random.default_rng(0)
    for name in ("soundscape", "oracle_target"):
        (folder / name).mkdir(parents=True)
    for index in range(mixtures):
        sources = generator.standard_normal((index % 4, round(seconds * RATE)), dtype=np.float32) * 0.05
        mixture = 0.005 * generator.standard_normal((4, sources.shape[1]), dtype=np.float32)
        for number, source in enumerate(sources):
            mixture += generator.uniform(0.5, 1, (4, 1)).astype(np.float32) * source
            file = folder / f"oracle_target/mix_{index}_{number}_{LABELS[generator.integers(3)]}.wav"
            soundfile.write(file, source, RATE, subtype="FLOAT")
        soundfile.write(folder / f"soundscape/mix_{index}.wav", mixture.T, RATE, subtype="FLOAT")


def make_estimates(references: Path, folder: Path) -> None:
    generator = np.random.default_rng(1)
    folder.mkdir()
    for path in sorted((references / "oracle_target").glob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        samples += 0.3 * np.sqrt(np.mean(samples**2)) * generator.standard_normal(len(samples), dtype=np.float32)
        soundfile.write(folder / path.name, samples, rate, subtype="FLOAT")


def read_all(files: list[str]) -> None:
    for file in files:
        soundfile.read(file, dtype="float32")


def score_all(references: Path, estimates: Path, labels: set[str], nj: int = 1) -> list:
    recordings = read_synthesized(references)
    outputs = list_outputs(estimates, [recording.id for recording in recordings], labels)
    return list(score_listed(recordings, outputs, nj=nj))


def seconds_of(clock, function, *arguments) -> float:
    start = clock()
    function(*arguments)
    return clock() - start


def check(references: Path, estimates: Path, scores: list) -> float:
    """Return the largest difference to the values of the metric's function, in dB."""
    largest = 0.0
    for recording, score in zip(read_synthesized(references), scores, strict=True):
        mixture = soundfile.read(recording.mixture, dtype="float32")[0][:, 0]
        sources = [soundfile.read(path, dtype="float32")[0] for path in recording.sources]
        found = [soundfile.read(estimates / Path(path).name, dtype="float32")[0] for path in recording.sources]
        value = ca_pi_sdri(found, recording.labels, sources, recording.labels, mixture).value
        if (value is None) != (score.predicted.value is None):
            return float("inf")
        largest = max(largest, abs((value or 0.0) - (score.predicted.value or 0.0)))
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=Path, metavar="FOLDER", help="soundscape/ and oracle_target/ of your own")
    parser.add_argument("--mixtures", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a mixture")
    parser.add_argument("--repeat", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        references, estimates = args.references or Path(scratch, "references"), Path(scratch, "estimates")
        if args.references is None:
            make_references(references, args.mixtures, args.seconds)
        make_estimates(references, estimates)
        recordings = read_synthesized(references)
        labels = {label for recording in recordings for label in recording.labels}
        files = [r.mixture for r in recordings] + [path for r in recordings for path in r.sources]
        files += [str(path) for path in sorted(estimates.iterdir())]
        difference = check(references, estimates, score_all(references, estimates, labels))
        ways = {
            "reading the files alone": (time.process_time, read_all, files),
            "scoring, one thread": (time.process_time, score_all, references, estimates, labels),
            "reading, by the clock": (time.perf_counter, read_all, files),
            "scoring, two threads, by the clock": (time.perf_counter, score_all, references, estimates, labels, 2),
        }
        times = {name: [] for name in ways}
        for _ in range(args.repeat):
            for name, way in ways.items():
                times[name].append(seconds_of(*way))
        best = {name: 1e3 * min(values) / len(recordings) for name, values in times.items()}
        print(f"{len(recordings)} mixtures, {len(files)} files; largest difference to ca_pi_sdri: {difference:g} dB")
        reading = None
        for name, value in best.items():
            reading = value if name.startswith("reading") else reading
            print(f"{name:<36} {value:6.2f} ms a mixture  ({value / reading:.2f} times reading)")


if __name__ == "__main__":
    main()
