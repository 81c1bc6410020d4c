"""From options to a trained model: one entry point for all kinds of model."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from s5lib.config.options import fill, options_of
from s5lib.data import CorpusDescription, DataDirectory, DrawnScenes, RecordedScenes
from s5lib.data.identity import corpus_digest, read_stamps, recordings_digest
from s5lib.data.statistics import MixtureStatistics
from s5lib.errors import ConfigError
from s5lib.parallel import check_shared_memory
from s5lib.plugins import check_capabilities, find
from s5lib.plugins.component import Component
from s5lib.provenance.files import atomic_write, no_empty_folders
from s5lib.scenes import Corpus, DrawSettings
from s5lib.training.cached_data import require_tagger
from s5lib.training.error_messages import in_plain_words
from s5lib.training.experiment import Experiment
from s5lib.training.log_file import log_file
from s5lib.training.loggers import check_loggers
from s5lib.training.processes import Processes, find_processes
from s5lib.training.run import Run, default_settings, settings_of
from s5lib.training.settings import TrainSettings
from s5lib.training.step import Step
from s5lib.untrusted import Record

__all__ = ["CheckedRun", "check_run", "fit"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckedRun:
    """A run whose options are right, and what they lead to."""

    run: Run
    processes: Processes
    corpus: CorpusDescription
    settings: dict[str, TrainSettings]
    """Of each step."""
    scenes: DrawSettings
    component: Component
    options: dict[str, Any]
    """Of the component, with the sizes of the corpus."""

    def drawn(self, train: Corpus, number: int, step: TrainSettings) -> DrawnScenes:
        """Return the training scenes of step ``number``."""
        return DrawnScenes(
            train,
            self.scenes,
            seed=self.run.seed * 1000 + number,
            size=step.max_steps * step.batch_size,
            sources=self.run.kind != "tagger",
            num_channels=self.options["num_channels"],
        )

    def valid(self) -> RecordedScenes:
        """Return the validation scenes."""
        return RecordedScenes(
            self.run.data_dir / "valid",
            self.corpus.labels,
            self.corpus.max_sources,
            sample_rate=self.corpus.sample_rate,
            num_channels=self.options["num_channels"],
        )


def check_run(run: Run) -> CheckedRun:
    """Check the options of a run.

    Raises:
        ConfigError: one is wrong.
        DataError: there is no prepared data.
    """
    processes = find_processes(run.ngpu, run.num_processes, run.num_nodes)
    corpus = CorpusDescription.read(run.data_dir)
    settings = settings_of(run)
    check_loggers(run.loggers)
    for name, step in settings.items():
        _check_shares(name, step, processes)
        if step.num_workers:
            check_shared_memory("--num_workers 0")
        if step.render_device == "cuda" and not run.ngpu:
            raise ConfigError(f"step {name}: --render_device cuda needs a GPU that trains; choose --ngpu 1 or more.")
    scenes = DrawSettings(
        **fill({**corpus.draw_options, **run.scene_options}, options_of(DrawSettings), "the drawing of scenes")
    )
    component = find(run.kind, run.component)
    if any(step.tagger_cache for step in settings.values()):
        require_tagger(run.kind)
    options = _with_sizes(run, component, corpus)
    component.configure(**options)  # a wrong option is reported before a folder is made for it
    return CheckedRun(run, processes, corpus, settings, scenes, component, options)


def fit(run: Run) -> Path:
    """Train and return the path of the final model; finished work is not repeated.

    Raises:
        ConfigError: an option is wrong, or the experiment folder holds a run with other options.
        DataError: the corpus or the validation set is invalid.
    """
    final, checked = Experiment(run.expdir), check_run(run)
    processes, corpus, settings, scenes = checked.processes, checked.corpus, checked.settings, checked.scenes
    component, options = checked.component, checked.options
    last_step = next(reversed(settings))
    steps_option = f"steps.{last_step}.max_steps"
    steps = {name: Experiment(final.folder / name) for name in settings}
    with contextlib.ExitStack() as held:
        if processes.is_main:
            held.enter_context(no_empty_folders(final.folder))
            held.enter_context(final.lock())  # before anything in the folder is read or written
            asked = {
                "kind": run.kind,
                "name": run.component,
                "distribution": component.distribution,
                "version": component.version,
                "options": component.complete(**options),
                "labels": list(corpus.labels),
                "corpus": str(corpus.root),
                "scenes": asdict(scenes),
                "seed": run.seed,
                "init": str(run.init) if run.init else None,
                "steps": {name: asdict(s) for name, s in settings.items()},
                "order of steps": list(settings),
            }
            held.enter_context(final.no_empty_run(settings))
            digests = _digests(run, corpus, component)
            completed = partial(_completed, component=component, kind=run.kind, digests=digests)
            waiting = [f"steps.{name}.tagger_cache" for name, step in steps.items() if not step.is_begun]
            unused = [] if final.is_begun else waiting
            unused += [] if final.model_file.exists() else ["code"]  # mending a plugin must not end its training
            state = steps[last_step].resume_file
            changed = final.open({**asked, **digests}, completed, steps_option, state, unused)
            if "code" in changed and any(step.is_begun for step in steps.values()):
                log.warning("the code of %s changed since this run began, which goes on with the new one", component)
        else:  # it writes nothing, and says what went wrong alone
            logging.getLogger("s5lib").setLevel(logging.WARNING)
        if final.finished_with(steps_option, settings[last_step].max_steps):
            log.info("finished already: %s", final.model_file)
            return final.model_file
        if processes.is_main:
            held.enter_context(log_file(final.folder / "train.log"))
        _warn_of_duplicate_labels(run.kind, component, scenes)
        train = Corpus(corpus.root, "train")
        valid = checked.valid()
        trained_on: dict[str, Any] = {"duration": scenes.duration}
        if corpus.statistics is not None:
            trained_on["statistics"] = corpus.statistics.as_json()
        weights = run.init
        for number, (name, step) in enumerate(settings.items()):
            experiment = steps[name]
            if processes.is_main:
                own = {"train": asdict(step), "init": str(weights) if weights else None}
                completed = partial(_completed_step, own=own, kind=run.kind)
                extends = "train.max_steps" if name == last_step else None
                unused = [] if experiment.is_begun else ["train.tagger_cache"]
                experiment.open(own, completed, extends, unused=unused)
            if not experiment.finished_with("train.max_steps", step.max_steps):
                drawn = checked.drawn(train, number, step)
                training = Step(
                    run,
                    name,
                    step,
                    experiment,
                    component,
                    options,
                    corpus.labels,
                    trained_on,
                    processes,
                    is_last=number == len(settings) - 1,
                )
                with in_plain_words(step, experiment.resume_file, run.ngpu > 0, component):
                    training.train(drawn, valid, weights, seed=run.seed + number)
            weights = experiment.model_file
        if processes.is_main:
            last = experiment.model_file
            with in_plain_words(step, last, run.ngpu > 0), atomic_write(final.model_file) as temporary:
                shutil.copyfile(last, temporary)
    log.info("%s %s is trained: %s", run.kind, run.component, final.model_file)
    return final.model_file


def _completed(found: Record, component: Component, kind: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return what a run's folder says, with defaults for the options that an earlier version did not record."""
    options, steps = dict(found.record("options").values), found.record("steps")
    with contextlib.suppress(ConfigError):  # an option that is gone: compared as it stands
        options = component.complete(**options)
    return {
        **digests,
        "order of steps": list(steps.values),
        **found.values,
        "options": options,
        "scenes": {**asdict(DrawSettings()), **found.record("scenes").values},
        "steps": {name: {**default_settings(kind), **steps.record(name).values} for name in steps.values},
    }


def _completed_step(found: Record, own: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the same of a step's folder, with ``own`` initial weights: they follow from the run's, and its steps."""
    return {**own, "train": {**default_settings(kind), **found.record("train").values}}


def _digests(run: Run, corpus: CorpusDescription, component: Component) -> dict[str, str]:
    """Return what the weights depend on beside options: corpus, validation set, initial weights, a plugin's code."""
    stamps, code = read_stamps(run.data_dir), component.code_digest()
    return {
        "training data": corpus_digest(corpus.root, "train", stamps),
        "validation data": recordings_digest(DataDirectory.read(run.data_dir / "valid"), stamps),
        **({"initial weights": stamps[run.init]} if run.init is not None and run.init.is_file() else {}),
        **({"code": code} if code else {}),
    }


def _with_sizes(run: Run, component, corpus: CorpusDescription) -> dict:
    """Return the component's options: what the run asks for, and what the corpus is."""
    sizes: dict[str, Any] = {
        "num_classes": len(corpus.labels),
        "num_sources": corpus.max_sources,
        "num_channels": corpus.num_channels,
        "sample_rate": corpus.sample_rate,
    }
    if any(option.name == "labels" for option in component.options()):  # a model that reads labels as text
        sizes["labels"] = list(corpus.labels)
    for name, value in run.component_options.items():
        if name == "num_channels" and value in range(1, corpus.num_channels):
            continue  # the first ones
        if name in sizes and value != sizes[name]:
            raise ConfigError(
                f"{component}: {name} is {value!r}, but {sizes[name]!r} in the corpus ({run.data_dir}). "
                f"{'Choose no more.' if name == 'num_channels' else 'Leave it out: the corpus determines it.'}"
            )
    options = {**sizes, **run.component_options}
    return {**_input_statistics(component, options, corpus.statistics), **options}


def _input_statistics(component, options: dict, statistics: MixtureStatistics | None) -> dict:
    """Return a tagger's ``norm_mean`` and ``norm_std`` for the corpus, unless the run chooses them."""
    names = {option.name for option in component.options()}
    if not {"n_fft", "norm_mean", "norm_std"} <= names or {"norm_mean", "norm_std"} & options.keys():
        return {}
    if statistics is None:
        log.warning("%s: norm_mean and norm_std are defaults; stage 1, run again, measures the corpus's.", component)
        return {}
    config = component.configure(**options)
    mean, std = statistics.norm_stats(config.n_fft, config.is_level_invariant)
    return {"norm_mean": mean, "norm_std": std}


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
