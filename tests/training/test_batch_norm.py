"""Batch normalisation over processes, each played by a thread, against torch's own on the whole batch, in float64."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn

from s5lib.models.unet import FilmedNorm
from s5lib.training.batch_norm import normalise_over_processes


class Network(nn.Module):
    """Convolutions between a plain normalisation and one that extends it."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(3, momentum=None), FilmedNorm(5)
        self.between, self.last = nn.Conv2d(3, 5, 3), nn.Linear(5, 4)
        self.third = nn.BatchNorm1d(4, affine=False)

    def forward(self, x):
        x = self.second(self.between(self.first(x)), torch.zeros(len(x), 5, 1, 1))
        return self.third(self.last(x.mean((-1, -2))))


class Processes:
    """Adds up what the threads give to ``all_reduce``."""

    def __init__(self, count):
        self.count, self.given = count, [None] * count
        self.barrier, self.rank = threading.Barrier(count), threading.local()

    def all_reduce(self, table):
        self.given[self.rank.number] = table.clone()
        self.barrier.wait(timeout=20)
        total = sum(self.given)
        self.barrier.wait(timeout=20)
        table.copy_(total)

    def run(self, function):
        def of_rank(number):
            self.rank.number = number
            function(number)

        threads = [threading.Thread(target=of_rank, args=(number,)) for number in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("shares", [(4, 4), (5, 2, 1)])
def test_two_batches_in_a_row(monkeypatch, shares):
    torch.manual_seed(0)
    whole = Network().double()
    models = [copy.deepcopy(whole) for _ in shares]
    for model in models:
        normalise_over_processes(model)
    assert isinstance(models[0].second, FilmedNorm) and models[0].state_dict().keys() == whole.state_dict().keys()
    processes = Processes(len(shares))
    monkeypatch.setattr(torch.distributed, "all_reduce", processes.all_reduce)
    target = torch.randn(sum(shares), 4, dtype=torch.float64)
    for _ in range(2):
        x = 5 + torch.randn(sum(shares), 3, 6, 7, dtype=torch.float64)
        parts = [part.clone().requires_grad_() for part in x.split(shares)]
        x.requires_grad_()
        (whole(x) * target).sum().backward()
        outputs = [None] * len(shares)

        def step(number, parts=parts, outputs=outputs):
            outputs[number] = models[number](parts[number])
            (outputs[number] * target.split(shares)[number]).sum().backward()

        processes.run(step)
        torch.testing.assert_close(torch.cat([part.grad for part in parts]), x.grad, rtol=1e-10, atol=1e-12)
    for name, parameter in whole.named_parameters():
        found = sum(model.get_parameter(name).grad for model in models)
        torch.testing.assert_close(found, parameter.grad, rtol=1e-10, atol=1e-11)
    for model in models:
        torch.testing.assert_close(dict(model.named_buffers()), dict(whole.named_buffers()), rtol=1e-12, atol=1e-12)
        model.eval(), whole.eval()
        torch.testing.assert_close(model(x), whole(x))
