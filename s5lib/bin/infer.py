"""Run a system on recordings: which sources are there, and what does each sound like alone?

  s5lib infer party.wav --tagger exp/mini/tagger/model.safetensors --separator exp/mini/separator/model.safetensors \\
      --out separated
  s5lib infer party.wav --labels Speech,Speech --separator exp/mini/separator/model.safetensors --out separated
  s5lib infer --data_dir data/mini/test --labels predicted oracle --tagger ... --separator ... --out exp/mini/infer/test

Each source is written as OUT/NAME_I_LABEL.wav and listed, with the tagger's probability, in OUT/NAME.json.  With
--data_dir, OUT gets a folder for each kind of labels.  Recordings that are finished already are not done again.
"""

from __future__ import annotations

from pathlib import Path

from s5lib.errors import ConfigError


def add_arguments(parser):
    """Add the options of this command."""
    parser.add_argument("inputs", nargs="*", metavar="FILE", help="recordings, or folders of them")
    parser.add_argument("--data_dir", help="data directory whose recordings are the input")
    parser.add_argument("--tagger", metavar="FILE", help="checkpoint of the tagger; not needed where labels are given")
    parser.add_argument("--separator", metavar="FILE", required=True, help="checkpoint of the separator")
    parser.add_argument(
        "--labels", nargs="+", default=["predicted"], metavar="LABELS",
        help="'predicted' by the tagger (default), 'oracle' as the data directory has them, or LABEL,LABEL,...",
    )
    parser.add_argument("--out", required=True, help="folder for the sources")
    parser.add_argument(
        "--channel_order", default="WYZX", choices=("WYZX", "WXYZ"), help="of Ambisonics recordings given as FILE"
    )
    parser.add_argument("--plugin", action="append", default=[], metavar="MODULE|FILE", help="plugin to load")
    parser.add_argument("--ngpu", type=int, default=0, help="0: run on the CPU; 1: on the GPU")
    parser.add_argument("--nj", type=int, default=1, help="processes, on the CPU")


def run(args):
    """Infer what ``args`` ask for."""
    from s5lib.plugins import register_plugin
    from s5lib.systems.inference import infer_data_directory, infer_files

    if bool(args.inputs) == bool(args.data_dir):
        raise ConfigError("give either recordings (FILE ...) or --data_dir, one of the two.")
    for plugin in args.plugin:
        register_plugin(plugin)
    checkpoints = {"tagger": args.tagger, "separator": args.separator}
    device = "cuda" if args.ngpu else "cpu"
    if args.data_dir:
        infer_data_directory(Path(args.data_dir), Path(args.out), args.labels, checkpoints, device, args.nj)
        return
    if len(args.labels) != 1 or args.labels[0] == "oracle":
        raise ConfigError("--labels of recordings is 'predicted' or LABEL,LABEL,...; 'oracle' needs a --data_dir.")
    labels = None if args.labels == ["predicted"] else [label for label in args.labels[0].split(",") if label]
    infer_files(args.inputs, Path(args.out), labels, checkpoints, device, args.nj, args.channel_order)
