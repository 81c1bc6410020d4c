"""Write a set of drawn scenes: mixtures, dry references and metadata.

  s5lib synth --data_root corpora/dcase26 --split valid --out dump/paper_test --num_scenes 3000 --nj 8

OUT gets soundscape/NAME.wav, oracle_target/NAME_I_LABEL.wav and metadata/NAME.json, the layout of the DCASE sets.
A call that was interrupted goes on where it stopped; the files are the same whatever the number of processes.
"""

from __future__ import annotations


def add_arguments(parser):
    """Add the options of this command."""
    parser.add_argument("--config", is_config_file=True, metavar="YAML", help="file with options")
    parser.add_argument("--data_root", required=True, help="folder that holds the corpus: dev_set/ or its content")
    parser.add_argument("--split", default="test", help="what to draw from: a folder name below sound_event")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--num_scenes", type=int, required=True, help="scenes in the preset's proportions")
    parser.add_argument("--zero_target", type=int, default=0, help="scenes without a target, in addition")
    parser.add_argument("--preset", default="paper", help="paper, dcase2026 or dcase2025")
    parser.add_argument(
        "--draw_conf",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="settings in place of the preset's, as duration=5 target_snr=[0,10]; see s5lib.scenes.DrawSettings",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other scenes")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    parser.add_argument("--dask", metavar="ADDRESS", help="Dask scheduler to use in place of processes (extra 'dask')")


def run(args):
    """Write the scenes that ``args`` ask for."""
    from functools import partial

    from tqdm import tqdm

    from s5lib.config.command_line import parse_assignments
    from s5lib.config.options import fill, options_of
    from s5lib.errors import ConfigError
    from s5lib.scenes import DrawSettings, synthesize

    try:
        assignments = parse_assignments(args.draw_conf)
    except ValueError as error:
        raise ConfigError(f"--draw_conf: {error}") from error
    changes = fill(assignments, options_of(DrawSettings), "--draw_conf")
    out = synthesize(
        args.data_root,
        args.split,
        args.out,
        args.num_scenes,
        zero_target=args.zero_target,
        seed=args.seed,
        preset=args.preset,
        settings=DrawSettings.preset(args.preset, **changes),
        nj=args.nj,
        dask=args.dask,
        progress=partial(tqdm, unit="scene", disable=None),
    )
    print(f"{args.num_scenes + args.zero_target} scenes in {out}")
