"""Calibrate a tagger's decisions about silence and classes.

  s5lib calibrate --data_dir data/mini/valid --tagger exp/mini/tagger/model.safetensors \\
      --separator exp/mini/separator/model.safetensors

Tunes a bias of silence and, if that gains more, of single classes, for the CA-PI-SDRi of tagger and separator on a
validation set (never on the set that you report), and writes them to model.calibration.json next to the tagger.
's5lib infer' then uses them, unless '--calibration none' is given.  Reports the gain on held-out recordings and
whether it may be chance.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from s5lib.bin.shared_options import add_shared, device, load_plugins
from s5lib.config.argument_types import integer

if TYPE_CHECKING:
    from s5lib.systems import TagThenSeparate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data_dir", required=True, help="data directory with references: the validation set")
    parser.add_argument("--tagger", required=True, metavar="FILE", help="checkpoint of the tagger")
    parser.add_argument("--separator", required=True, metavar="FILE", help="checkpoint of the separator")
    parser.add_argument(
        "--out", metavar="FILE", help="the calibration (default: next to the tagger, where 's5lib infer' finds it)"
    )
    parser.add_argument("--silence_only", action="store_true", help="try no biases of single classes")
    parser.add_argument("--folds", type=integer(2), default=5, help="folds of the cross-validation (default: 5)")
    add_shared(parser, "plugin", "ngpu", seed="seed of the assignment to folds (default: 0)")


def run(args: argparse.Namespace) -> None:
    from s5lib.data import DataDirectory
    from s5lib.evaluation.calibration_gain import describe_gain, gain_report
    from s5lib.evaluation.tuning import tune_calibration
    from s5lib.provenance import require_replaceable
    from s5lib.systems import load_system
    from s5lib.systems.calibration import calibration_file

    load_plugins(args)
    out = Path(args.out) if args.out else calibration_file(args.tagger)
    require_replaceable({out: b'"checkpoint_sha256"'}, [args.tagger, args.separator])
    data = DataDirectory.read(args.data_dir)
    system = load_system(args.tagger, args.separator, device(args.ngpu), system="tag_separate", calibration=None)
    tuned = tune_calibration(
        cast("TagThenSeparate", system), data, folds=args.folds, classes=not args.silence_only, seed=args.seed
    )
    report = {"data_dir": str(Path(args.data_dir).absolute()), "separator": str(Path(args.separator).absolute())}
    tuned.calibration.write(out, args.tagger, {**report, **gain_report(tuned)})
    print(describe_gain(tuned))
    print(f"written to {out}")
