"""Recordings in the field: ``python benchmarks/field.py --models EXPDIR --data_dir DATA_DIR``.

Scores a test set at gains from -40 to +40 dB, and with fewer channels: W alone, and stereo (two coincident cardioids,
left and right).  For each set of models, one table for all scenes and one for each kind: DupSet (several sources of a
class), NoDupSet, and scenes without a target, where any source is wrong.

Several sets of models are compared, before and after a change for one.  With ``--match_level``, models that depend on
the level hear each recording at that of their training, as with ``s5lib infer FILE``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from s5lib import load_system
from s5lib.audio import read_audio
from s5lib.data import DataDirectory
from s5lib.errors import DataError
from s5lib.metrics import ca_pi_sdri, label_accuracy, pi_sdri

GAINS_DB = (-40, -30, -20, -10, 0, 10, 20, 30, 40)


def first_channel(mixture):
    """Return W alone."""
    return mixture[:1]


def stereo(mixture):
    """Return two cardioids, whose mean is W; ``mixture [4, T]``: W, Y, Z, X."""
    return np.stack([mixture[0] + mixture[1], mixture[0] - mixture[1]])


CHANNELS = {"W alone": first_channel, "stereo": stereo}


@dataclass
class Figures:
    """What becomes of a kind of scene in one variant."""

    right: int = 0
    wrong: int = 0
    mixtures: list[bool] = field(default_factory=list)
    pi_sdri: list[float] = field(default_factory=list)
    ca_pi_sdri: list[float] = field(default_factory=list)

    def row(self) -> str:
        sources = f"{100 * self.right / (self.right + self.wrong):.1f} %" if self.right + self.wrong else "-"
        means = [f"{np.mean(values):.2f}" if values else "-" for values in (self.pi_sdri, self.ca_pi_sdri)]
        return f"{sources} | {100 * np.mean(self.mixtures):.1f} % | {' | '.join(means)}"


def measure(system, recording, variant, gain_db, match_level, figures):
    """Separate one scene in one variant and add what comes out to the figures of its kind and of all."""
    mixture, rate = read_audio(recording.mixture)
    gain = np.float32(10 ** (gain_db / 20))
    heard, reference = variant(mixture) * gain, mixture[0] * gain
    sources = np.stack([read_audio(path)[0][0] for path in recording.sources]) * gain if recording.sources else ()
    labels = list(recording.labels)
    found = system(heard, rate, match_level=match_level)
    count = label_accuracy([source.label for source in found], labels)
    kind = "zero-target" if not labels else "DupSet" if len(set(labels)) < len(labels) else "NoDupSet"
    for name in ("all", kind):
        to = figures[name]
        to.right, to.wrong = to.right + count.tp, to.wrong + count.fn + count.fp
        to.mixtures.append(count.fn + count.fp == 0)
    if not labels:
        return
    waveforms = np.stack([s.waveform for s in found]) if found else np.zeros((0, len(reference)), np.float32)
    scores = {"ca_pi_sdri": ca_pi_sdri(waveforms, [s.label for s in found], sources, labels, reference).value}
    if hasattr(system, "separator"):  # a joint model takes no labels
        oracle = np.stack([s.waveform for s in system(heard, rate, labels, match_level)])
        scores["pi_sdri"] = pi_sdri(oracle, None, sources, None, reference).value
    for name, value in scores.items():
        for kind_ in ("all", kind):
            getattr(figures[kind_], name).append(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", required=True, metavar="FOLDER|NAME", help="as of s5lib infer --models")
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--scenes", type=int, metavar="N", help="equally spaced in the set (default: all)")
    parser.add_argument("--gains", nargs="*", type=float, default=GAINS_DB, metavar="DB")
    parser.add_argument("--match_level", action="store_true")
    args = parser.parse_args()
    recordings = DataDirectory.read(args.data_dir).recordings
    chosen = np.linspace(0, len(recordings) - 1, args.scenes or len(recordings)).round().astype(int)
    variants = {f"{gain:+g} dB": (np.asarray, gain) for gain in args.gains}
    variants |= {name: (variant, 0) for name, variant in CHANNELS.items()}
    for models in args.models:
        system = load_system(models)
        system.window_seconds = 600  # scenes in one piece
        tables: dict[str, dict[str, Figures]] = {}
        for name, (variant, gain) in variants.items():
            tables[name] = defaultdict(Figures)
            try:
                for index in chosen:
                    measure(system, recordings[index], variant, gain, args.match_level, tables[name])
            except DataError as error:
                print(f"{models}, {name}: {error}")
                del tables[name]
        for kind in ("all", "DupSet", "NoDupSet", "zero-target"):
            print(f"\n{models}, {kind}: {len(next(iter(tables.values()))[kind].mixtures)} scenes\n")
            print(
                "| | source accuracy | mixture accuracy | PI-SDRi, oracle labels | CA-PI-SDRi |\n|---|--:|--:|--:|--:|"
            )
            for name, figures in tables.items():
                if figures[kind].mixtures:
                    print(f"| {name} | {figures[kind].row()} |")


if __name__ == "__main__":
    main()
