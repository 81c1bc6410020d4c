"""Stage 1: make or check a corpus, and write the data directories that the later stages read.

  s5lib prepare --corpus mini --data_dir data/mini --dump_dir dump/mini
  s5lib prepare --corpus dcase26 --data_root /data/dcase26 --data_dir data/dcase26 --dump_dir dump/dcase26

The library generates the corpus `mini`.  Any other corpus is a folder in the layout of the DCASE 2026 development set,
with its folder names as class labels.  If it has no test mixtures or validation scenes, they are drawn in the paper's
proportions (section 4.1): of 5 mixtures, 2 have same-class sources (DupSet: 2 or 3 sources), 3 have distinct ones
(NoDupSet: 1, 2 or 3).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.bin.shared_options import add_shared
from s5lib.config.argument_types import count, positive_int, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "config")
    parser.add_argument("--corpus", default="mini", help="mini, or a name of your own for the tree at --data_root")
    parser.add_argument("--data_root", help="folder of the corpus; of mini: where to make it")
    parser.add_argument("--data_dir", required=True, help="folder for the data directories")
    parser.add_argument("--dump_dir", required=True, help="folder for rendered audio")
    parser.add_argument(
        "--duration",
        type=seconds,
        metavar="SECONDS",
        help="duration of a drawn scene (default: the corpus's own, else 1.5 times its median clip, 3 to 10 s)",
    )
    parser.add_argument(
        "--scenes_conf", action="append", default=[], metavar="KEY=VALUE", help="a setting for drawing scenes"
    )
    parser.add_argument(
        "--max_sources", type=positive_int, default=3, metavar="N", help="most target sources in a mixture"
    )
    parser.add_argument(
        "--test_scenes",
        type=positive_int,
        metavar="N",
        help="test mixtures to draw if the corpus has none (default: 4 for each source, 60 to 3000)",
    )
    parser.add_argument(
        "--valid_scenes",
        type=positive_int,
        metavar="N",
        help="validation scenes to draw if the corpus has none (default: 2 for each source, 30 to 500)",
    )
    parser.add_argument(
        "--zero_target",
        type=count,
        metavar="N",
        help="additional test mixtures without a target (default: a tenth)",
    )
    add_shared(parser, "nj", seed="seed of mini and of drawn scenes (default: 0)")


def run(args: argparse.Namespace) -> None:
    from s5lib.config.command_line import joined_assignments
    from s5lib.corpora.prepare import Preparation, prepare
    from s5lib.training.statistics import measure_mixtures

    prepare(
        Preparation(
            corpus=args.corpus,
            data_root=Path(args.data_root) if args.data_root else None,
            data_dir=Path(args.data_dir),
            dump_dir=Path(args.dump_dir),
            duration=args.duration,
            scene_options=joined_assignments(args, "scenes_conf"),
            max_sources=args.max_sources,
            test_scenes=args.test_scenes,
            valid_scenes=args.valid_scenes,
            zero_target=args.zero_target,
            seed=args.seed,
            nj=args.nj,
        ),
        measure_mixtures,
    )
