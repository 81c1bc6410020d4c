"""Train a tagger, a separator or a joint model on scenes that are drawn on the fly.

  s5lib train tagger    --config conf/mini/tagger.yaml    --data_dir data/mini --expdir exp/mini/tagger
  s5lib train separator --config conf/mini/separator.yaml --data_dir data/mini --expdir exp/mini/separator
  s5lib train joint_model --config conf/mini/joint_model.yaml --data_dir data/mini --expdir exp/mini/joint_model

Any option can be set in the YAML file; the command line takes precedence.  The file's options of a component are
ignored if another component is chosen.  The same command resumes an interrupted run and leaves a finished
one alone.  's5lib plugins tagger m2d' lists a component's options.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from s5lib.bin.shared_options import add_shared, device, load_plugins
from s5lib.config.argument_types import positive_int, process_count, typed
from s5lib.config.command_line import assignments, component_options, joined_assignments
from s5lib.config.options import options_of
from s5lib.errors import ConfigError
from s5lib.training.run import LOGGERS
from s5lib.training.settings import TrainSettings

if TYPE_CHECKING:
    from s5lib.training.run import Run

DEFAULTS = {"tagger": "m2d", "separator": "resunetk", "joint_model": "resunet_joint"}
KINDS = tuple(DEFAULTS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="what to train")
    add_shared(parser, "config")
    parser.add_argument("--data_dir", required=True, help="output of 's5lib prepare'")
    parser.add_argument("--expdir", required=True, help="experiment folder, for the model, logs and checkpoints")
    for kind in KINDS:
        what = kind.replace("_", " ")
        parser.add_argument(f"--{kind}", default=DEFAULTS[kind], metavar="NAME", help=f"the {what} to train")
        parser.add_argument(
            f"--{kind}_conf", action="append", default=[], metavar="KEY=VALUE", help=f"an option of the {what}"
        )
    parser.add_argument(
        "--scenes_conf", action="append", default=[], metavar="KEY=VALUE", help="a setting for drawing scenes"
    )
    parser.add_argument(
        "--steps",
        action="append",
        default=[],
        metavar="NAME={KEY: VALUE}",
        help="a training step with its own options; each starts from the weights of the last",
    )
    parser.add_argument(
        "--init",
        metavar="FILE|NAME",
        help="checkpoint to initialise from; m2d: M2D's published weights, downloaded once",
    )
    add_shared(parser, "plugin")
    parser.add_argument("--estimate", action="store_true", help="only estimate the training time, by short trials")
    add_shared(
        parser,
        seed="seed of weights and scenes (default: 0)",
        ngpu="GPUs per machine; 0: train on the CPU (default: 0)",
    )
    parser.add_argument(
        "--num_processes",
        type=process_count,
        metavar="N",
        help="processes per machine that share each step's mixtures (default: one per GPU, or one on the CPU)",
    )
    parser.add_argument(
        "--num_nodes",
        type=positive_int,
        metavar="N",
        help="machines, each with a process per GPU, started by torchrun or srun (default: 1)",
    )
    parser.add_argument(
        "--logger",
        nargs="*",
        choices=LOGGERS,
        default=["tensorboard"],
        help="where losses and metrics go besides history.jsonl; wandb is an extra (default: tensorboard)",
    )
    group = parser.add_argument_group("training")
    for option in options_of(TrainSettings):
        names = [f"--{option.name}", *(["--nj"] if option.name == "num_workers" else [])]
        choices = get_args(option.annotation)  # of a Literal
        shown = ("true", "false") if option.annotation is bool else choices
        metavar = f"{{{','.join(shown)}}}" if shown else option.type.split(" ")[0].upper()
        text = f"{option.help} (default: {option.default})"
        convert: Callable[[str], Any] = str if choices else typed(option.annotation)
        group.add_argument(*names, type=convert, choices=choices or None, metavar=metavar, help=text)


def run(args: argparse.Namespace) -> None:
    from s5lib.models import keep_freed_memory
    from s5lib.training.fit import fit
    from s5lib.training.run import Run

    keep_freed_memory()  # of one step's tensors for the next step's
    load_plugins(args)
    device(args.ngpu)  # that there are so many GPUs is checked before data are read
    own = {option.name: getattr(args, option.name) for option in options_of(TrainSettings)}
    asked = Run(
        kind=args.kind,
        component=getattr(args, args.kind),
        data_dir=Path(args.data_dir),
        expdir=Path(args.expdir),
        component_options=component_options(
            getattr(args, f"{args.kind}_conf"), getattr(args, args.kind), args.kind, DEFAULTS[args.kind], args.config
        ),
        scene_options=joined_assignments(args, "scenes_conf"),
        train_options={name: value for name, value in own.items() if value is not None},
        steps=_steps(args),
        init=_initial_weights(args.init),
        seed=args.seed,
        ngpu=args.ngpu,
        num_processes=args.num_processes,
        num_nodes=args.num_nodes,
        loggers=tuple(args.logger),
    )
    if args.estimate:
        _print_duration(asked)
    else:
        fit(asked)


def _print_duration(asked: Run) -> None:
    from humanfriendly import format_timespan

    from s5lib.training.estimate import estimate_seconds
    from s5lib.training.run import settings_of

    steps = ", ".join(f"{step.max_steps} steps of {name}" for name, step in settings_of(asked).items())
    own = logging.getLogger("s5lib")
    level = own.level
    own.setLevel(logging.WARNING)  # the trials' own lines are of no interest
    try:
        seconds = round(sum(estimate_seconds(asked).values()), 1)
    finally:
        own.setLevel(level)
    print(f"about {format_timespan(round(seconds))} ({steps}; measured on this machine): {seconds} s")


def _steps(args: argparse.Namespace) -> dict[str, Any]:
    steps = assignments(args, "steps")
    for name, options in steps.items():
        if not isinstance(options, dict):
            raise ConfigError(f"--steps: step {name!r} is {options!r}; expected its options, as {{max_steps: 100}}.")
    return steps


def _initial_weights(choice: str | None) -> Path | None:
    from s5lib.models.named import WEIGHTS, fetch_weights

    if choice is None:
        return None
    return fetch_weights(choice) if choice in WEIGHTS and not Path(choice).exists() else Path(choice)
