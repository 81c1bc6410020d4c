"""Download the DCASE 2026 Task 4 set and add the clips that come from FSD50K, EARS and others.

  s5lib fetch --data_root /data/dcase26 --nj 8
  s5lib fetch --data_root /data/dcase26 --semhear_path /data/BinauralCuratedDataset --ears_path /data/EARS --nj 8

Writes DATA_ROOT/dev_set, for training and scoring.  Checks disk space first; resumes if interrupted.  The downloaded
archives may be deleted afterwards.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from s5lib.bin.shared_options import add_shared, progress_bar

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data_root", required=True, type=Path, help="folder that gets dev_set/ (and eval_set/)")
    parser.add_argument("--downloads", type=Path, help="folder for archives (default: DATA_ROOT/downloads)")
    parser.add_argument("--semhear_path", type=Path, help="BinauralCuratedDataset of Semantic Hearing, if on disk")
    parser.add_argument("--ears_path", type=Path, help="EARS, the folder that holds p001 and so on, if on disk")
    parser.add_argument("--eval_set", action="store_true", help="fetch the evaluation set as well")
    add_shared(parser, nj="processes that convert clips (default: 1)")


def run(args: argparse.Namespace) -> None:
    from s5lib.corpora.dcase26 import add_clips, fetch_set, fetch_sources, missing_parts
    from s5lib.errors import ConfigError, DataError

    for option, path in (("--semhear_path", args.semhear_path), ("--ears_path", args.ears_path)):
        if path is not None and not path.is_dir():
            raise ConfigError(f"{option} is {str(path)!r}, but there is no such folder.")
    downloads = args.downloads or args.data_root / "downloads"
    bytes_bar = progress_bar("B", unit_scale=True)
    dev_set = fetch_set("dev_set", args.data_root, downloads, progress=bytes_bar)
    sources = fetch_sources(dev_set, downloads, args.semhear_path, args.ears_path, progress=bytes_bar)
    left_out = add_clips(dev_set, sources, args.nj, progress=progress_bar("clip"))
    for reason, clips in left_out.items():
        log.info("left out, %s: %d clips", reason, len(clips))
    if args.eval_set:
        fetch_set("eval_set", args.data_root, downloads, progress=bytes_bar)
    problems = missing_parts(dev_set)
    if problems:
        raise DataError("the set is not complete. " + "; ".join(problems))
    print(f"{dev_set}: complete")
