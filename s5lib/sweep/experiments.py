"""The runs of each experiment, as generators of phases: the runs of a phase are independent of each other.

The last phase tabulates, into ``EXPDIR/RESULTS.md``.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Sequence
from pathlib import Path

from s5lib.errors import ConfigError
from s5lib.sweep.runs import Common, SweepRun

__all__ = ["losses", "plane", "systems", "taggers"]

Phases = Iterator[list[SweepRun]]
MODEL = "model.safetensors"
LEAST_POINTS = 3
"""Of :func:`plane`."""
ITERATIVE = ["--system", "iterative", "--rounds", "2"]


def losses(
    common: Common, seeds: Sequence[int], config: Path, separator_conf: Sequence[str], aligners: Sequence[str]
) -> Phases:
    """Fig. 4: the separator trained with losses that differ in the aligner alone."""
    conf = [word for pair in separator_conf for word in ("--separator_conf", pair)]
    runs = []
    for seed in seeds:
        for aligner in aligners:
            folder = common.expdir / aligner / f"seed{seed}"
            model = folder / f"separator_{aligner}"
            train = common.train("separator", config, model, seed, *conf, "--aligner", aligner)
            labels = ["--separator", str(model / MODEL), "--labels", "oracle"]
            runs.append(SweepRun(aligner, folder, [train, *common.evaluate(folder, f"_{aligner}", *labels)]))
    yield runs
    spread = "mean ± standard deviation, and differences seed by seed"
    yield _table(common, "Three losses", runs, "pi_sdri oracle_ca_pi_sdri", f"{_seeds(seeds)}; of several, {spread}.")


def taggers(common: Common, seeds: Sequence[int], config: Path, separator: Path, channels: Sequence[int]) -> Phases:
    """Table 1: taggers that listen to different numbers of channels, with one separator for all."""
    runs = []
    for seed in seeds:
        for number in channels:
            folder = common.expdir / f"channels{number}" / f"seed{seed}"
            train = common.train("tagger", config, folder / "tagger", seed, "--tagger_conf", f"input_channels={number}")
            evaluate = common.evaluate(folder, "", *_models(folder / "tagger" / MODEL, separator))
            runs.append(SweepRun("1 channel" if number == 1 else f"{number} channels", folder, [train, *evaluate]))
    yield runs
    note = f"{_seeds(seeds)}; of several, mean ± standard deviation. One separator for all."
    yield _table(common, "Taggers", runs, "source_accuracy mixture_accuracy ca_pi_sdri", note)


def systems(
    common: Common,
    seeds: Sequence[int],
    taggers: Sequence[Path],
    separators: Sequence[Path],
    resunet_config: Path,
    joint_model_config: Path,
) -> Phases:
    """The systems that the paper compares with or points to, beside its own; each seed has its tagger and separator."""
    runs = []
    for seed, tagger, separator in zip(seeds, taggers, separators, strict=True):
        once, filtered, iterative, single, joint = (
            common.expdir / n / f"seed{seed}" for n in ("once", "filtered", "iterative", "single", "joint")
        )
        resunet, joint_model = single / "separator_resunet", joint / "joint_model"
        asked, asked_singly = (_models(tagger, model, "oracle") for model in (separator, resunet / MODEL))
        train_resunet = common.train("separator", resunet_config, resunet, seed, "--separator", "resunet")
        train_joint = common.train("joint_model", joint_model_config, joint_model, seed)
        from_joint = ["--joint_model", str(joint_model / MODEL), "--labels", "predicted"]
        singly, jointly = (
            common.evaluate(single, "_resunet", *asked_singly),
            common.evaluate(joint, "_joint", *from_joint),
        )
        evaluate_filtered = common.evaluate(filtered, "_spatial_filter", *asked, "--spatial_filter")
        runs += [
            SweepRun("tag, separate", once, common.evaluate(once, "", *asked)),
            SweepRun("tag, separate, filter spatially", filtered, evaluate_filtered),
            SweepRun("tag, separate, repeat", iterative, common.evaluate(iterative, "_iterative", *asked, *ITERATIVE)),
            SweepRun("tag, separate by one label at a time", single, [train_resunet, *singly]),
            SweepRun("joint model", joint, [train_joint, *jointly]),
        ]
    yield runs
    yield _table(common, "Systems", runs)


def plane(common: Common, seed: int, tagger_config: Path, separator_config: Path, points: int) -> Phases:
    """Fig. 5: each of the models that a tagger's and a separator's training keep on the way, combined with each.

    The second phase is empty until the first is done, as its models are not known earlier.

    Raises:
        ConfigError: a training has kept another number of models, in an earlier sweep for one.
    """
    trained = {"tagger": common.expdir / "tagger/tagger", "separator": common.expdir / "separator/separator"}
    for folder in trained.values():
        _kept_models(folder, points)  # of an earlier sweep: before anything is trained
    yield [
        SweepRun(kind, folder.parent, [common.train(kind, config, folder, seed, "--keep_models", str(points))])
        for (kind, folder), config in zip(trained.items(), (tagger_config, separator_config), strict=True)
    ]
    kept = {kind: _kept_models(folder, points) for kind, folder in trained.items()}
    runs, words = [], []
    for separator in kept["separator"]:
        folder = common.expdir / "oracle" / separator.name
        labels = ["--separator", str(separator), "--labels", "oracle"]
        oracle = SweepRun(f"separator of {_step(separator)}", folder, common.evaluate(folder, "", *labels))
        runs.append(oracle)
        for tagger in kept["tagger"]:
            folder = common.expdir / "systems" / tagger.name / separator.name
            name = f"tagger of {_step(tagger)}, separator of {_step(separator)}"
            runs.append(SweepRun(name, folder, common.evaluate(folder, "", *_models(tagger, separator))))
            words += ["--system", _step(tagger), _step(separator), runs[-1].results, oracle.results]
    yield runs
    yield [SweepRun("plane", common.expdir, [["plane", *words, "--out", str(common.expdir / "RESULTS.md")]])]


def _models(tagger: Path, separator: Path, *more_labels: str) -> list[str]:
    return ["--tagger", str(tagger), "--separator", str(separator), "--labels", "predicted", *more_labels]


def _table(common: Common, title: str, runs: list[SweepRun], figures: str = "", note: str = "") -> list[SweepRun]:
    words = [f"{run.name}={run.results}" for run in runs]
    words += ["--figures", *figures.split()] if figures else []
    words += ["--note", note] if note else []
    out = ["--title", f"{title}, {common.corpus}", "--out", str(common.expdir / "RESULTS.md")]
    return [SweepRun("table", common.expdir, [["tabulate", *words, *out]])]


def _seeds(seeds: Sequence[int]) -> str:
    return f"Seeds: {' '.join(map(str, seeds))}"


def _kept_models(folder: Path, points: int) -> list[Path]:
    """Return what the last step of a training kept: the step whose model is the final one; nothing before its end."""
    for model in sorted(folder.glob(f"*/{MODEL}")) if (folder / MODEL).exists() else []:
        if filecmp.cmp(model, folder / MODEL, shallow=False):
            kept = sorted(model.parent.glob("steps/step_*.safetensors"))
            if len(kept) != points:
                these = f"--points {len(kept)} or " if len(kept) >= LEAST_POINTS else ""
                raise ConfigError(
                    f"{folder} is trained and has kept {len(kept)} models on the way, --points asks for {points}. "
                    f"Choose {these}another --expdir, or delete that folder to train again."
                )
            return kept
    return []


def _step(model: Path) -> str:
    return f"step {int(model.stem.rpartition('_')[2])}"
