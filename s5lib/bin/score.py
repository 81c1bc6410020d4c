"""Score separated sources: CA-PI-SDRi and its variants, label accuracies, and floors that need no separation.

Output of 's5lib infer --data_dir':

  s5lib score --data_dir data/mini/test --infer_dir exp/mini/infer/test --out exp/mini/RESULTS.md

Output of any system, as files NAME_I_LABEL.wav, against a data directory or a folder with soundscape/NAME.wav and
oracle_target/NAME_I_LABEL.wav:

  s5lib score --data_dir data/mini/test --estimates separated --out RESULTS.md
  s5lib score --references dev_set/synthesized/test --estimates separated --out RESULTS.md

Is it better than another system, on the same scenes?

  s5lib score --data_dir data/mini/test --infer_dir exp/a/infer/test --compare exp/b/infer/test --out RESULTS.md

Prints the table, writes it to --out, and writes each recording's scores next to it (.jsonl).  --json prints all means
as JSON instead; --csv FILE also writes the recordings' scores as a table.  A mixture without files counts as one
without predictions.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s5lib.bin.shared_options import add_shared
from s5lib.config.argument_types import decibels
from s5lib.errors import ConfigError, DataError

if TYPE_CHECKING:
    from s5lib.evaluation import RecordingScores
    from s5lib.evaluation.scoring import Outputs

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data_dir", help="data directory with the references")
    parser.add_argument(
        "--references", metavar="FOLDER", help="folder of soundscape/ and oracle_target/, instead of --data_dir"
    )
    parser.add_argument("--infer_dir", help="output of 's5lib infer --data_dir'")
    parser.add_argument("--estimates", metavar="FOLDER", help="folder of NAME_I_LABEL.wav, instead of --infer_dir")
    parser.add_argument(
        "--oracle_estimates", metavar="FOLDER", help="with --estimates: the separator's output for the oracle labels"
    )
    parser.add_argument("--out", required=True, metavar="FILE.md", help="file for the table")
    parser.add_argument("--compare", metavar="OTHER", help="another system: its --infer_dir, --estimates or FILE.jsonl")
    parser.add_argument(
        "--class_labels",
        metavar="LABELS",
        help="all classes, LABEL,LABEL,... or a file of them (default: the corpus's, else those of the references)",
    )
    parser.add_argument(
        "--pairing",
        default="sdri",
        choices=("sdri", "sdr"),
        help="what pairs within a class maximise; sdr: like the public DCASE 2026 baseline (default: sdri)",
    )
    parser.add_argument(
        "--penalty_fn", type=decibels, default=0.0, metavar="DB", help="penalty for each missed source (default: 0)"
    )
    parser.add_argument(
        "--penalty_fp", type=decibels, default=0.0, metavar="DB", help="penalty for each false positive (default: 0)"
    )
    parser.add_argument("--csv", metavar="FILE.csv", help="also write a row for each recording")
    add_shared(parser, json="print the means as JSON, for other programs", nj="threads (default: 2)")
    parser.set_defaults(nj=2)


def run(args: argparse.Namespace) -> None:
    from s5lib.evaluation import MetricOptions, comparison_text, list_outputs, read_results, score_listed, write_results
    from s5lib.evaluation.comparable import check_comparable
    from s5lib.evaluation.estimate_files import known_labels
    from s5lib.evaluation.exports import plain_summary, write_csv
    from s5lib.evaluation.scoring import check_outputs
    from s5lib.evaluation.significance_text import with_other
    from s5lib.provenance import require_replaceable
    from s5lib.untrusted import to_json

    _check(args)
    out = Path(args.out)
    inputs = [args.compare] if args.compare else []
    require_replaceable({out: b"# ", out.with_suffix(".jsonl"): b'{"id"'}, inputs)
    if args.csv:
        require_replaceable({Path(args.csv): b"id,"}, inputs, "--csv")
    options = MetricOptions(args.pairing, args.penalty_fn, args.penalty_fp)
    source = Path(args.data_dir or args.references)
    recordings = _recordings(args)
    names = [recording.id for recording in recordings]
    # labels are needed to read file names; what 's5lib infer' has written lists its own
    needed = args.estimates or args.compare
    used = {label for recording in recordings for label in recording.labels or ()}
    labels = known_labels(source, args.class_labels, used) if needed else None
    if args.estimates:
        oracle = args.oracle_estimates and Path(args.oracle_estimates)
        outputs = list_outputs(Path(args.estimates), names, labels, oracle)
    else:
        outputs = list_outputs(Path(args.infer_dir), names)
    system = check_outputs(Path(args.infer_dir or args.estimates), recordings)
    systems = str(args.infer_dir or args.estimates), str(args.compare)
    # the other system is read first: errors in it must not come after all the work
    others: Sequence[RecordingScores] = ()
    other_outputs: Outputs = {}
    if args.compare and args.compare.endswith(".jsonl"):
        others = read_results(Path(args.compare))
        check_comparable({r.id: r.labels or () for r in recordings}, options, others, systems)
    elif args.compare:
        other_outputs = list_outputs(Path(args.compare), names, labels)
        check_outputs(Path(args.compare), recordings)
    _say_what_is_missing(outputs)
    scores = list(score_listed(recordings, outputs, options, args.nj, system))
    comparison = ""
    if args.compare:
        others = others or list(score_listed(recordings, other_outputs, options, args.nj))
        of = {scores.id: scores for scores in others}
        others = [of[recording.id] for recording in recordings]
        comparison = f"\n{comparison_text(scores, others, systems)}"
        scores = with_other(scores, others)
    tables = write_results(scores, out, f"Results on {source.name}", comparison)
    if args.csv:
        write_csv(scores, Path(args.csv))
    print(to_json(plain_summary(scores, others), indent=1) if args.json else tables + comparison)
    log.info("written to %s%s", args.out, f" and {args.csv}" if args.csv else "")


def _check(args: argparse.Namespace) -> None:
    if bool(args.data_dir) == bool(args.references):
        raise ConfigError("give the references: either --data_dir or --references.")
    if bool(args.infer_dir) == bool(args.estimates):
        raise ConfigError("give what to score: either --infer_dir or --estimates.")
    if args.oracle_estimates and not args.estimates:
        raise ConfigError("--oracle_estimates goes with --estimates; of an --infer_dir it is the folder oracle/ in it.")
    if args.csv and Path(args.csv).suffix != ".csv":
        raise ConfigError(f"--csv is {args.csv}; choose a name in .csv.")
    if Path(args.out).suffix != ".md":
        raise ConfigError(f"--out is {args.out}; the table goes there, the .jsonl beside it: choose a name in .md.")


def _recordings(args):
    from s5lib.corpora.layout import read_synthesized
    from s5lib.data import DataDirectory

    if args.data_dir:
        return DataDirectory.read(args.data_dir).recordings
    recordings = read_synthesized(args.references)
    if not any(recording.sources for recording in recordings):
        raise DataError(
            f"{args.references}: no references; expected files NAME_I_LABEL.wav in its folder oracle_target."
        )
    return recordings


def _say_what_is_missing(outputs) -> None:
    for kind, of in outputs.items():
        silent = [name for name, listed in of.items() if not listed]
        if silent:
            log.info("%s: nothing was found in %d of %d mixtures, as %s", kind, len(silent), len(of), min(silent))
