"""The SDR loss: values, gradients, and signals for which an SDR has no finite value."""

import plain_loss
import pytest
import torch

from s5lib.align import ClassAware
from s5lib.errors import ConfigError, DataError
from s5lib.interfaces import Aligner
from s5lib.losses import AlignedSDRLoss

LABELS = {
    3: [[0, 0, 1], [2, 2, 2], [1, None, None], [3, 3, None]],
    4: [[0, 0, 1, 1], [2, 2, 2, 2], [1, 0, 1, None], [0, 1, 2, 3]],
    5: [[0, 0, 0, 1, 1], [2, 2, 2, 2, None], [1, 0, 1, 0, 1], [3, 3, 3, 3, 3]],
}


def query_of(labels, classes=4):
    """Return ``[B, K, C]``."""
    rows = [[torch.zeros(classes) if k is None else torch.eye(classes)[k] for k in row] for row in labels]
    return torch.stack([torch.stack(row) for row in rows])


def batch(slots, samples=60, dtype=torch.float64, seed=0):
    """Return prediction, target and labels; silent slots are zero."""
    generator = torch.Generator().manual_seed(seed)
    labels = LABELS[slots]
    active = torch.tensor([[label is not None for label in row] for row in labels])[..., None]
    target = torch.randn(4, slots, samples, generator=generator, dtype=dtype) * active
    noise = torch.randn(target.shape, generator=generator, dtype=dtype)
    return ((target.flip(1) + noise) * active).requires_grad_(), target, labels


@pytest.mark.parametrize("slots", LABELS)
@pytest.mark.parametrize("aligner", ["ca_pi", "pi"])
@pytest.mark.parametrize("average", ["active", "slots"])
def test_value_and_gradient_of_all_permutations(slots, aligner, average):
    prediction, target, labels = batch(slots)
    value, _ = AlignedSDRLoss(aligner, average).per_item(prediction, target, query_of(labels))
    expected = plain_loss.aligned_loss(prediction, target, labels, aligner == "ca_pi", average == "slots")
    torch.testing.assert_close(value, expected, atol=1e-6, rtol=0)
    weight = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    (grad,) = torch.autograd.grad(value, prediction, weight)
    (expected_grad,) = torch.autograd.grad(expected, prediction, weight)
    torch.testing.assert_close(grad, expected_grad, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("slots", LABELS)
@pytest.mark.parametrize("aligner", ["ca_pi", "pi", ClassAware(order="given")])
@pytest.mark.parametrize("average", ["active", "slots"])
def test_gradient_against_finite_differences(slots, aligner, average):
    prediction, target, labels = batch(slots, samples=6)
    loss = AlignedSDRLoss(aligner, average)
    fast = slots > 3  # one random direction instead of all
    assert torch.autograd.gradcheck(lambda x: loss.per_item(x, target, query_of(labels))[0], prediction, fast_mode=fast)


def test_class_aware_loss_is_the_mean_over_mappings():
    prediction, target, _ = batch(3)
    labels, loss = [[0, 0, 1]] * 4, AlignedSDRLoss("ca")
    values = torch.stack([loss.per_item(prediction, target, query_of(labels))[0].detach() for _ in range(40)])
    given, best = (
        AlignedSDRLoss(aligner).per_item(prediction, target, query_of(labels))[0].detach()
        for aligner in (ClassAware(order="given"), "ca_pi")
    )
    assert (values.min(0).values >= best - 1e-9).all()
    for b in range(4):
        assert len(values[:, b].unique()) == 2 and given[b] in values[:, b] and best[b] in values[:, b]


def test_query_rows_need_not_be_one_hot():
    # embeddings of labels: equal rows are one class
    prediction, target, labels = batch(3)
    embedding = torch.randn(4, 16, generator=torch.Generator().manual_seed(5))
    query = (query_of(labels)[..., None] * embedding).sum(-2)
    loss = AlignedSDRLoss()
    assert loss(prediction, target, query).item() == loss(prediction, target, query_of(labels)).item()


CASES = {
    "silent target": (torch.randn(2, 3, 50), torch.zeros(2, 3, 50)),
    "silent prediction": (torch.zeros(2, 3, 50), torch.randn(2, 3, 50)),
    "both silent": (torch.zeros(2, 3, 50), torch.zeros(2, 3, 50)),
    "perfect": (torch.ones(2, 3, 50), torch.ones(2, 3, 50)),
    "tiny": (torch.full((2, 3, 50), 1e-30), torch.full((2, 3, 50), 2e-30)),
    "huge": (torch.full((2, 3, 50), 1e18), torch.full((2, 3, 50), -1e18)),
    "huge against tiny": (torch.full((2, 3, 50), 1e15), torch.full((2, 3, 50), 1e-15)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("labels", [[[0, 0, 1], [2, 2, 2]], [[0, None, None], [None, None, None]]])
@pytest.mark.parametrize("average", ["active", "slots"])
def test_finite_loss_and_gradient(case, labels, average):
    prediction, target = CASES[case]
    prediction = prediction.clone().requires_grad_()
    loss = AlignedSDRLoss(average=average)(prediction, target, query_of(labels))
    loss.backward()
    assert loss.isfinite() and prediction.grad.isfinite().all()
    silent = torch.tensor([[label is None for label in row] for row in labels])
    assert (prediction.grad[silent] == 0).all()


def test_values_at_the_ends():
    same, silent = torch.ones(1, 2, 50), torch.zeros(1, 2, 50)
    query, loss = query_of([[0, 1]]), AlignedSDRLoss()
    assert loss(same, same, query).item() == pytest.approx(-100)  # the floor
    assert loss(silent, same, query).item() == pytest.approx(0, abs=1e-6)
    assert loss(same, silent, query).item() == 0  # no SDR
    half = torch.cat([same[:, :1], silent[:, 1:]], 1)
    assert loss(0.9 * same, half, query).item() == pytest.approx(-20, abs=1e-4)  # the silent target is no active slot
    assert AlignedSDRLoss(average="slots")(0.9 * same, half, query).item() == pytest.approx(-10, abs=1e-4)
    assert loss(same, same, query_of([[None, None]])).item() == 0


@pytest.mark.parametrize("gain", [1e-6, 1e3])
def test_a_common_gain_changes_nothing(gain):
    prediction, target, labels = batch(3)
    loss = AlignedSDRLoss()
    value = loss(gain * prediction, gain * target, query_of(labels)).item()
    assert value == pytest.approx(loss(prediction, target, query_of(labels)).item(), abs=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1), (torch.float16, 0.02)])
def test_dtypes_and_autocast(dtype, tolerance):
    prediction, target, labels = batch(3, samples=4000)
    expected = AlignedSDRLoss()(prediction, target, query_of(labels)).item()
    leaf = prediction.detach().to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = AlignedSDRLoss()(leaf, target.float(), query_of(labels))
    loss.backward()
    assert loss.dtype == torch.float32 and leaf.grad.dtype == dtype
    assert loss.item() == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("aligner", ["ca_pi", "pi"])
def test_compiled_in_one_graph(aligner):
    torch.compiler.reset()
    prediction, target, labels = batch(3)
    loss = AlignedSDRLoss(aligner)
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    values = [function(prediction, target, query_of(labels)) for function in (loss, compiled)]
    grads = [torch.autograd.grad(value, prediction)[0] for value in values]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*grads)


def test_no_value_is_read_by_the_host():
    # Reading a value of a meta tensor raises, as it would make a GPU wait.
    prediction = torch.zeros(2, 4, 100, device="meta", requires_grad=True)
    loss = AlignedSDRLoss()(prediction, torch.zeros(2, 4, 100, device="meta"), torch.zeros(2, 4, 5, device="meta"))
    loss.backward()
    assert prediction.grad.shape == prediction.shape


def test_nan_is_reported_on_the_cpu():
    prediction, target, labels = batch(3)
    with torch.no_grad():
        prediction[1, 2, 5] = float("nan")
    with pytest.raises(DataError, match=r"item 1, reference 0, estimate 2.*is nan"):
        AlignedSDRLoss()(prediction, target, query_of(labels))
    with pytest.raises(DataError, match=r"item 0, reference 1, estimate 0.*is nan"):
        AlignedSDRLoss()(target, target.index_fill(1, torch.tensor([1]), torch.nan), query_of(labels))


def test_nan_is_never_a_finite_loss():
    # an aligner that does not look at the scores lets it pass, as the built-in ones do on a GPU
    class InOrder(Aligner):
        def align(self, score, reference_labels, estimated_labels):
            raise NotImplementedError

        def permute(self, score, labels):
            return torch.arange(labels.shape[1]).repeat(len(labels), 1)

    prediction, target, labels = batch(3)
    wrong = target.index_fill(1, torch.tensor([1]), torch.nan)
    values = [
        AlignedSDRLoss(InOrder()).per_item(*signals, query_of(labels))[0]
        for signals in ((prediction, wrong), (wrong, target))
    ]
    for value in values:
        assert value.isnan().tolist() == [True, True, False, True]  # slot 1 of the third item is silent


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(prediction=torch.zeros(2, 3, 49)), r"prediction has shape \[2, 3, 49\] and target \[2, 3, 50\]"),
        (dict(prediction=torch.zeros(3, 50)), r"must be \[B, K, T\]"),
        (dict(prediction=torch.zeros(2, 3, 0), target=torch.zeros(2, 3, 0)), "not empty"),
        (dict(query=torch.zeros(2, 2, 4)), r"query has shape \[2, 2, 4\].*\[2, 3, C\]"),
        (dict(query=torch.zeros(2, 3)), r"query has shape \[2, 3\]"),
        (dict(target=torch.zeros(2, 3, 50, dtype=torch.int16)), "target torch.int16"),
        (dict(target=torch.zeros(2, 3, 50, requires_grad=True)), "target requires a gradient"),
    ],
)
def test_bad_input_is_named(change, message):
    signals = dict(prediction=torch.zeros(2, 3, 50), target=torch.zeros(2, 3, 50), query=torch.zeros(2, 3, 4))
    with pytest.raises(DataError, match=message):
        AlignedSDRLoss()(**(signals | change))


def test_bad_options_are_named():
    with pytest.raises(ConfigError, match="average is 'all'"):
        AlignedSDRLoss(average="all")
