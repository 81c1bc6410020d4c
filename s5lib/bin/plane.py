"""Combine the scores of many systems into the plane of accuracy against separation, coloured by CA-PI-SDRi.

  s5lib plane --out plane.md \\
    --system tagger_100 separator_50 exp/p/RESULTS_100_50.jsonl exp/p/RESULTS_50.jsonl --system ...

Give --system once per system: names of tagger and separator, the system's scores with predicted labels, the
separator's with oracle labels, from 's5lib score'.  Reports how well CA-PI-SDRi follows either axis while the other is
fixed, and writes --out and a picture next to it (.png).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.bin.shared_options import with_picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--system",
        nargs=4,
        action="append",
        required=True,
        metavar=("TAGGER", "SEPARATOR", "PREDICTED.jsonl", "ORACLE.jsonl"),
        help="a system",
    )
    parser.add_argument("--out", required=True, metavar="FILE.md", help="file for the tables")


def run(args: argparse.Namespace) -> None:
    from s5lib.evaluation.accuracy_vs_sdr import metric_planes, plane_table
    from s5lib.evaluation.pictures import draw_plane
    from s5lib.provenance import require_replaceable, write_text

    out, picture = with_picture(args.out)
    require_replaceable({out: b"# ", picture: b"Matplotlib"}, [path for system in args.system for path in system[2:]])
    planes = metric_planes([(tagger, separator, Path(a), Path(b)) for tagger, separator, a, b in args.system])
    table = plane_table(planes)
    draw_plane(planes, picture)
    write_text(out, f"# CA-PI-SDRi of {len(args.system)} systems\n\n{table}")
    print(f"{table}\nwritten to {out} and {picture}")
