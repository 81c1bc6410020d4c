"""Inspect the scenes of a batch that ended a run.

  python -m s5lib.training.replay exp/mini/separator/train/bad_batch.json --out bad_batch

OUT gets soundscape/NAME.wav, oracle_target/NAME_I_LABEL.wav and metadata/NAME.json, the layout of 's5lib synth', and a
line is shown for each scene: its labels, its peak, the recordings that it is made of.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from s5lib.config.options import fill, options_of
from s5lib.errors import S5Error
from s5lib.scenes import Corpus, DrawSettings, Renderer, Scene, SceneDrawer
from s5lib.scenes.dcase_json import compose_metadata, write_metadata
from s5lib.scenes.writing import write_scene
from s5lib.untrusted import json_record
from s5lib.untrusted.terminal import safe_output

__all__ = ["replay"]


def replay(path: str | Path) -> Iterator[tuple[str, dict, Scene]]:
    """Draw and render the scenes of a ``bad_batch.json`` once more; they are the same to the bit.

    Args:
        path: of the file that the run has written.

    Yields:
        The scene's id, its metadata as in the challenge's files, and the scene: mixture, dry sources, labels.

    Raises:
        DataError: not such a file, or the corpus has changed so that a scene cannot be drawn.
    """
    advice = "A training run that stops at a bad loss writes bad_batch.json."
    batch = json_record(path, advice=advice)
    drawing = fill(batch.record("drawing").values, options_of(DrawSettings), f"{path}: drawing")
    settings, seed = DrawSettings(**drawing), batch.integer("seed", least=0)
    corpus = Corpus(batch.path("corpus"), batch.name("split"))
    scenes = [(scene.name("id"), scene.integer("index", least=0)) for scene in batch.records("scenes")]
    drawer, renderer = SceneDrawer(corpus, settings), Renderer(corpus.root)
    for name, index in scenes:
        scene = renderer(drawer(seed, index))
        yield name, compose_metadata(scene.description, corpus, settings), scene


def main(argv: list[str] | None = None) -> int:
    """Write the scenes; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m s5lib.training.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bad_batch", help="file that the run has written")
    parser.add_argument("--out", required=True, help="folder to write")
    args = parser.parse_args(argv)
    with safe_output():
        return _write(parser.prog, args)


def _write(program: str, args: argparse.Namespace) -> int:
    try:
        for name, metadata, scene in replay(args.bad_batch):
            write_scene(args.out, name, scene.mixture, scene.sources, scene.labels, scene.sample_rate)
            write_metadata(metadata, Path(args.out, "metadata", f"{name}.json"))
            print(f"{name}  peak {abs(scene.mixture).max():.3g}  {', '.join(scene.labels) or 'no target'}")
            described = scene.description
            for path in (*(event.path for event in described.events + described.noises), described.room_path):
                print(f"  {path}")
    except S5Error as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
