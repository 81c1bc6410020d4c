"""Show experiments in one HTML page: scores with intervals, training curves, confusions of labels, scenes to listen to.

  s5lib report exp/mini --out report.html
  s5lib report exp/mini exp/other --title "Two losses"        # side by side
  s5lib report exp/mini/RESULTS_pi.jsonl --data_dir data/mini/test --scenes test_00003
  s5lib report separated                                      # output of 's5lib infer'

The page is self-contained, with pictures and sound, uses no network and works without scripts.  Missing parts of an
experiment are left out with a note.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiments",
        nargs="+",
        metavar="EXPDIR|RESULTS.jsonl|SEPARATED",
        help="experiments of the recipe, or results, or a folder of separated recordings",
    )
    parser.add_argument("--out", metavar="FILE.html", help="the page (default: report.html in the first experiment)")
    parser.add_argument(
        "--data_dir", metavar="DIR", help="data directory of the test set (default: the recipe's data/NAME/test)"
    )
    parser.add_argument(
        "--scenes", nargs="+", default=[], metavar="ID", help="scenes to listen to (default: chosen by their scores)"
    )
    parser.add_argument(
        "--audio",
        default="mp3",
        choices=("mp3", "flac", "none"),
        help="flac: lossless; none: no audio (default: mp3)",
    )
    parser.add_argument("--title", help="title of the page (default: from the experiments' names)")


def run(args: argparse.Namespace) -> None:
    from s5lib.provenance import require_replaceable
    from s5lib.report import is_separated, write_report, write_separated

    first = Path(args.experiments[0])
    out = Path(args.out) if args.out else (first if first.is_dir() else first.parent) / "report.html"
    require_replaceable({out: b"<!DOCTYPE html"}, args.experiments)
    if len(args.experiments) == 1 and is_separated(first):
        if args.data_dir:
            raise ConfigError(f"--data_dir is for experiments; {first} holds separated recordings.")
        write_separated(first, out, names=args.scenes, audio=args.audio, title=args.title)
        return
    data_dir = Path(args.data_dir) if args.data_dir else None
    write_report(args.experiments, out, data_dir=data_dir, scenes=args.scenes, audio=args.audio, title=args.title)
