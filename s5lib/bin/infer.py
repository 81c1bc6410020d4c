"""Separate recordings into labelled sources.

  s5lib infer party.wav
  s5lib infer party.wav --models dcase26-baseline --out separated
  s5lib infer party.wav --tagger exp/mini/tagger/model.safetensors --separator exp/mini/separator/model.safetensors
  s5lib infer party.wav --labels Speech,Speech --separator exp/mini/separator/model.safetensors
  s5lib infer party.wav --joint_model exp/mini/joint_model/model.safetensors --remainder --format flac
  s5lib infer --data_dir data/mini/test --labels predicted oracle --tagger ... --separator ... --out exp/mini/infer/test

Recordings may have any length and rate, and any format that libsndfile or (if installed) ffmpeg reads.  Sources are
written to OUT/NAME_I_LABEL.wav and described in OUT/NAME.json: label, probability, activity, level, models, settings.
With --data_dir, OUT has a folder for each kind of labels.  Finished recordings are skipped.

--system iterative tags and separates repeatedly, and filters the sources spatially.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from s5lib.bin.shared_options import add_shared, device, load_plugins
from s5lib.config.argument_types import channel_list, channel_order, label_list, positive_int, probability, seconds
from s5lib.errors import ConfigError
from s5lib.parallel import available_cores, import_early


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="*", metavar="FILE", help="recordings, or folders of them")
    parser.add_argument("--data_dir", help="test set whose recordings are the input: a data directory, or a folder")
    parser.add_argument(
        "--models",
        metavar="NAME|FOLDER",
        help="published models, downloaded once (dcase26-baseline, dcase26-baseline-1c), or a folder of experiments, "
        "such as exp/mini (for FILEs without any model: the newest folder in exp, else dcase26-baseline)",
    )
    parser.add_argument("--tagger", metavar="FILE", help="checkpoint of the tagger; not needed if labels are given")
    parser.add_argument("--separator", metavar="FILE", help="checkpoint of the separator")
    parser.add_argument("--joint_model", metavar="FILE", help="checkpoint of a joint model, instead of both")
    parser.add_argument(
        "--system",
        choices=("tag_separate", "iterative", "joint"),
        help="(default: joint with a joint model, otherwise tag_separate)",
    )
    parser.add_argument(
        "--rounds", type=positive_int, metavar="N", help="most rounds of --system iterative (default: 2)"
    )
    parser.add_argument(
        "--spatial_filter",
        action="store_true",
        help="refine the sources by filters that keep their directions and cancel others; for sources that do not move",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        type=label_list,
        default=["predicted"],
        metavar="LABELS",
        help="'predicted' (default), 'oracle' as the data directory has them, or LABEL,LABEL,...",
    )
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="least probability of a source, 0 to 1 (default: likelier than silence)",
    )
    parser.add_argument("--out", help="folder for the sources (default with FILEs: separated)")
    parser.add_argument(
        "--format",
        default="float",
        choices=("float", "pcm24", "flac", "mp3"),
        help="float: 32-bit WAV (default); pcm24 or flac: 24 bits, attenuated if they would clip; mp3: smaller",
    )
    parser.add_argument(
        "--sample_rate",
        choices=("own", "model"),
        help="rate of the sources: each recording's own (default with FILEs), or the models' (default with --data_dir)",
    )
    parser.add_argument(
        "--remainder",
        action="store_true",
        help="also write OUT/NAME_remainder.wav: the first channel minus the sources",
    )
    parser.add_argument(
        "--channels",
        type=channel_list,
        default="all",
        metavar="N,N,...|mean",
        help="channels of FILEs to take, counted from 0, or the mean of all (default: all)",
    )
    parser.add_argument(
        "--channel_order",
        type=channel_order,
        default="WYZX",
        choices=("WYZX", "WXYZ"),
        help="channel order of Ambisonics FILEs; also ACN (WYZX, the default) and FuMa (WXYZ)",
    )
    parser.add_argument(
        "--normalisation",
        type=str.lower,
        default="sn3d",
        choices=("sn3d", "n3d", "fuma"),
        help="normalisation of Ambisonics FILEs (default: sn3d)",
    )
    add_shared(parser, "plugin", "ngpu", nj="processes, on the CPU (default: as many as cores and memory allow)")
    parser.set_defaults(nj=None)
    parser.add_argument("--dask", metavar="ADDRESS", help="Dask scheduler to use instead of processes (extra 'dask')")
    parser.add_argument(
        "--window",
        type=seconds,
        metavar="SECONDS",
        help="length of the overlapping windows in which long recordings are processed (default: that of the models'"
        " training scenes; with --data_dir at least 10)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        choices=("float32", "bfloat16"),
        help="precision of the networks (default: float32)",
    )
    parser.add_argument(
        "--calibration",
        default="auto",
        metavar="none|FILE",
        help="calibration of the tagger's decisions (default: the one next to the tagger, if any)",
    )
    parser.add_argument("--compiled", action="store_true", help="compile the networks first, with torch.compile")


def run(args: argparse.Namespace) -> None:
    if bool(args.inputs) == bool(args.data_dir):
        raise ConfigError("give either recordings (FILE ...) or --data_dir.")
    if args.rounds and args.system != "iterative":
        raise ConfigError("--rounds applies to --system iterative alone: give that, too, or leave --rounds out.")
    is_many = args.data_dir or len(args.inputs) > 1 or Path(args.inputs[0]).is_dir()
    if is_many and not args.ngpu and not args.dask and (args.nj or available_cores()) > 1:
        import_early("s5lib.systems.workers")

    from s5lib.audio import ChannelLayout
    from s5lib.systems.inference import infer_data_directory, infer_files

    load_plugins(args)
    names = (
        "tagger",
        "separator",
        "joint_model",
        "system",
        "spatial_filter",
        "precision",
        "compiled",
        "calibration",
    )
    system = {name: getattr(args, name) for name in names}
    system["rounds"] = args.rounds or 2
    system |= _chosen_models(args)
    compute = device(args.ngpu)
    how = {name: getattr(args, name) for name in ("format", "sample_rate", "remainder", "threshold", "dask")}
    how |= {"window_seconds": args.window, "plugins": args.plugin}
    layout = ChannelLayout(None, args.channels, args.channel_order, args.normalisation)
    if args.data_dir:
        if layout != ChannelLayout():
            raise ConfigError("--channels, --channel_order and --normalisation apply to FILEs, not to a --data_dir.")
        if args.out is None:
            raise ConfigError("--data_dir needs --out, a folder for its sources such as exp/infer/test.")
        infer_data_directory(Path(args.data_dir), Path(args.out), args.labels, system, compute, args.nj, **how)
        return
    if len(args.labels) != 1 or args.labels[0] == "oracle":
        raise ConfigError("for recordings, --labels is 'predicted' or LABEL,LABEL,...; 'oracle' needs a --data_dir.")
    labels = None if args.labels == ["predicted"] else args.labels[0].split(",")
    infer_files(args.inputs, Path(args.out or "separated"), labels, system, compute, args.nj, layout, **how)


def _chosen_models(args: argparse.Namespace) -> dict[str, Path]:
    """Return the checkpoints that --models stands for, or for FILEs without any model the default ones."""
    from s5lib.systems.model_choice import default_models, find_models

    given = [f"--{name}" for name in ("tagger", "separator", "joint_model") if getattr(args, name) is not None]
    if args.models and given:
        raise ConfigError(f"--models stands for all models: leave out {' and '.join(given)}, or --models.")
    if args.models:
        return find_models(args.models)
    return {} if given or args.data_dir else default_models()
