"""One step of a training: its model, callbacks and outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from lightning import LightningModule
from lightning.pytorch.callbacks import LearningRateMonitor

from s5lib.data import DrawnScenes, RecordedScenes
from s5lib.errors import Interrupted
from s5lib.models import load_weights, save_checkpoint
from s5lib.plugins import create
from s5lib.plugins.component import Component
from s5lib.provenance.files import remove
from s5lib.training.batch_norm import normalise_over_processes
from s5lib.training.best import BestWeights
from s5lib.training.cached_data import CachedData
from s5lib.training.curves import draw_history
from s5lib.training.data import TrainingData
from s5lib.training.experiment import Experiment
from s5lib.training.history import History
from s5lib.training.loggers import RunSummary, make_loggers
from s5lib.training.modules import JointTraining, SeparatorTraining, TaggerTraining
from s5lib.training.nonfinite_guard import Guard
from s5lib.training.processes import Processes
from s5lib.training.resume import ResumePoint, StepRandomness, Stopped, resume_step
from s5lib.training.run import Run
from s5lib.training.settings import TrainSettings
from s5lib.training.snapshots import Snapshots
from s5lib.training.tensorboard_samples import ValidationScenes
from s5lib.training.trainer import make_trainer
from s5lib.untrusted import shown

__all__ = ["MODULES", "Step"]

log = logging.getLogger(__name__)

MODULES = {"tagger": TaggerTraining, "separator": SeparatorTraining, "joint_model": JointTraining}


@dataclass(frozen=True)
class Step:
    """A step of ``run``, in a folder of its own."""

    run: Run
    name: str
    settings: TrainSettings
    experiment: Experiment
    component: Component
    component_options: dict
    """sizes of the corpus and what the run asks for"""
    labels: Sequence[str]
    trained_on: Mapping[str, Any]
    """duration of the scenes and statistics of the mixtures, for the checkpoint"""
    processes: Processes
    is_last: bool = True
    """of the run, which then can be extended: its state is kept"""

    def train(self, drawn: DrawnScenes, valid: RecordedScenes, weights: Path | None, seed: int) -> None:
        """Train on ``drawn`` and write the model, from where an earlier call was stopped if one was.

        Args:
            drawn, valid: scenes to train and to validate on.
            weights: checkpoint that the step starts from; None: weights drawn from ``seed``.
            seed: of the weights.

        Raises:
            Interrupted: a signal has stopped the training.
        """
        lightning.seed_everything(seed, verbose=False)
        model = create(self.run.kind, self.run.component, **self.component_options)
        first_step = self._load(model, weights)
        module = MODULES[self.run.kind](model, self.settings)
        self._say_what_trains(model)
        if self.processes.world_size > 1 and self.settings.sync_batchnorm:
            normalise_over_processes(model)
        save = partial(
            save_checkpoint,
            model=model,
            kind=self.run.kind,
            name=self.run.component,
            distribution=self.component.distribution,
            version=self.component.version,
            labels=self.labels,
            trained_on=self.trained_on,
        )
        best = BestWeights(
            self.experiment.folder / "best", module.monitor, self.settings.keep_best, self.settings.early_stopping
        )
        trainer = make_trainer(
            self.run.ngpu,
            self.processes,
            self.settings,
            self._callbacks(drawn, best, save),
            make_loggers(self.run.loggers, self.experiment.folder, first_step, self.processes.is_main),
        )
        self._optimise(trainer, module, drawn, valid, resumed=first_step is not None)
        if trainer.is_global_zero:
            self._finish(module, best, save)
        trainer.strategy.barrier()

    def _load(self, model, weights) -> int | None:
        """Load the weights of ``model``; return the number of steps already done, None for a new training."""
        resume_file = self.experiment.resume_file
        first_step = resume_step(resume_file) if resume_file.exists() else None
        # A resumed training replaces them again, but cached features are identified by the weights they were made with.
        if weights is not None and (self.settings.tagger_cache or first_step is None):
            known = load_weights(model, weights)
            if first_step is None and self.processes.is_main:
                self._warn_of_other_labels(weights, known)
        if first_step is not None:
            log.info("step %s: resumed from %s after step %d", self.name, resume_file, first_step)
        elif weights is not None:
            log.info("step %s: weights from %s; optimiser, learning rate and step counter are new", self.name, weights)
        return first_step

    def _warn_of_other_labels(self, weights: Path, known: Sequence[str]) -> None:
        """A transfer to other classes is possible, a corpus whose labels stand in another order a mistake."""
        for number, (there, here) in enumerate(zip(known, self.labels, strict=False), 1):
            if there != here:
                text = "step %s: the weights of %s are for other labels: number %d is %s there, %s in this corpus"
                log.warning(text, self.name, weights, number, shown(there), shown(here))
                return

    def _say_what_trains(self, model) -> None:
        sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
        log.info(
            "step %s: %s %s, %.2f M of %.2f M parameters train; %d steps of %d mixtures",
            self.name,
            self.run.kind,
            self.run.component,
            sum(n for n, trains in sizes if trains) / 1e6,
            sum(n for n, _ in sizes) / 1e6,
            self.settings.max_steps,
            self.settings.batch_size,
        )
        if self.processes.world_size > 1:
            log.info(
                "step %s: %d processes on %d machines, each with %d of a step's mixtures",
                self.name,
                self.processes.world_size,
                self.processes.num_nodes,
                self.settings.batch_size // self.processes.world_size,
            )

    def _callbacks(self, drawn, best, save) -> list[lightning.Callback]:
        folder, settings = self.experiment.folder, self.settings
        history = folder / "history.jsonl"
        options = {"name": self.run.component, "seed": self.run.seed, "model": self.component_options}
        callbacks = [StepRandomness(self.run.seed), Guard(folder, drawn), best, History(history)]
        callbacks.append(RunSummary({**options, **asdict(settings)}, best, history))
        if self.run.loggers:
            callbacks.append(LearningRateMonitor(logging_interval="step"))
        if settings.tensorboard_scenes and "tensorboard" in self.run.loggers:
            callbacks.append(ValidationScenes(settings.tensorboard_scenes, self.labels))
        if settings.keep_models:
            callbacks.append(Snapshots(folder / "steps", settings.max_steps, settings.keep_models, save))
        # Last, because it saves what the others have done by then.
        callbacks.append(
            ResumePoint(
                self.experiment.resume_file, settings.save_interval, settings.valid_interval, settings.max_steps
            )
        )
        return callbacks

    def _optimise(self, trainer, module: LightningModule, drawn, valid, resumed: bool) -> None:
        data = TrainingData(drawn, valid, self.settings)
        if self.settings.tagger_cache:
            data = CachedData(drawn, valid, self.settings, self.experiment.folder / "features")
        try:
            trainer.fit(
                module,
                datamodule=data,
                ckpt_path=self.experiment.resume_file if resumed else None,
                weights_only=True if resumed else None,
            )
        except Stopped as stopped:
            log.info("stopped by a signal after step %d; the same command resumes there", trainer.global_step)
            # Who watches over several processes takes another status for a failure, and kills the main one.
            raise Interrupted(128 + stopped.number if self.processes.is_main else 0) from None
        finally:
            data.close()
            for callback in trainer.callbacks:
                if isinstance(callback, ResumePoint):  # Lightning leaves it out after an exception
                    callback.teardown(trainer, module, "fit")

    def _finish(self, module, best: BestWeights, save) -> None:
        folder = self.experiment.folder
        module.model.load_state_dict(best.average())
        values = ", ".join(f"{value:.3f} ({Path(file).stem})" for value, file in best.kept)
        log.info("step %s: the best %s: %s", self.name, module.monitor, values)
        draw_history(folder / "history.jsonl", folder / "curve.png")
        save(self.experiment.model_file)
        if not self.is_last:
            remove(self.experiment.resume_file)
