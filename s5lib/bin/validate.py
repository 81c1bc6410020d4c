"""Check a data directory: its tables, and every recording they name.

  s5lib validate data/test
  s5lib validate data/test --fix

--fix sorts lines, drops repeated ones and unusable recordings, and rewrites lengths; the original files are kept in
DIR/.backup, then DIR/.backup.2 and so on.  Exit status 0: no problems, or all fixed; 1: problems.
"""

from __future__ import annotations

import argparse

from s5lib.bin.shared_options import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", metavar="DIR", help="data directory: wav.scp, labels, src1.scp, ..., utt2num_samples")
    parser.add_argument("--fix", action="store_true", help="fix what can be fixed without guessing")
    parser.add_argument("--headers_only", action="store_true", help="do not decode the recordings; faster, finds less")
    parser.add_argument("--data_root", help="corpus whose class labels are allowed")


def run(args: argparse.Namespace) -> int:
    from s5lib.data.validate import fix_data_directory, validate_data_directory
    from s5lib.scenes.corpus import class_labels, find_root

    classes = class_labels(find_root(args.data_root)) if args.data_root else None
    if args.fix:
        changes = fix_data_directory(args.dir, classes)
        print("\n".join(f"{args.dir}: {change}" for change in changes) or f"{args.dir}: nothing to fix")
        return 0
    findings = validate_data_directory(args.dir, classes, not args.headers_only, progress_bar("recording"))
    print("\n".join(finding.message for finding in findings) or f"{args.dir}: all is well")
    return 1 if findings else 0
