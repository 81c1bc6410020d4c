"""What a joint model is trained on, against all orders of its slots tried one by one."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from s5lib.interfaces import JointModel, ModelConfig
from s5lib.metrics import ca_pi_sdri
from s5lib.training.modules import JointTraining
from s5lib.training.settings import TrainSettings

CONFIG = ModelConfig(num_classes=4, num_sources=3, num_channels=2, sample_rate=8000)


class Constant(JointModel):
    """Gives what it holds, whatever it hears."""

    def __init__(self, logits, waveforms):
        super().__init__(CONFIG)
        self.logits, self.waveforms = nn.Parameter(logits), nn.Parameter(waveforms)

    def forward(self, mixture):
        return self.logits, self.waveforms


def batch_of(*labels, samples=400):
    generator = torch.Generator().manual_seed(1)
    labels = torch.tensor(labels)
    sources = torch.randn(*labels.shape, samples, generator=generator) * (labels >= 0)[..., None]
    mixture = sources.sum(1, keepdim=True).repeat(1, 2, 1) + 0.01 * torch.randn(
        len(labels), 2, samples, generator=generator
    )
    return {"mixture": mixture, "sources": sources, "labels": labels, "id": [str(i) for i in range(len(labels))]}


def training(logits, waveforms, **options):
    return JointTraining(Constant(logits, waveforms), TrainSettings(**{"aligner": "pi", **options}))


def sdr(estimate, source):
    return 10 * torch.log10(source.square().sum() / (source - estimate).square().sum())


def expected(batch, logits, waveforms, weight):
    """Per item, the order with the largest sum of SDRs of the active slots, and both parts of the loss in it."""
    losses = []
    for b, labels in enumerate(batch["labels"].tolist()):
        active = [k for k, label in enumerate(labels) if label >= 0]
        best = max(
            itertools.permutations(range(3)),
            key=lambda order: sum(sdr(waveforms[b, order[k]], batch["sources"][b, k]).item() for k in active),
        )
        separated = -sum(sdr(waveforms[b, best[k]], batch["sources"][b, k]) for k in active) / max(1, len(active))
        named = -sum(logits[b, best[k]].log_softmax(-1)[label] for k, label in enumerate(labels)) / 3
        losses.append(separated + weight * named)
    return torch.stack(losses).mean()


def loss_of(module, batch):
    return module.loss(module.outputs(batch), batch)


def test_loss_is_that_of_the_best_order_of_all_slots():
    batch = batch_of([0, 0, 2], [3, 1, 0], [2, 2, 2])
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 3, 5, generator=generator)
    waveforms = batch["sources"].flip(1) + 0.3 * torch.randn(batch["sources"].shape, generator=generator)
    module = training(logits, waveforms, label_weight=2.5)
    torch.testing.assert_close(loss_of(module, batch), expected(batch, logits, waveforms, 2.5), rtol=1e-4, atol=1e-4)


def test_a_source_may_be_in_any_slot_and_silent_slots_have_no_sdr():
    batch = batch_of([1, -1, -1])
    waveforms, logits = torch.randn(1, 3, 400), torch.zeros(1, 3, 5)
    waveforms[0, 2] = 0.9 * batch["sources"][0, 0]
    logits[0, 2, 1] = logits[0, 0, 4] = logits[0, 1, 4] = 9.0
    module = training(logits, waveforms)
    assert loss_of(module, batch).item() == pytest.approx(-20.0, abs=0.01)
    loss_of(module, batch).backward()
    assert module.model.waveforms.grad[0, :2].abs().max() == 0 < module.model.waveforms.grad[0, 2].abs().max()
    assert module.model.logits.grad[0, :2].abs().min() > 0


def test_a_scene_of_silence_trains_the_labels_alone():
    batch = batch_of([-1, -1, -1])
    module = training(torch.zeros(1, 3, 5), torch.randn(1, 3, 400))
    loss = loss_of(module, batch)
    loss.backward()
    assert loss.item() == pytest.approx(torch.log(torch.tensor(5.0)).item(), abs=1e-5)
    assert module.model.waveforms.grad.abs().max() == 0


def test_figures_are_the_metrics():
    batch = batch_of([0, 0, -1], [-1, -1, -1])
    logits = torch.zeros(2, 3, 5)
    logits[0, [0, 1, 2], [0, 4, 1]] = logits[1, [0, 1, 2], [4, 4, 4]] = 5.0
    waveforms = torch.zeros(2, 3, 400)
    waveforms[0, 0], waveforms[0, 1] = 0.9 * batch["sources"][0, 1], 0.9 * batch["sources"][0, 0]
    with torch.no_grad():
        module = training(logits, waveforms)
        figures = module.measure(module.outputs(batch), batch)
    found, mixture = waveforms[0, [0, 2]].numpy(), batch["mixture"][0, 0].numpy()
    score = ca_pi_sdri(found, [0, 1], batch["sources"][0, :2].numpy(), [0, 0], mixture)
    assert figures["ca_pi_sdri"] == [pytest.approx(score.value)]  # the scene of silence has none
    assert figures["source_accuracy"] == [1.0, 0.0, 0.0] and figures["mixture_accuracy"] == [0.0, 1.0]
    assert figures["pi_sdri"] == [pytest.approx(20.0, abs=1.0)]  # 20 dB, and the mixture's SDR is about 0 dB
