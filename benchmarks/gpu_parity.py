"""Does the device compute what the CPU does?  Models and gradients, losses, metrics, rendering; fresh random inputs."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import torch
from gpu_common import Part, make, make_batch, relative_error, tensor_float32
from torch import nn

from s5lib.align import ClassAware
from s5lib.data import CorpusDescription, DrawnScenes, collate
from s5lib.data.unrendered import UnrenderedScenes, rendered
from s5lib.losses import AlignedSDRLoss, PITCrossEntropy
from s5lib.metrics import CAPISDRi, CASDRi, MixtureAccuracy, PISDRi, SourceAccuracy
from s5lib.models import accelerate
from s5lib.models.winograd import direct_only
from s5lib.scenes import Corpus, DrawSettings
from s5lib.training.modules import JointTraining, SeparatorTraining, TaggerTraining
from s5lib.training.settings import TrainSettings

__all__ = ["run"]

TRAINING = {"tagger": TaggerTraining, "separator": SeparatorTraining, "joint_model": JointTraining}


def run(part: Part, _: dict) -> None:
    """Compare everything."""
    checks = {}
    for title, what in part.networks().items():
        checks[f"{title}, outputs"] = partial(_outputs, *what)
        for layers in ("head", "last2") if what[0] == "tagger" else ("all",):
            checks[f"{title}, gradients of {layers}"] = partial(_gradients, *what, layers)
    for aligner in ("ca_pi", "pi", "ca"):
        checks |= {f"loss {aligner}, K = {slots}": partial(_loss, aligner, slots) for slots in (1, 2, 3, 4, 6)}
    checks |= {"cross-entropy": _cross_entropy, "rendering": _scenes}
    for metric in (CAPISDRi, CASDRi, PISDRi, SourceAccuracy, MixtureAccuracy):
        checks[f"metric {metric.__name__}"] = partial(_metric, metric)
    for title, check in checks.items():
        if part.only in title:
            with part.guarded(title):
                part.row(title, **check(part))


def _outputs(kind: str, name: str, options: dict, part: Part) -> dict:
    model = make(kind, name, options).eval()
    batch = make_batch(model.config, 2, 0.5 if part.quick else 2.0, "cpu")
    with torch.no_grad(), direct_only():
        expected = _run(kind, model, batch)
    moved = {name: value.to(part.device) if hasattr(value, "to") else value for name, value in batch.items()}
    errors = {}
    for way in ("float32", "tf32", "bfloat16"):
        own = accelerate(copy.deepcopy(model).to(part.device), precision="bfloat16" if way == "bfloat16" else "float32")
        with torch.no_grad(), tensor_float32(way == "tf32"):
            errors[way] = relative_error(_run(kind, own, moved), expected)
    return errors


def _run(kind: str, model: nn.Module, batch: dict) -> torch.Tensor:
    outputs = model(batch["mixture"], batch["query"]) if kind == "separator" else model(batch["mixture"])
    return torch.cat([output.flatten() for output in (outputs if isinstance(outputs, tuple) else (outputs,))])


def _gradients(kind: str, name: str, options: dict, layers: str, part: Part) -> dict:
    """One step's loss and gradient, normalisation by the batch included.

    Sources are paired by label: between estimates of an untrained model, which are almost alike, rounding may decide.
    """
    settings = TrainSettings(layers=layers, aligner="ca")
    model = make(kind, name, options)
    batch = make_batch(model.config, 4, 0.5 if part.quick else 1.0, "cpu")
    found = {}
    for device, precision in (("cpu", "float32"), (part.device, "float32"), (part.device, "bfloat16")):
        module = TRAINING[kind](copy.deepcopy(model).to(device), settings).train()
        moved = {name: value.to(device) if hasattr(value, "to") else value for name, value in batch.items()}
        with tensor_float32(False):
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
                loss = module.loss(moved)
            loss.backward()
        gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        found[device, precision, len(found)] = loss.item(), torch.cat(gradients)
    (loss, gradient), (own_loss, own), (_, rough) = found.values()
    errors = {"float32": relative_error(own, gradient), "bfloat16": relative_error(rough, gradient)}
    return {"loss_difference": abs(own_loss - loss), **errors}


def _loss(aligner: str, slots: int, part: Part) -> dict:
    """Value and gradient against float64 on the CPU; for few slots the host must not wait for the device."""
    generator = torch.Generator()
    generator.seed()
    target = torch.randn(8, slots, 32000, generator=generator)
    # estimates in another order, with an error of -20 dB for each
    prediction = target[:, torch.randperm(slots, generator=generator)] + 0.1 * torch.randn(
        target.shape, generator=generator
    )
    labels = torch.randint(0, 2, (8, slots), generator=generator)
    query = torch.nn.functional.one_hot(labels, 2).float()
    found = []
    for device, dtype in (("cpu", torch.float64), (part.device, torch.float32)):
        # of the class-aware order, two aligners of one seed draw the same
        loss = AlignedSDRLoss(ClassAware(seed=1) if aligner == "ca" else aligner)
        given = prediction.to(device, dtype).requires_grad_()
        arguments = given, target.to(device, dtype), query.to(device)
        value = loss(*arguments)
        value.backward()
        found.append((value.item(), given.grad.clone()))
    host_waits = "not checked"
    if part.device == "cuda" and slots <= 4:
        torch.cuda.set_sync_debug_mode("error")
        try:
            loss(*arguments).backward()
            host_waits = "no"
        except RuntimeError:
            host_waits = "yes"
        finally:
            torch.cuda.set_sync_debug_mode("default")
    (value, gradient), (own_value, own) = found
    errors = {"difference_db": abs(own_value - value), "gradient": relative_error(own, gradient)}
    return {**errors, "host_waits": host_waits}


def _cross_entropy(part: Part) -> dict:
    logits, labels = torch.randn(16, 3, 19), torch.randint(-1, 18, (16, 3))
    values = [PITCrossEntropy()(logits.to(device), labels.to(device)).item() for device in ("cpu", part.device)]
    return {"difference": abs(values[0] - values[1])}


def _metric(metric: type, part: Part) -> dict:
    sources = torch.randn(8, 3, 32000)
    estimates = sources.flip(1) + 0.3 * torch.randn(8, 3, 32000)
    labels, mixture = torch.randint(-1, 3, (8, 3)), sources.sum(1) + 0.1 * torch.randn(8, 32000)
    given = [labels.roll(1, 0), labels]
    if metric not in (SourceAccuracy, MixtureAccuracy):
        given = [estimates, labels.flip(1), sources, labels, mixture]
    values = []
    for device in ("cpu", part.device):
        own = metric().to(device)
        own.update(*(value.to(device) for value in given))
        values.append(own.compute().item())
    return {"difference": abs(values[0] - values[1])}


def _scenes(part: Part) -> dict:
    """Batches that the device renders against the renderer of single scenes, by the peak of each."""
    corpus = CorpusDescription.read(part.data_dir)
    settings = DrawSettings(**{**corpus.draw_options, "sample_rate": corpus.sample_rate, "zero_probability": 0.1})
    seed, count = int(np.random.default_rng().integers(1 << 30)), 8 if part.quick else 64
    drawn = DrawnScenes(Corpus(corpus.root, "train"), settings, seed=seed, size=count)
    expected = collate([drawn[index] for index in range(count)])
    unrendered = UnrenderedScenes(drawn)
    batch = unrendered.collate([unrendered[index] for index in range(count)])
    batch["parts"] = {
        name: value.to(part.device) if hasattr(value, "to") else value for name, value in batch["parts"].items()
    }
    errors, again = {}, rendered(batch)
    if part.device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        found = rendered(batch)
    finally:
        if part.device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    for name in ("mixture", "sources"):
        own, reference = found[name].cpu(), expected[name]
        peak = reference.abs().amax((-1, -2)).clamp(min=1e-9)
        errors[name] = ((own - reference).abs().amax((-1, -2)) / peak).max().item()
    same = all(torch.equal(found[name], again[name]) for name in errors)
    return {"scenes": count, **errors, "same_bits_again": str(same)}
