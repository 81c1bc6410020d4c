"""Counts and sums stay right whatever type torch computes in; what is no array of real numbers is refused by name."""

from __future__ import annotations

import copy
import pickle

import lightning
import numpy as np
import pytest
import torch

from s5lib.errors import DataError
from s5lib.losses import AlignedSDRLoss, PITCrossEntropy
from s5lib.metrics import CAPISDRi, MixtureAccuracy, PISDRi, SourceAccuracy, ca_pi_sdri, label_accuracy

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SCENE = torch.randn(5, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def update(metric, scene=SCENE):
    if isinstance(metric, SourceAccuracy):
        metric.update(["Dog"], ["Dog"])
    else:
        metric.update(scene[:2], ["Dog", "Cat"], scene[2:4], ["Dog", "Dog"], scene[4])


def at_half_precision(metric):
    return metric.half()


def cast(dtype):
    return lambda metric: torch.nn.ModuleList([metric]).to(dtype)[0]


WAYS = {
    "half": at_half_precision,
    "bfloat16": lambda metric: metric.bfloat16(),
    "to float16": cast(torch.float16),
    "to bfloat16": cast(torch.bfloat16),
    "set_dtype": lambda metric: metric.set_dtype(torch.bfloat16),
    "type": lambda metric: torch.nn.ModuleList([metric]).type(torch.bfloat16)[0],
    "device": lambda metric: metric.to("cpu"),
    "pickled": lambda metric: pickle.loads(pickle.dumps(metric)),
    "copied": copy.deepcopy,
    "reset": lambda metric: metric.reset() or metric,
}


@pytest.fixture
def default_type(request):
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("default_type", TYPES, indirect=True, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_right_answers_are_an_accuracy_of_one(default_type, way):
    for kind in (SourceAccuracy, MixtureAccuracy):
        metric = WAYS[way](kind())
        for _ in range(1000):
            update(metric)
        metric = WAYS[way](metric) if way != "reset" else metric
        assert metric.compute().item() == 1 and metric.compute().dtype == torch.float32


@pytest.mark.parametrize("default_type", TYPES, indirect=True, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_the_mean_is_that_of_the_values(default_type, way):
    scenes = [SCENE.roll(shift, 0) for shift in range(5)] * 20
    values = [ca_pi_sdri(s[:2], ["Dog", "Cat"], s[2:4], ["Dog", "Dog"], s[4]).value for s in scenes]
    metric = WAYS[way](CAPISDRi())
    for scene in scenes:
        update(metric, scene)
    metric = WAYS[way](metric) if way != "reset" else metric
    assert abs(metric.compute().item() - np.mean(values)) < 1e-5


def test_a_million_updates_do_not_drift():
    metric = PISDRi()
    for _ in range(10**5):
        metric._add(-123.456789, 1)
    for _ in range(9):  # the sum of a million, without its time
        setattr(metric, metric._above, getattr(metric, metric._above) + round(-123.456789 * 2**30) * 10**5)
        setattr(metric, metric._below, getattr(metric, metric._below) + 10**5)
    assert abs(metric.compute().item() + 123.456789) < 1e-5


@pytest.mark.parametrize("precision", ["bf16-true", "16-true", "bf16-mixed", "64-true"])
def test_under_precision_plugins(precision, tmp_path):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer, self.metric, self.accuracy = torch.nn.Linear(1, 1), CAPISDRi(), MixtureAccuracy()

        def test_step(self, batch, index):
            update(self.metric)
            update(self.accuracy)
            self.log("accuracy", self.accuracy, on_step=False, on_epoch=True)

        def on_test_end(self):
            self.value, self.all_right = self.metric.compute().item(), self.accuracy.compute().item()

    module = Module()
    trainer = lightning.Trainer(
        precision=precision,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.test(module, torch.utils.data.DataLoader(torch.zeros(300, 1)), verbose=False)
    wanted = ca_pi_sdri(SCENE[:2], ["Dog", "Cat"], SCENE[2:4], ["Dog", "Dog"], SCENE[4]).value
    assert abs(module.value - wanted) < 1e-5 and module.all_right == 1
    assert trainer.callback_metrics["accuracy"] == 1


def foreign():
    mask = torch.ones(2, 8, dtype=torch.bool)
    yield "masked", np.ma.masked_array(np.ones((2, 8)), np.ones((2, 8)))
    yield "masked", torch.masked.masked_tensor(torch.ones(2, 8), mask)
    yield "complex", torch.ones(2, 8, dtype=torch.complex64)
    yield "complex", np.ones((2, 8), complex)
    yield "sparse", torch.ones(2, 8).to_sparse()
    yield "sparse", torch.ones(2, 8).to_sparse_csr()
    yield "meta", torch.ones(2, 8, device="meta")
    yield "quantised", torch.quantize_per_tensor(torch.ones(2, 8), 0.1, 0, torch.qint8)
    yield "nested", torch.nested.nested_tensor([torch.ones(8), torch.ones(8)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind, value", list(foreign()), ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_no_plain_array_is_named(kind, value):
    good = torch.eye(2, 8)
    for name in ("estimates", "references"):
        sides = {"estimates": good, "references": good, name: value}
        if kind == "meta":  # beside others, that would be two devices
            sides = dict.fromkeys(sides, value)
        with pytest.raises(DataError, match=f"{'estimates' if kind == 'meta' else name} is .*{kind}"):
            ca_pi_sdri(
                sides["estimates"],
                ["a", "b"],
                sides["references"],
                ["a", "b"],
                value[0] if kind == "meta" else good.sum(0),
            )
        batch = {"estimates": good[None], "references": good[None], name: value}
        labels = torch.zeros(1, 2, dtype=torch.long)
        with pytest.raises(DataError, match=f"{name} is .*{kind}"):
            CAPISDRi().update(batch["estimates"], labels, batch["references"], labels, good[:1])
    with pytest.raises(DataError, match=f"mixture (is|on) .*{kind}"):
        ca_pi_sdri(good, ["a", "b"], good, ["a", "b"], value[0] if kind == "meta" else value)
    with pytest.raises(DataError, match=f"labels is .*{kind}"):
        label_accuracy(value, [0])
    with pytest.raises(DataError, match=f"labels is .*{kind}"):
        SourceAccuracy().update(value, torch.zeros(2, 8))
    if isinstance(value, torch.Tensor) and kind != "meta":
        with pytest.raises(DataError, match=f"prediction is .*{kind}"):
            AlignedSDRLoss()(value, good[None], torch.eye(2)[None])
        with pytest.raises(DataError, match=f"logits is .*{kind}"):
            PITCrossEntropy()(value, torch.zeros(1, 2, dtype=torch.long))


def test_rows_of_a_list_are_looked_at():
    with pytest.raises(DataError, match="estimates is masked"):
        ca_pi_sdri([np.ma.masked_array([1.0, 2], [0, 1])], ["a"], np.ones((1, 2)), ["a"], np.ones(2))
