"""The batched form works on shapes alone: traced by torch.compile in one graph, without values on the meta device."""

import pytest
import torch

from s5lib.align import ClassAware, ClassAwarePermutationInvariant, PermutationInvariant

OPTIMAL = [ClassAwarePermutationInvariant(), PermutationInvariant()]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 3, 3, generator=generator), torch.randint(-1, 2, (8, 3), generator=generator)


@pytest.mark.parametrize("aligner", OPTIMAL, ids=lambda aligner: type(aligner).__name__)
@pytest.mark.parametrize("slots", [1, 2, 3, 4])
def test_no_value_is_read_by_the_host(aligner, slots):
    # Reading a value of a meta tensor raises, as it would make a GPU wait.
    score = torch.zeros(5, slots, slots, device="meta")
    order = aligner.permute(score, torch.zeros(5, slots, dtype=torch.int64, device="meta"))
    assert order.shape == (5, slots) and order.device.type == "meta"


@pytest.mark.parametrize("slots", [3, 9])
@pytest.mark.parametrize("order", ["random", "given"])
def test_class_aware_reads_nothing_either(slots, order):
    labels = torch.zeros(5, slots, dtype=torch.int64, device="meta")
    assert ClassAware(order=order).permute(torch.zeros(5, slots, slots, device="meta"), labels).shape == (5, slots)


@pytest.mark.parametrize("aligner", OPTIMAL, ids=lambda aligner: type(aligner).__name__)
def test_one_graph(aligner, batch):
    torch.compiler.reset()
    compiled = torch.compile(aligner.permute, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(*batch), aligner.permute(*batch))


@pytest.mark.parametrize("aligner", [*OPTIMAL, ClassAware()], ids=lambda aligner: type(aligner).__name__)
@pytest.mark.parametrize("slots", [3, 5])
def test_compiled_with_what_runs_on_the_host(aligner, slots):
    torch.compiler.reset()
    score, labels = torch.randn(4, slots, slots), torch.zeros(4, slots, dtype=torch.int64)
    order = torch.compile(aligner.permute, backend="aot_eager")(score, labels)
    assert order.sort(-1).values.tolist() == [list(range(slots))] * 4
    if not isinstance(aligner, ClassAware):
        assert torch.equal(order, aligner.permute(score, labels))
