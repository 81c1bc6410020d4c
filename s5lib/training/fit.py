"""From options to a trained model: the one entry for all kinds of model."""

from __future__ import annotations

import contextlib
import logging
import shutil
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import lightning

from s5lib.data import CorpusDescription, DrawnScenes, RecordedScenes
from s5lib.durable import remove, replacing
from s5lib.errors import ConfigError
from s5lib.models import load_weights, save_checkpoint
from s5lib.plugins import check_capabilities, create, find
from s5lib.plugins.options import fill, options_of
from s5lib.report.curves import draw_history
from s5lib.scenes import Corpus, DrawSettings
from s5lib.training.batch_norm import normalise_over_processes
from s5lib.training.best import BestWeights
from s5lib.training.cached_data import CachedData, require_features
from s5lib.training.data import TrainingData
from s5lib.training.experiment import Experiment
from s5lib.training.faults import in_plain_words
from s5lib.training.guard import Guard
from s5lib.training.history import History
from s5lib.training.log_file import log_file
from s5lib.training.modules import JointTraining, SeparatorTraining, TaggerTraining
from s5lib.training.pictures import ValidationScenes
from s5lib.training.processes import Processes, find_processes
from s5lib.training.resume import ResumePoint, StepRandomness, Stopped, resume_step
from s5lib.training.settings import TrainSettings
from s5lib.training.snapshots import Snapshots
from s5lib.training.trainer import make_trainer

__all__ = ["Run", "fit", "settings_of"]

log = logging.getLogger(__name__)

_MODULES = {"tagger": TaggerTraining, "separator": SeparatorTraining, "joint_model": JointTraining}
_DEFAULTS = {"joint_model": {"aligner": "pi"}}  # train options whose default is another for this kind


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where to."""

    kind: str
    """``"tagger"``, ``"separator"`` or ``"joint_model"``"""
    component: str
    """name in the registry"""
    data_dir: Path
    """what the data stage has written: ``corpus.json``, ``valid/``"""
    expdir: Path
    component_options: dict = field(default_factory=dict)
    scene_options: dict = field(default_factory=dict)
    """options of :class:`s5lib.scenes.DrawSettings`"""
    train_options: dict = field(default_factory=dict)
    """options of :class:`TrainSettings`"""
    steps: dict[str, dict] = field(default_factory=dict)
    """name -> train options of that step; what :attr:`train_options` says holds for all steps and goes before.  Each step
    starts from the weights of the one before, and from nothing else of it"""
    init: Path | None = None
    """checkpoint whose weights the first step starts from"""
    seed: int = 0
    ngpu: int = 0
    """GPUs per machine; 0: the CPU"""
    num_processes: int | None = None
    """processes per machine; None: one per GPU, or one, or as torchrun or srun says"""
    num_nodes: int | None = None
    """machines; None: one, or as torchrun or srun says"""


def fit(run: Run) -> Path:
    """Train and return the path of the final model; what is finished already is not done again.

    Raises:
        ConfigError: an option is wrong, or the experiment folder holds a run with other options.
        DataError: the corpus or the validation set is not what it must be.
    """
    final = Experiment(run.expdir)
    processes = find_processes(run.ngpu, run.num_processes, run.num_nodes)
    corpus = CorpusDescription.read(run.data_dir)
    settings = settings_of(run)
    for name, step in settings.items():
        _check_shares(name, step, processes)
    scenes = DrawSettings(
        **fill({**corpus.draw_options, **run.scene_options}, options_of(DrawSettings), "the drawing of scenes")
    )
    component = find(run.kind, run.component)
    sizes = {
        "num_classes": len(corpus.labels), "num_sources": corpus.max_sources,
        "num_channels": corpus.num_channels, "sample_rate": corpus.sample_rate,
    }  # fmt: skip
    if any(option.name == "labels" for option in component.options()):  # a model that reads labels as text
        sizes["labels"] = list(corpus.labels)
    if any(step.tagger_cache for step in settings.values()):
        require_features(run.kind, component)
    component.configure(**sizes, **run.component_options)  # a wrong option is told before a folder is made for it
    asked = {
        "kind": run.kind, "name": run.component, "distribution": component.distribution, "version": component.version,
        "options": {**sizes, **run.component_options}, "labels": list(corpus.labels), "corpus": str(corpus.root),
        "scenes": asdict(scenes), "seed": run.seed, "init": str(run.init) if run.init else None,
        "steps": {name: asdict(s) for name, s in settings.items()},
    }
    if not processes.is_main:  # it writes nothing, and says what went wrong alone
        logging.getLogger("s5lib").setLevel(logging.WARNING)
    else:
        final.open(asked, {"steps": dict.fromkeys(settings, _defaults(run.kind)), "scenes": asdict(DrawSettings())})
    if final.finished:
        log.info("finished already: %s", final.model_file)
        return final.model_file
    with contextlib.ExitStack() as held:
        if processes.is_main:
            held.enter_context(final.lock())
            held.enter_context(log_file(final.folder / "train.log"))
        _warn_of_duplicate_labels(run.kind, component, scenes)
        train = Corpus(corpus.root, "train")
        valid = RecordedScenes(
            run.data_dir / "valid", corpus.labels, corpus.max_sources,
            sample_rate=corpus.sample_rate, num_channels=corpus.num_channels,
        )  # fmt: skip
        weights = run.init
        for number, (name, step) in enumerate(settings.items()):
            experiment = Experiment(final.folder / name)
            if processes.is_main:
                experiment.open(
                    {"train": asdict(step), "init": str(weights) if weights else None}, {"train": _defaults(run.kind)}
                )
            if not experiment.finished:
                lightning.seed_everything(run.seed + number, verbose=False)
                model = create(run.kind, run.component, **{**sizes, **run.component_options})
                drawn = DrawnScenes(
                    train, scenes, seed=run.seed * 1000 + number, size=step.max_steps * step.batch_size,
                    sources=run.kind != "tagger",
                )  # fmt: skip
                with in_plain_words(step, experiment.resume_file, run.ngpu > 0):
                    _fit_step(
                        run, processes, name, step, experiment, model, drawn, valid, weights, component, corpus.labels
                    )
            weights = experiment.model_file
        if processes.is_main:
            with in_plain_words(step, weights, run.ngpu > 0), replacing(final.model_file) as temporary:
                shutil.copyfile(weights, temporary)
    log.info("%s %s is trained: %s", run.kind, run.component, final.model_file)
    return final.model_file


def settings_of(run: Run) -> dict[str, TrainSettings]:
    """Return the settings of each step of ``run``, in the steps' order.

    Raises:
        ConfigError: an option is unknown or out of its range.
    """
    options = options_of(TrainSettings)
    steps, defaults = run.steps or {"train": {}}, _DEFAULTS.get(run.kind, {})
    return {
        name: TrainSettings(**fill({**defaults, **own, **run.train_options}, options, f"step {name!r}"))
        for name, own in steps.items()
    }


def _defaults(kind: str) -> dict:
    return asdict(TrainSettings(**_DEFAULTS.get(kind, {})))


def _warn_of_duplicate_labels(kind, component, scenes: DrawSettings) -> None:
    if scenes.same_class_probability and scenes.max_targets > 1:
        try:
            check_capabilities(kind, component, duplicate_labels=True)
        except ConfigError as error:
            log.warning("%s Without them: --scenes_conf same_class_probability=0.", error)


def _check_shares(name: str, settings: TrainSettings, processes: Processes) -> None:
    parts = processes.world_size * settings.accumulate
    if settings.batch_size % parts:
        raise ConfigError(
            f"step {name}: --batch_size {settings.batch_size} cannot be shared equally by {processes.world_size} "
            f"processes in --accumulate {settings.accumulate} parts each; choose a multiple of {parts}."
        )


def _fit_step(run, processes, name, settings, experiment, model, drawn, valid, weights, component, labels):
    resumed = experiment.resume_file.exists()
    first_step = resume_step(experiment.resume_file) if resumed else None
    if weights is not None and (settings.tagger_cache or not resumed):  # the cache's key is made of them
        load_weights(model, weights)
    if weights is not None and not resumed:
        log.info("step %s: weights from %s; optimiser, learning rate and step counter are new", name, weights)
    if resumed:
        log.info("step %s: resumed from %s after step %d", name, experiment.resume_file, first_step)
    module = _MODULES[run.kind](model, settings)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    log.info(
        "step %s: %s %s, %.2f M of %.2f M parameters train; %d steps of %d mixtures",
        name, run.kind, run.component, trained / 1e6, sum(p.numel() for p in model.parameters()) / 1e6,
        settings.max_steps, settings.batch_size,
    )
    if processes.world_size > 1:
        if settings.sync_batchnorm:
            normalise_over_processes(model)
        log.info(
            "step %s: %d processes on %d machines, each with %d of a step's mixtures",
            name, processes.world_size, processes.num_nodes, settings.batch_size // processes.world_size,
        )
    save = partial(
        save_checkpoint, model=model, kind=run.kind, name=run.component, distribution=component.distribution,
        version=component.version, labels=labels,
    )  # fmt: skip
    best = BestWeights(experiment.folder / "best", module.monitor, settings.keep_best, settings.early_stopping)
    history = History(experiment.folder / "history.jsonl")
    callbacks = [StepRandomness(run.seed), Guard(experiment.folder, drawn), best, history]
    if settings.tensorboard_scenes:
        callbacks.append(ValidationScenes(settings.tensorboard_scenes, labels))
    if settings.keep_models:
        callbacks.append(Snapshots(experiment.folder / "steps", settings.max_steps, settings.keep_models, save))
    callbacks.append(
        ResumePoint(experiment.resume_file, settings.save_interval, settings.valid_interval, settings.max_steps)
    )
    trainer = make_trainer(run.ngpu, processes, settings, experiment, callbacks, first_step)
    data = TrainingData(drawn, valid, settings)
    if settings.tagger_cache:
        data = CachedData(drawn, valid, settings, experiment.folder / "features")
    try:
        trainer.fit(
            module, datamodule=data,
            ckpt_path=experiment.resume_file if resumed else None, weights_only=True if resumed else None,
        )
    except Stopped as stopped:
        log.info("stopped by a signal after step %d; the same command goes on from there", trainer.global_step)
        # Who watches over several processes takes another status for a failure, and kills the main one.
        raise SystemExit(128 + stopped.number if processes.is_main else 0) from None
    finally:
        data.close()
    if trainer.is_global_zero:
        model.load_state_dict(best.average())
        values = ", ".join(f"{value:.3f} ({Path(file).stem})" for value, file in best.kept)
        log.info("step %s: the best %s: %s", name, module.monitor, values)
        draw_history(experiment.folder / "history.jsonl", experiment.folder / "curve.png")
        save(experiment.model_file)
        remove(experiment.resume_file)
    trainer.strategy.barrier()
