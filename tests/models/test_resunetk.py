import pytest
import torch

from s5lib.errors import ConfigError, DataError
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.resunetk import ResUNetK

from . import reference

SMALL = dict(
    num_classes=5, num_sources=3, num_channels=2, n_fft=128, hop_length=32, channels=(4, 6, 8), condition_size=16
)


def small(**options) -> ResUNetK:
    return ResUNetK(ResUNetKConfig(**{**SMALL, **options}))


def test_agrees_with_reference():
    separator = reference.fill(ResUNetK(ResUNetKConfig()))
    for case in reference.VALUES["resunetk"][:1]:
        check_case(separator, case)


@pytest.mark.slow
def test_agrees_with_all_reference_cases():
    separator = reference.fill(ResUNetK(ResUNetKConfig()))
    for case in reference.VALUES["resunetk"]:
        check_case(separator, case)


def check_case(separator, case):
    with torch.no_grad():
        waveforms = separator(reference.mixture(case, 0.1), reference.query(case["labels"], 18)).flatten()
    assert reference.relative_error(waveforms[case["index"]], case["value"]) < 1e-5
    assert waveforms.norm().item() == pytest.approx(case["l2"], rel=1e-5)
    assert waveforms.double().sum().item() == pytest.approx(case["sum"], abs=1e-3)


@pytest.mark.parametrize("samples", [1, 31, 64, 65, 997, 3200])
def test_any_length(samples):
    waveforms = small().eval()(torch.randn(2, 2, samples), reference.query([1, 1, 4], 5).expand(2, -1, -1))
    assert waveforms.shape == (2, 3, samples)
    assert waveforms.isfinite().all()


@pytest.mark.parametrize("channels", [(4,), (4, 4), (3, 5, 7, 9)])
def test_any_number_of_blocks(channels):
    separator = small(channels=channels, num_sources=1, num_channels=1)
    assert separator(torch.randn(2, 1, 1000), reference.query([0], 5).expand(2, -1, -1)).shape == (2, 1, 1000)


def test_silent_slots_are_exactly_zero():
    waveforms = small()(torch.randn(2, 2, 2000), reference.query([2, None, None], 5).expand(2, -1, -1))
    assert waveforms[:, 0].abs().sum() > 0
    assert (waveforms[:, 1:] == 0).all()


def test_items_of_a_batch_do_not_see_each_other():
    separator = small().eval()
    mixture, query = (
        torch.randn(3, 2, 2000),
        torch.cat([reference.query(row, 5) for row in ([0, 1, 2], [3, 3, None], [4, None, None])]),
    )
    alone = torch.cat([separator(mixture[i : i + 1], query[i : i + 1]) for i in range(3)])
    assert torch.allclose(separator(mixture, query), alone, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0])
def test_gradients_are_finite_and_reach_every_parameter(scale):
    separator = small().train()
    separator(
        scale * torch.randn(2, 2, 2000), reference.query([0, 0, 2], 5).expand(2, -1, -1)
    ).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in separator.parameters())


def test_bfloat16_autocast_stays_close():
    separator = small().eval()
    mixture, query = torch.randn(1, 2, 2000), reference.query([0, 1, 2], 5)
    with torch.autocast("cpu", torch.bfloat16):
        rough = separator(mixture, query)
    assert rough.dtype == torch.float32
    assert reference.relative_error(rough.detach(), separator(mixture, query).detach()) < 0.05


@pytest.mark.parametrize(
    ("mixture", "query", "message"),
    [
        (torch.zeros(1, 4, 100), torch.zeros(1, 3, 5), "4 channels, the model was made for 2"),
        (torch.zeros(2, 100), torch.zeros(1, 3, 5), r"expected \[batch, channels, samples\]"),
        (torch.zeros(1, 2, 0), torch.zeros(1, 3, 5), "no samples"),
        (torch.zeros(1, 2, 100, dtype=torch.int16), torch.zeros(1, 3, 5), "floating point"),
        (torch.zeros(1, 2, 100), torch.zeros(1, 4, 5), "asks for 4 sources, the model has at most 3"),
        (torch.zeros(1, 2, 100), torch.zeros(1, 3, 18), "18 classes, the model was trained on 5"),
        (torch.zeros(2, 2, 100), torch.zeros(1, 3, 5), r"expected \[batch, sources, classes\] = \[2, 3, 5\]"),
        (
            torch.zeros(1, 2, 100),
            reference.query([1, 2, None], 5).roll(1, 1) + reference.query([None, 3, None], 5),
            "slot 1.*classes \\[1, 3\\]",
        ),
        (torch.zeros(1, 2, 100), 0.5 * reference.query([1, 2, None], 5), "slot 0.*0.5"),
    ],
)
def test_wrong_input(mixture, query, message):
    with pytest.raises(DataError, match=message):
        small().eval()(mixture, query)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(n_fft=100), "n_fft is 100; expected a multiple of 16"),
        (dict(hop_length=65), "hop_length is 65; expected at most half of n_fft"),
        (dict(channels=()), "channels is .*1 to 14 positive"),
        (dict(channels=5), "channels is 5; expected 1 to 14"),
        (dict(channels=(4, -1)), "positive whole numbers"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ConfigError, match=message):
        ResUNetKConfig(**{**SMALL, **options})


@pytest.mark.parametrize("asked", [[4, 0, 2], [2, 2, 0], [None, 3, 1], [None, 4, None]])
def test_answer_does_not_depend_on_the_order_of_the_labels(asked):
    separator, mixture = small().eval(), torch.randn(1, 2, 2000)
    as_given = small(slot_order="given").eval()
    as_given.load_state_dict(separator.state_dict())
    # Python's sort is stable, too: sources of one class keep the order of their slots.
    by_class = sorted(range(3), key=lambda slot: 5 if asked[slot] is None else asked[slot])
    with torch.no_grad():
        waveforms = separator(mixture, reference.query(asked, 5))
        expected = as_given(mixture, reference.query([asked[slot] for slot in by_class], 5))
    assert torch.equal(waveforms[:, by_class], expected)


def test_queries_of_a_batch_are_sorted_each_by_itself():
    separator, mixture = small().eval(), torch.randn(1, 2, 2000).expand(2, -1, -1)
    query = torch.cat([reference.query([4, 0, 2], 5), reference.query([2, 4, 0], 5)])
    with torch.no_grad():
        first, second = separator(mixture, query)
    assert torch.allclose(first, second[[1, 2, 0]], atol=1e-6)


def test_film_starts_as_published():
    layer = ResUNetK(ResUNetKConfig(**{**SMALL, "channels": (64, 64), "condition_size": 128})).film[
        "encoder_block1->conv_block1->beta2"
    ]
    bound = (6 / (128 + 64)) ** 0.5  # Glorot and Bengio's uniform distribution
    assert (layer.bias == 0).all()
    assert 0.97 * bound < layer.weight.abs().max() <= bound
