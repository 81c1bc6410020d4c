"""States add up over processes, and the loss trains under DDP."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from s5lib.losses import AlignedSDRLoss
from s5lib.metrics import CAPISDRi, SourceAccuracy

LABELS = [[[3], [3]], [[1, 1], [1, 2]], [[], []]]  # estimated and reference labels of three scenes


def scene(index):
    generator = torch.Generator().manual_seed(index)
    references = torch.randn(len(LABELS[index][1]), 200, generator=generator)
    estimates = references + 0.5 * torch.randn(references.shape, generator=generator)
    return estimates, LABELS[index][0], references, LABELS[index][1], torch.randn(200, generator=generator)


def training_step(module, rank):
    """Return loss and gradient of the model for one process's batch."""
    generator = torch.Generator().manual_seed(rank)
    target = torch.randn(2, 3, 200, generator=generator)
    query = torch.eye(2)[torch.tensor([[0, 0, 1], [1, 1, 1]])]
    loss = AlignedSDRLoss()(module(target.flip(1)), target, query)
    loss.backward()
    return next(module.parameters()).grad.clone()


def process(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    sdri, accuracy = CAPISDRi(), SourceAccuracy()
    for index in range(rank, len(LABELS), 2):
        sdri.update(*scene(index))
        accuracy.update(*LABELS[index])
    torch.manual_seed(0)
    grad = training_step(DistributedDataParallel(torch.nn.Linear(200, 200)), rank)
    torch.save((sdri.compute(), accuracy.compute(), grad), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not dist.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_give_what_one_does(tmp_path):
    mp.spawn(process, (str(tmp_path),), nprocs=2)
    sdri, accuracy = CAPISDRi(), SourceAccuracy()
    for index, labels in enumerate(LABELS):
        sdri.update(*scene(index))
        accuracy.update(*labels)
    torch.manual_seed(0)
    module, grads = torch.nn.Linear(200, 200), []
    for rank in range(2):
        grads.append(training_step(module, rank))
        module.zero_grad()
    for rank in range(2):
        results = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(results, (sdri.compute(), accuracy.compute(), sum(grads) / 2))
