"""Make the challenge's submission package, or check one.

  s5lib package --name Suzuki_NTT_task4_1 --data_dir data/mini/test --infer_dir exp/mini/infer/test \\
      --scores exp/mini/RESULTS.jsonl --out exp/mini/submission
  s5lib package --check Suzuki_NTT_task4_1.zip
  s5lib package --check Suzuki_NTT_task4_1.zip --data_dir data/mini/test

The package is checked against every rule before it is moved into place.  --check lists all violations of any package,
without unpacking it to disk; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", metavar="NAME", help="AUTHOR_AFFILIATION_task4_N")
    parser.add_argument("--infer_dir", metavar="DIR", help="output of 's5lib infer' for the evaluation set")
    parser.add_argument(
        "--scores", metavar="FILE.jsonl", help="scores of 's5lib score' on the development set's test split"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for the package")
    parser.add_argument(
        "--data_dir",
        metavar="DIR",
        help="the evaluation set: a data directory, or a folder of soundscapes; gives names, lengths and labels "
        "(without it, --check knows the challenge's labels only)",
    )
    parser.add_argument("--check", metavar="FILE.zip", help="check this package")


def run(args: argparse.Namespace) -> int:
    from s5lib.submission import Rules, build_package, check_package

    making = {name: getattr(args, name) for name in ("name", "infer_dir", "scores", "out")}
    if args.check:
        if given := [f"--{name}" for name, value in making.items() if value is not None]:
            raise ConfigError(
                f"--check cannot be combined with {', '.join(given)}: give either --check, or what makes a package."
            )
        violations = check_package(Path(args.check), Rules.of(args.data_dir) if args.data_dir else Rules())
        for violation in violations:
            print(violation)
        print(f"{args.check}: {len(violations)} violations" if violations else f"{args.check}: no violation")
        return 1 if violations else 0
    making["data_dir"] = args.data_dir
    if missing := [f"--{name}" for name, value in making.items() if value is None]:
        raise ConfigError(f"{', '.join(missing)} is missing. To check a package: --check FILE.zip")
    path = build_package(args.name, Path(args.infer_dir), Path(args.scores), Path(args.out), Rules.of(args.data_dir))
    print(f"written and checked: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0
