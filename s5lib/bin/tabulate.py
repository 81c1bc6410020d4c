"""Put the scores of several runs into one table and one picture: means over seeds, their spread, the differences.

  s5lib tabulate ca_pi=exp/a/RESULTS.jsonl ca_pi=exp/b/RESULTS.jsonl ca=exp/c/RESULTS.jsonl ca=exp/d/RESULTS.jsonl \\
      --figures pi_sdri --out losses.md

NAME=FILE.jsonl: the scores of one run, from 's5lib score'; runs with one name differ in their seed.  Writes --out and a
picture next to it (.png).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.bin.shared_options import with_picture
from s5lib.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="NAME=FILE.jsonl", help="a run's scores")
    parser.add_argument(
        "--figures",
        nargs="+",
        default=[],
        metavar="FIGURE",
        help="pi_sdri and oracle_ca_pi_sdri, with oracle labels; ca_pi_sdri, source_accuracy and mixture_accuracy "
        "(default: those of these that a run has); ca_sdri and predicted_pi_sdri; mixture_floor, divided_floor, "
        "best_gain_floor, silence_floor",
    )
    parser.add_argument("--title", default="Runs side by side", help="title of the table")
    parser.add_argument("--note", help="a sentence below the table")
    parser.add_argument("--out", required=True, metavar="FILE.md", help="file for the table")


def run(args: argparse.Namespace) -> None:
    from s5lib.evaluation.pictures import draw_comparison
    from s5lib.evaluation.results import options_note
    from s5lib.evaluation.runs import compare_runs, read_runs, scored_with
    from s5lib.provenance import require_replaceable, write_text

    files: dict[str, list[Path]] = {}
    for word in args.runs:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise ConfigError(f"{word!r} is not NAME=FILE.jsonl, such as ca_pi=exp/mini/RESULTS.jsonl.")
        files.setdefault(name, []).append(Path(path))
    out, picture = with_picture(args.out)
    require_replaceable({out: b"# ", picture: b"Matplotlib"}, [path for paths in files.values() for path in paths])
    runs = read_runs(files)
    comparisons = compare_runs(runs, args.figures)
    table = "\n".join(comparison.table() for comparison in comparisons)
    note = "".join(f"\n{text}\n" for text in (args.note, options_note(scored_with(runs))) if text)
    draw_comparison(comparisons, picture)
    write_text(out, f"# {args.title}\n\n{table}{note}")
    print(f"{table}\nwritten to {out} and {picture}")
