"""The torchmetrics classes against the functions."""

import pickle

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure
from torchmetrics import MetricCollection

from s5lib.errors import DataError
from s5lib.metrics import (
    CAPISDRi,
    CASDRi,
    MixtureAccuracy,
    PISDRi,
    ScoreTotal,
    SourceAccuracy,
    ca_pi_sdri,
    ca_sdri,
    label_accuracy,
    pi_sdri,
)

FUNCTIONS = {"ca_pi": (CAPISDRi, ca_pi_sdri), "ca": (CASDRi, ca_sdri), "pi": (PISDRi, pi_sdri)}


def batch(reference_labels, estimated_labels, seed=0):
    """Return a batch of fixed slots, as in training."""
    generator = torch.Generator().manual_seed(seed)
    reference_labels, estimated_labels = torch.tensor(reference_labels), torch.tensor(estimated_labels)
    levels = torch.tensor([8.0, 2.0, 1.0]) * (reference_labels >= 0)
    references = levels[..., None] * torch.randn(*reference_labels.shape, 300, generator=generator)
    estimates = references.flip(1) + 0.3 * torch.randn(references.shape, generator=generator)
    return {
        "estimates": estimates,
        "estimated_labels": estimated_labels,
        "references": references,
        "reference_labels": reference_labels,
        "mixture": references.sum(1) + 0.1 * torch.randn(len(references), 300, generator=generator),
    }


BATCHES = [
    batch([[0, 1, 2], [3, 4, 5]], [[2, 1, 0], [5, 4, 3]]),  # distinct labels: all class-aware metrics agree
    batch([[1, 1, 2], [2, -1, -1]], [[1, 1, 1], [2, 2, -1]], seed=1),
    batch([[-1, -1, -1], [7, 7, 7]], [[-1, -1, -1], [7, 7, -1]], seed=2),
]


def scenes(data):
    """Yield each scene of a batch as the functions take it."""
    for b in range(2):
        estimated, reference = data["estimated_labels"][b], data["reference_labels"][b]
        yield (
            data["estimates"][b][estimated >= 0],
            estimated[estimated >= 0],
            data["references"][b][reference >= 0],
            reference[reference >= 0],
            data["mixture"][b],
        )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_batches_and_scenes_and_functions_agree(name):
    module, function = FUNCTIONS[name]
    by_batch, by_scene, total = module(), module(), ScoreTotal()
    for data in BATCHES:
        by_batch.update(**data)
        for scene in scenes(data):
            by_scene.update(*scene)
            total += function(*scene)
    assert by_batch.compute().item() == pytest.approx(total.mean, abs=1e-4)
    assert by_scene.compute().item() == pytest.approx(total.mean, abs=1e-4)


def test_a_collection_keeps_its_metrics_apart():
    # The first batch leaves several of them with equal values, which a collection takes for equal metrics.
    single = {
        "ca_pi": CAPISDRi(),
        "ca": CASDRi(),
        "pi": PISDRi(),
        "strict": CAPISDRi(penalty_fn=-5.0, penalty_fp=-5.0),
        "source": SourceAccuracy(),
        "mixture": MixtureAccuracy(),
    }
    collection = MetricCollection({name: pickle.loads(pickle.dumps(metric)) for name, metric in single.items()})
    for data in BATCHES:
        collection.update(**data)
        for metric in single.values():
            metric.update(**metric._filter_kwargs(**data))
    assert collection.compute() == {name: metric.compute() for name, metric in single.items()}
    assert len({round(value.item(), 5) for value in collection.compute().values()}) == len(single)
    copy = collection.clone(prefix="valid/")
    collection.reset()
    assert collection(**BATCHES[1])["source"] == pytest.approx(3 / 6)
    assert copy.compute()["valid/mixture"] == pytest.approx(3 / 6)


def test_accuracies_of_names():
    source, mixture, labels = SourceAccuracy(), MixtureAccuracy(), [(["x", "y"], ["y", "x"]), ([], ["x"]), ([], [])]
    for pair in labels:
        source.update(*pair)
        mixture.update(*pair)
    total = sum(label_accuracy(*pair) for pair in labels)
    assert source.compute().item() == pytest.approx(total.source)
    assert mixture.compute().item() == pytest.approx(total.mixture)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_defined_is_nan():
    metric = CAPISDRi()
    assert metric.compute().isnan()
    metric.update([], [], [], [], torch.zeros(8))
    assert metric.compute().isnan()
    assert SourceAccuracy().compute().isnan()


@pytest.mark.parametrize("metric", [CAPISDRi(), CASDRi(), PISDRi(), SourceAccuracy(), MixtureAccuracy()], ids=repr)
def test_values_can_be_drawn(metric):
    plt.switch_backend("agg")
    scene = (torch.eye(2, 8), [3, 4], torch.eye(2, 8) + 0.1, [3, 4], torch.ones(8))
    metric.update(*((scene[1], scene[3]) if isinstance(metric, SourceAccuracy) else scene))
    figure, axes = metric.plot()
    assert isinstance(figure, Figure) and axes.lines[0].get_ydata()[0] == pytest.approx(metric.compute().item())
    own, _ = plt.subplots()
    _, axes = metric.plot([metric.compute(), metric.compute() / 2], ax=own.axes[0])
    assert axes is own.axes[0] and len(axes.lines[0].get_ydata()) == 2
    plt.close("all")


@pytest.mark.parametrize(
    "change",
    [
        dict(mixture=torch.zeros(2, 4, 300)),
        dict(mixture=torch.zeros(3, 300)),
        dict(references=torch.zeros(3, 300)),
        dict(reference_labels=[["a"] * 3] * 2),
        dict(estimated_labels=torch.zeros(2, 2, dtype=torch.int64)),
    ],
)
def test_bad_batches_are_named(change):
    with pytest.raises(DataError, match="mixture has shape"):
        CAPISDRi().update(**(BATCHES[0] | change))


def test_bad_label_batches_are_named():
    with pytest.raises(DataError, match=r"\[2, 3\] and reference_labels \[2, 2\]"):
        SourceAccuracy().update(torch.zeros(2, 3), torch.zeros(2, 2))
