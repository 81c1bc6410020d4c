import pytest
import torch
import torch.nn.functional as F

from s5lib.models.configs import ResUNetKConfig
from s5lib.models.resunetk import ResUNetK
from s5lib.models.winograd import convolve_3x3, direct_only, is_supported

from . import reference


def tensors(batch, inputs, outputs, height, width):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, inputs, height, width, generator=generator)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / (9 * inputs) ** 0.5
    return x, weight, torch.randn(batch, outputs, generator=generator)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 8), (13, 6), (600, 4)])
@pytest.mark.parametrize("batch", [1, 2])
def test_is_a_convolution(batch, size):
    x, weight, bias = tensors(batch, 5, 3, *size)
    direct = F.conv2d(x.double(), weight.double(), padding=1)
    assert reference.relative_error(convolve_3x3(x, weight), direct) < 1e-5
    rectified = F.leaky_relu(direct + bias[:, :, None, None], 0.01)
    assert reference.relative_error(convolve_3x3(x, weight, bias, 0.01), rectified) < 1e-5


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_result_is_added_in_place(size):
    x, weight, _ = tensors(2, 5, 3, *size)
    onto = torch.ones(2, 3, *size).contiguous(memory_format=torch.channels_last)
    found = convolve_3x3(x, weight, onto=onto)
    assert found is onto
    assert reference.relative_error(onto, F.conv2d(x, weight, padding=1) + 1) < 1e-5


def test_wide_layers_take_it_and_narrow_ones_and_low_precision_do_not():
    x, weight, _ = tensors(1, 128, 128, 2, 2)
    assert is_supported(x, weight) == (torch.get_num_threads() <= 4)
    with direct_only():
        assert not is_supported(x, weight)
    assert not is_supported(x, weight[:64])
    assert not is_supported(x.bfloat16(), weight.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_supported(x, weight)


@pytest.mark.parametrize("batch", [1, 2])
def test_separator_with_wide_layers_gives_the_values_of_training(batch, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    sizes = dict(
        num_classes=3, num_sources=2, num_channels=2, n_fft=64, hop_length=16, channels=(128, 144), condition_size=8
    )
    model = reference.fill(ResUNetK(ResUNetKConfig(**sizes)))
    mixture = 0.1 * torch.randn(batch, 2, 1000)
    query = reference.query([2, 2], 3).expand(batch, -1, -1)
    with torch.no_grad():
        folded = model(mixture, query)
    assert reference.relative_error(folded, model(mixture, query).detach()) < 1e-5
