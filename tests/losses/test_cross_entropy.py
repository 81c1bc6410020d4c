"""The tagger's loss against torch's cross-entropy under every order of the slots."""

from itertools import permutations

import pytest
import torch
from torch.nn.functional import cross_entropy

from s5lib.errors import DataError
from s5lib.losses import PITCrossEntropy


def batch(slots, items=3, classes=4):
    generator = torch.Generator().manual_seed(slots)
    logits = 3 * torch.randn(items, slots, classes + 1, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), torch.randint(-1, classes, (items, slots), generator=generator)


def plain(logits, labels):
    """Return for each item the smallest mean cross-entropy over all orders of its labels, silence among them."""
    classes = torch.where(labels < 0, logits.shape[-1] - 1, labels)
    orders = [list(order) for order in permutations(range(labels.shape[1]))]
    return torch.stack(
        [
            torch.stack([cross_entropy(item, row[order]) for order in orders]).min()
            for item, row in zip(logits, classes, strict=True)
        ]
    )


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_value_and_gradient_of_all_orders(slots):
    logits, labels = batch(slots)
    value, order = PITCrossEntropy().per_item(logits, labels)
    expected = plain(logits, labels)
    torch.testing.assert_close(value, expected)
    assert order.sort(-1).values.tolist() == [list(range(slots))] * len(labels)
    assert PITCrossEntropy()(logits, labels).item() == pytest.approx(expected.mean().item())
    grads = [torch.autograd.grad(x.mean(), logits)[0] for x in (value, expected)]
    torch.testing.assert_close(*grads)
    assert torch.autograd.gradcheck(lambda x: PITCrossEntropy()(x, labels), logits, fast_mode=True)


def test_slots_with_silence_move_too():
    # slot 0 says silence, slot 1 says class 2
    logits = torch.tensor([[[0.0, 0, 0, 9], [0, 0, 9, 0]]])
    assert PITCrossEntropy()(logits, torch.tensor([[2, -1]])).item() < 0.01


def test_order_of_labels_does_not_matter():
    logits, labels = batch(3)
    assert PITCrossEntropy()(logits, labels.flip(1)).item() == pytest.approx(PITCrossEntropy()(logits, labels).item())


def test_half_precision_and_large_logits():
    logits, labels = batch(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = PITCrossEntropy()(logits.detach().bfloat16(), labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(PITCrossEntropy()(logits, labels).item(), abs=0.02)
    assert PITCrossEntropy()(1e4 * logits, labels).isfinite()


def test_compiled_and_without_values():
    torch.compiler.reset()
    logits, labels = batch(3)
    compiled = torch.compile(PITCrossEntropy(), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, labels), PITCrossEntropy()(logits, labels))
    # reading a value of a meta tensor raises, as it would make a GPU wait
    assert PITCrossEntropy()(logits.to("meta"), labels.to("meta")).shape == ()


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(2, 3, 5), torch.zeros(2, 2, dtype=torch.int64), r"\[2, 3, 5\] and labels \[2, 2\]"),
        (torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.int64), r"\[B, K, C \+ 1\]"),
        (torch.zeros(2, 3, 5), torch.zeros(2, 3), "labels torch.float32"),
        (torch.zeros(2, 3, 5), torch.full((2, 3), 4), "labels hold 4; with 4 classes they run from 0 to 3"),
        (torch.zeros(2, 3, 5), torch.full((2, 3), -2), "labels hold -2"),
        (torch.full((2, 3, 5), torch.nan), torch.zeros(2, 3, dtype=torch.int64), "is nan"),
    ],
)
def test_bad_input_is_named(logits, labels, message):
    with pytest.raises(DataError, match=message):
        PITCrossEntropy()(logits, labels)
