"""Write a set of drawn scenes: mixtures, dry references and metadata.

  s5lib synth --data_root corpora/dcase26 --split valid --out dump/paper_test --num_scenes 3000 --nj 8

OUT gets soundscape/NAME.wav, oracle_target/NAME_I_LABEL.wav and metadata/NAME.json, the layout of the DCASE sets.
An interrupted call resumes where it stopped.  The files do not depend on the number of processes.
"""

from __future__ import annotations

import argparse

from s5lib.bin.shared_options import add_shared, progress_bar
from s5lib.config.argument_types import count, positive_int
from s5lib.config.command_line import joined_assignments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "config")
    parser.add_argument("--data_root", required=True, help="folder that holds the corpus: dev_set/ or its content")
    parser.add_argument("--split", default="test", help="split to draw from: a folder name below sound_event")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument(
        "--num_scenes", type=positive_int, required=True, metavar="N", help="scenes in the preset's proportions"
    )
    parser.add_argument(
        "--zero_target", type=count, default=0, metavar="N", help="scenes without a target, in addition"
    )
    parser.add_argument(
        "--preset", default="paper", choices=("paper", "dcase2026", "dcase2025"), help="(default: paper)"
    )
    parser.add_argument(
        "--draw_conf",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="settings instead of the preset's, such as duration=5 target_snr=[0,10]; see s5lib.scenes.DrawSettings",
    )
    add_shared(parser, "nj", seed="another seed gives other scenes (default: 0)")
    parser.add_argument("--dask", metavar="ADDRESS", help="Dask scheduler to use instead of processes (extra 'dask')")


def run(args: argparse.Namespace) -> None:
    from s5lib.config.options import fill, options_of
    from s5lib.scenes import DrawSettings, synthesize

    changes = fill(joined_assignments(args, "draw_conf"), options_of(DrawSettings), "--draw_conf")
    out = synthesize(
        args.data_root,
        args.split,
        args.out,
        args.num_scenes,
        zero_target=args.zero_target,
        seed=args.seed,
        preset=args.preset,
        settings=DrawSettings.preset(args.preset, **changes),
        nj=args.nj,
        dask=args.dask,
        progress=progress_bar("scene"),
    )
    print(f"{args.num_scenes + args.zero_target} scenes in {out}")
