"""How well sources of one class are separated: ``python benchmarks/same_class.py --separators FILE``.

Draws scenes of the corpus's test recordings with one, two and three sources of the same class, and pairs by the angle
between them; each is separated by its true labels from all channels and from the first one alone (for the models that
accept it).  Printed is PI-SDRi [dB], mean and standard error, beside the mixture at its best gain for each source.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from s5lib import load_system
from s5lib.corpora import mini
from s5lib.errors import DataError
from s5lib.metrics import LabelledScene, pi_sdri
from s5lib.models.checkpoint import model_header
from s5lib.scenes import Corpus, DrawSettings, Renderer, SceneDrawer

ANGLES = (0, 45, 90, 135, 180)
"""Edges of the groups of pairs, degrees."""


def drawn(drawer, sources, wanted):
    """Yield ``wanted`` scenes with as many ``sources`` of one class and no other targets."""
    index = found = 0
    while found < wanted:
        scene = drawer(0, index, targets=sources, same_class=sources > 1)
        if len({event.label for event in scene.targets}) == 1:
            found += 1
            yield scene
        index += 1


def kinds(scene):
    """Return the rows of the table that a rendered scene belongs to."""
    count = len(scene.labels)
    rows = [f"{count} source{'s' if count > 1 else ''}"]
    if count == 2:
        first, second = scene.directions()
        angle = np.degrees(np.arccos(np.clip(first @ second, -1, 1)))
        low = max(edge for edge in ANGLES[:-1] if edge <= angle)
        rows.append(f"2 sources, {low:3} to {ANGLES[ANGLES.index(low) + 1]}°")  # in the order of angles if sorted
    return rows


def improvements(systems, scene):
    """Return PI-SDRi [dB] of the best gain and of each system, with all channels and with one, by the column's name."""
    sources, mixture = scene.sources, scene.mixture
    floor = LabelledScene([], [], sources, list(scene.labels), mixture[0])
    values = {"best gain": float(np.mean(floor.scaled_mixture_sdr() - floor.mixture_sdr))}
    for name, system in systems.items():
        for channels in (len(mixture), 1):
            try:
                found = system(mixture[:channels], scene.sample_rate, list(scene.labels))
            except DataError:  # a model that needs all channels
                continue
            estimates = np.stack([source.waveform for source in found])
            column = f"{name}, {channels} channel{'s' if channels > 1 else ''}"
            values[column] = pi_sdri(estimates, None, sources, None, mixture[0]).value
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--separators", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--data_root", type=Path, help="of a corpus (default: mini, made in --folder)")
    parser.add_argument("--folder", type=Path, default=Path("egs/dcase26_s5/dump/mini/corpus"))
    parser.add_argument("--duration", type=float, default=3.0, help="of scenes, seconds (3)")
    parser.add_argument("--scenes", type=int, default=200, help="for each number of sources (200)")
    args = parser.parse_args()
    root = args.data_root or mini.build(args.folder)
    settings = DrawSettings(
        duration=args.duration, target_snr=(10.0, 20.0), interference_snr=(0.0, 10.0), min_angle=10.0
    )
    drawer, renderer = SceneDrawer(Corpus(root, "test"), settings), Renderer(root)
    systems = {}
    for path in args.separators:
        system = load_system(separator=path)
        system.window_seconds = 600  # scenes in one piece
        name = model_header(path)["name"]
        systems[name if name not in systems else str(path)] = system
    table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sources in (1, 2, 3):
        for description in drawn(drawer, sources, args.scenes):
            scene = renderer(description)
            values = improvements(systems, scene)
            for row in kinds(scene):
                for column, value in values.items():
                    table[row][column].append(value)
    columns = list(table["2 sources"])
    print(f"| | scenes | {' | '.join(columns)} |\n|---|--:|{'--:|' * len(columns)}")
    for row in sorted(table):
        cells = [f"{np.mean(v):.2f} ± {np.std(v) / np.sqrt(len(v)):.2f}" for v in table[row].values()]
        print(f"| {row} | {len(table[row][columns[0]])} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
