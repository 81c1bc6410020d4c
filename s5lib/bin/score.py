"""Score a system's output: CA-PI-SDRi, label accuracies, PI-SDRi with oracle labels, and what doing nothing would give.

  s5lib score --data_dir data/mini/test --infer_dir exp/mini/infer/test --out exp/mini/RESULTS.md

Reads what 's5lib infer --data_dir' has written, prints the table, and writes it to --out, with the scores of each
recording beside it (.jsonl).
"""

from __future__ import annotations

from pathlib import Path


def add_arguments(parser):
    """Add the options of this command."""
    parser.add_argument("--data_dir", required=True, help="data directory with the references")
    parser.add_argument("--infer_dir", required=True, help="what 's5lib infer --data_dir' has written")
    parser.add_argument("--out", required=True, metavar="FILE.md", help="where the table is written")


def run(args):
    """Score what ``args`` name."""
    from s5lib.report.results import write_results
    from s5lib.report.scoring import score_recordings

    scores = list(score_recordings(Path(args.data_dir), Path(args.infer_dir)))
    print(write_results(scores, Path(args.out), f"Results on {Path(args.data_dir).name}"))
    print(f"written to {args.out}")
