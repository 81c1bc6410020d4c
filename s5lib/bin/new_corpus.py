"""Make a corpus from a folder of clips: check them, split them by source, simulate rooms and noise.

  s5lib new-corpus ~/clips --out corpora/kitchen
  s5lib new-corpus ~/clips --out corpora/kitchen --interference Fridge,Radio --noise ~/background

CLIPS holds LABEL/[SOURCE/]*.wav: a folder for each class; any format, rate and length. Sub-folders are sources, such as
one speaker or machine; a clip outside them is a source of its own. Sets share no source, so each class needs three. OUT
gets dev_set/ in the layout of the DCASE 2026 set, and REPORT.md: what is there, what was left out and why,
what is too little. A second call redoes only what has changed since.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.bin.shared_options import add_shared
from s5lib.config.argument_types import positive_int, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("clips", metavar="CLIPS", type=Path, help="folder of LABEL/[SOURCE/]*.wav")
    parser.add_argument("--out", required=True, type=Path, help="folder for the corpus")
    parser.add_argument(
        "--rooms",
        type=Path,
        metavar="DIR",
        help="measured rooms instead of simulated ones: SOFA files, or multichannel impulse responses beside a "
        "directions.csv with the columns file, azimuth, elevation and distance",
    )
    parser.add_argument("--num_rooms", type=positive_int, default=12, metavar="N", help="simulated rooms for training")
    parser.add_argument(
        "--noise",
        type=Path,
        metavar="DIR",
        help="background recordings instead of synthesised noise; mono is made diffuse",
    )
    parser.add_argument(
        "--interference",
        metavar="LABELS|DIR",
        help="labels of CLIPS, separated by commas, that are only interference; or another folder of clips",
    )
    parser.add_argument(
        "--noise_seconds",
        type=seconds,
        default=15.0,
        metavar="SECONDS",
        help="length of the noise, at least that of the longest scene (default: 15)",
    )
    add_shared(parser, "nj", seed="seed of rooms and noise (default: 0)")


def run(args: argparse.Namespace) -> None:
    """Make the corpus."""
    from functools import partial

    from tqdm import tqdm

    from s5lib.corpora.own import NewCorpus, build

    request = NewCorpus(
        args.clips, args.out, args.rooms, args.noise, args.interference, args.num_rooms, args.noise_seconds, args.seed
    )
    build(request, args.nj, partial(tqdm, unit="file", disable=None))
