"""Run one of the paper's experiments: train and score many variants, several at a time, and tabulate them.

  s5lib sweep losses    --recipe egs/dcase26_s5      # Fig. 4: the losses ca_pi, ca and pi
  s5lib sweep taggers   --recipe egs/dcase26_s5      # Table 1: one channel and four
  s5lib sweep plane     --recipe egs/dcase26_s5      # Fig. 5: many systems by accuracy and separation
  s5lib sweep systems   --recipe egs/dcase26_s5      # single pass, filtered, iterative, one label at a time, joint

's5lib sweep EXPERIMENT --help' lists an experiment's options.  The training time is estimated by trials first.  The
same command resumes a sweep.  If a run fails, the others continue; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from humanfriendly import format_timespan

from s5lib.config.argument_types import assignment, count, file_name, integer, positive_int, process_count, seed
from s5lib.config.options import fill, options_of
from s5lib.errors import ConfigError
from s5lib.sweep import experiments
from s5lib.sweep.execute import execute, signals_end, training_seconds
from s5lib.sweep.recipe import Recipe, visible_gpu
from s5lib.sweep.runs import Command, Common, SweepRun, as_typed
from s5lib.training.settings import TrainSettings

log = logging.getLogger(__name__)

OWN_OPTIONS = {"losses": {"aligner": "--aligners"}, "plane": {"keep_models": "--points"}}
"""The training options that an experiment sets itself, and the option of the sweep that says to what."""


class _Distinct(argparse.Action):
    """Refuses a value that is given twice: its runs would share a folder, and count twice in the table."""

    def __call__(self, parser, namespace, values, option_string=None):
        for value in values:
            if values.count(value) > 1:
                raise argparse.ArgumentError(self, f"{value} is given twice; each is one run")
        setattr(namespace, self.dest, values)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="experiment", required=True, metavar="EXPERIMENT")
    losses = commands.add_parser("losses", help="the separator with several losses (Fig. 4)")
    taggers = commands.add_parser("taggers", help="the tagger with one channel and with four (Table 1)")
    plane = commands.add_parser("plane", help="many systems by accuracy, separation and CA-PI-SDRi (Fig. 5)")
    systems = commands.add_parser("systems", help="single pass, filtered, iterative, one label at a time, joint")
    names = ["ca_pi", "ca", "pi"]
    losses.add_argument(
        "--aligners", nargs="+", action=_Distinct, default=names, metavar="NAME", help="to compare (ca_pi ca pi)"
    )
    _add_assignments(losses, "separator_conf", "options of the separator: slot_order=given")
    taggers.add_argument(
        "--channels",
        nargs="+",
        action=_Distinct,
        type=positive_int,
        default=[1, 4],
        metavar="N",
        help="of the tagger's input (1 4)",
    )
    plane.add_argument(
        "--points",
        type=integer(experiments.LEAST_POINTS),
        default=5,
        metavar="N",
        help="models kept of each training (5)",
    )
    for command, kinds in (
        (losses, ["separator"]),
        (taggers, ["tagger"]),
        (plane, ["tagger", "separator"]),
        (systems, ["resunet", "joint_model"]),
    ):
        for kind in kinds:
            command.add_argument(f"--{kind}_config", type=Path, metavar="YAML", help=f"(conf/CORPUS/{kind}.yaml)")
    trained = "a trained {0}{1} (exp/CORPUS/{0}/model.safetensors)"
    taggers.add_argument("--separator_model", type=Path, metavar="FILE", help=trained.format("separator", ""))
    for kind in ("tagger", "separator"):
        text = trained.format(kind, ", or one for each seed")
        systems.add_argument(f"--{kind}_model", nargs="+", type=Path, metavar="FILE", help=text)
    for name, command in commands.choices.items():
        command.description = "Defaults are in brackets; default paths are below --recipe."
        _add_common_arguments(command, name)


def _add_common_arguments(parser: argparse.ArgumentParser, experiment: str) -> None:
    seeds = [0, 1, 2] if experiment == "losses" else [0]
    number = 1 if experiment == "plane" else "+"
    parser.add_argument("--recipe", type=Path, default=Path(), metavar="DIR", help="the recipe's folder (.)")
    parser.add_argument("--corpus", type=file_name, default="mini", metavar="NAME", help="(mini)")
    parser.add_argument("--data_root", metavar="DIR", help="holds the corpus's dev_set (as db.sh says)")
    parser.add_argument("--data_config", type=Path, metavar="YAML", help="of 's5lib prepare' (conf/CORPUS/data.yaml)")
    parser.add_argument("--datadir", type=Path, metavar="DIR", help="data directories (data/CORPUS)")
    parser.add_argument("--dumpdir", type=Path, metavar="DIR", help="rendered audio (dump/CORPUS)")
    parser.add_argument("--expdir", type=Path, metavar="DIR", help=f"holds all runs (exp/CORPUS/{experiment})")
    shown = " ".join(map(str, seeds))
    parser.add_argument(
        "--seeds", nargs=number, action=_Distinct, type=seed, default=seeds, metavar="N", help=f"({shown})"
    )
    _add_assignments(parser, "train_conf", "training options instead of the configuration's: max_steps=500")
    _add_assignments(parser, "scenes_conf", "how training scenes are drawn: rotate=false")
    parser.add_argument(
        "--jobs", type=process_count, metavar="N", help="runs at a time (with GPUs 1, else 1 per core, <= 4)"
    )
    parser.add_argument("--ngpu", type=count, metavar="N", help="GPUs of each run (1 if there is a GPU, else 0)")
    parser.add_argument("--dry_run", action="store_true", help="print the commands, run nothing")


def _add_assignments(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    parser.add_argument(
        f"--{name}", nargs="+", action="extend", type=assignment, default=[], metavar="KEY=VALUE", help=text
    )


def run(args: argparse.Namespace) -> None:
    cores = len(os.sched_getaffinity(0))
    ngpu = visible_gpu() if args.ngpu is None else args.ngpu
    jobs = args.jobs or (1 if ngpu else min(4, cores))
    threads = max(1, cores // jobs)  # a run on a core of its own is as fast as one that shares two
    recipe = Recipe(args.recipe, args.corpus)
    common = Common(
        corpus=args.corpus,
        data_dir=args.datadir or args.recipe / "data" / args.corpus,
        expdir=args.expdir or args.recipe / "exp" / args.corpus / args.experiment,
        ngpu=ngpu,
        nj=threads,
        train_options=_train_options(args),
    )
    data = SweepRun("data", common.expdir / "data", [_prepare(args, recipe, common, cores)])
    phases = _phases(args, recipe, common)
    if args.dry_run:
        _print_commands([[data], *phases])
        return
    with signals_end():
        launchers = recipe.launchers(ngpu, threads)
        execute([data], 1, cores, launchers)
        for runs in phases:
            if seconds := training_seconds(runs, threads):
                side_by_side = min(jobs, len(runs))
                duration = format_timespan(round(seconds / side_by_side), max_units=2)
                log.info("%d runs, %d at a time: training takes about %s in all", len(runs), side_by_side, duration)
            execute(runs, jobs, threads, launchers)
    print((common.expdir / "RESULTS.md").read_text(encoding="utf-8"))


def _train_options(args: argparse.Namespace) -> list[str]:
    """Return ``--train_conf`` and ``--scenes_conf`` as options of `s5lib train`, which override those before them.

    Raises:
        ConfigError: one is no such option, is the experiment's own, or has a value that it cannot have.
    """
    from s5lib.scenes import DrawSettings

    given, scenes = (dict(pair.split("=", 1) for pair in pairs) for pairs in (args.train_conf, args.scenes_conf))
    for name, option in {"seed": "--seeds", **OWN_OPTIONS.get(args.experiment, {})}.items():
        if name in given:
            raise ConfigError(f"--train_conf cannot set {name!r}, which the experiment does: use {option}.")
    TrainSettings(**fill(given, options_of(TrainSettings), "--train_conf"))  # now, not in each run
    fill(scenes, options_of(DrawSettings), "--scenes_conf")
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return words + [word for name, value in scenes.items() for word in ("--scenes_conf", f"{name}={value}")]


def _prepare(args: argparse.Namespace, recipe: Recipe, common: Common, cores: int) -> Command:
    data_root = args.data_root or recipe.data_root()
    own = args.recipe / f"conf/{args.corpus}/data.yaml"
    config = args.data_config or (own if own.is_file() else None)
    command = ["prepare", "--corpus", args.corpus]
    command += ["--config", str(config)] if config else []
    command += ["--data_root", data_root] if data_root else []
    dump = args.dumpdir or args.recipe / "dump" / args.corpus
    return [*command, "--data_dir", str(common.data_dir), "--dump_dir", str(dump), "--nj", str(cores), "--seed", "0"]


def _phases(args: argparse.Namespace, recipe: Recipe, common: Common) -> experiments.Phases:
    def config(kind: str) -> Path:
        return recipe.config(kind, getattr(args, f"{kind}_config"))

    def model(kind: str, given: Path | None) -> Path:
        file = recipe.model(kind, given)
        if not (args.dry_run or file.is_file()):
            raise ConfigError(f"there is no trained {kind} {file}. Train one with run.sh, or give --{kind}_model FILE.")
        return file

    def model_of_each_seed(kind: str) -> list[Path]:
        files = [model(kind, given) for given in getattr(args, f"{kind}_model") or [None]]
        if len(files) not in (1, len(args.seeds)):
            raise ConfigError(
                f"--{kind}_model names {len(files)} files; expected one, or one for each seed ({len(args.seeds)})."
            )
        return files if len(files) > 1 else files * len(args.seeds)

    if args.experiment == "losses":
        return experiments.losses(common, args.seeds, config("separator"), args.separator_conf, args.aligners)
    if args.experiment == "taggers":
        return experiments.taggers(
            common, args.seeds, config("tagger"), model("separator", args.separator_model), args.channels
        )
    if args.experiment == "plane":
        return experiments.plane(common, args.seeds[0], config("tagger"), config("separator"), args.points)
    models = model_of_each_seed("tagger"), model_of_each_seed("separator")
    return experiments.systems(common, args.seeds, *models, config("resunet"), config("joint_model"))


def _print_commands(phases: Iterable[Sequence[SweepRun]]) -> None:
    for runs in phases:
        if not runs:
            print("# then each tagger with each separator: s5lib infer, s5lib score; s5lib plane")
            return
        for one in runs:
            print(f"# {one.name}", *map(as_typed, one.commands), sep="\n")
