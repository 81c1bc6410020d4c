"""Checks of moving a model: into a file and back, to a spawned process, to a GPU."""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from s5lib.models import load_model, save_checkpoint
from s5lib.testing.outcome import Skipped, require
from s5lib.testing.subject import Subject

SPAWN_SECONDS = 180


def check_save_and_load(subject: Subject) -> None:
    """Weights written as safetensors and read into a new model give the same outputs."""
    model, mixture = subject.model(seed=0), subject.mixture()
    content = save_tensors({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    other = subject.model(seed=9)
    missing, unexpected = other.load_state_dict(load_tensors(content), strict=False)
    require(not missing and not unexpected, f"a new model misses {missing} and does not know {unexpected}")
    subject.require_close(subject.infer(other, mixture), subject.infer(model, mixture), "after loading", tolerance=1e-6)


def check_checkpoint(subject: Subject) -> None:
    """Written to a checkpoint and read back by its name, options and all, it gives the same outputs."""
    model, mixture, component = subject.model(), subject.mixture(), subject.component
    labels = [f"class {index}" for index in range(subject.config.num_classes)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        name, origin = component.full_name, (component.distribution, component.version)
        save_checkpoint(path, model, subject.kind, name, *origin, labels)
        loaded, _ = load_model(path)
    subject.require_close(
        subject.infer(loaded, mixture), subject.infer(model, mixture), "from a checkpoint", tolerance=1e-6
    )


def check_spawned_process(subject: Subject) -> None:
    """A spawned process finds the component by its name, and takes the model itself."""
    model, mixture = subject.model(), subject.mixture(1)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    task = (there, subject.kind, subject.component.full_name, subject.options, model, mixture)
    process = context.Process(target=_in_child, args=task, daemon=True)
    process.start()
    there.close()
    try:
        require(here.poll(SPAWN_SECONDS), f"the spawned process gave nothing within {SPAWN_SECONDS} s")
        result = here.recv()
    except EOFError:
        process.join()
        require(False, f"the spawned process ended with status {process.exitcode}; its standard error says why")
    finally:
        process.join(5)
        if process.is_alive():
            process.kill()
    require(not isinstance(result, str), f"in a spawned process: {result}")
    outputs = [torch.from_numpy(output) for output in result]
    subject.require_close(outputs, subject.infer(model, mixture), "in a spawned process")


def _in_child(pipe, kind, name, options, model, mixture):
    torch.set_num_threads(1)
    try:
        subject = Subject(kind, name, options)
        subject.model().load_state_dict(model.state_dict())
        pipe.send([output.numpy() for output in subject.infer(model, mixture)])
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
    pipe.close()


def check_gpu(subject: Subject) -> None:
    """On a GPU the outputs are on it, and equal to those of the CPU."""
    if not torch.cuda.is_available():
        raise Skipped("no GPU here")
    model, mixture, query = subject.model(), subject.mixture(), subject.query()
    wanted = subject.infer(model, mixture, query)
    found = subject.infer(model.cuda(), mixture.cuda(), query.cuda())
    require(all(output.is_cuda for output in found), "outputs are not on the device of the mixture")
    subject.require_close(found, wanted, "on the GPU", tolerance=1e-2)  # TF32 and other algorithms
