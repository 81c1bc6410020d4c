import torch

from s5lib.models.configs import ResUNetConfig
from s5lib.models.resunet import ResUNet

from . import reference

SMALL = dict(num_classes=5, num_sources=3, num_channels=2, n_fft=128, hop_length=32, channels=(4, 6), condition_size=16)


def test_slots_do_not_see_each_other():
    separator = ResUNet(ResUNetConfig(**SMALL)).eval()
    mixture = torch.randn(1, 2, 2000)
    with torch.no_grad():
        together = separator(mixture, reference.query([4, 1, None], 5))
        alone = separator(mixture, reference.query([1, None, 4], 5))
    assert torch.allclose(together[:, [1, 2, 0]], alone, atol=1e-6)
    assert (together[:, 2] == 0).all()


def test_equal_labels_give_equal_waveforms():
    separator = ResUNet(ResUNetConfig(**SMALL)).eval()
    waveforms = separator(torch.randn(1, 2, 2000), reference.query([3, 3, 0], 5))
    assert torch.allclose(waveforms[:, 0], waveforms[:, 1], atol=1e-6)
    assert not torch.allclose(waveforms[:, 0], waveforms[:, 2], atol=1e-3)


def test_no_source_at_all():
    separator = ResUNet(ResUNetConfig(**SMALL))
    query = torch.zeros(2, 3, 5)
    assert (separator.eval()(torch.randn(2, 2, 500), query) == 0).all()
    separator.train()(torch.randn(2, 2, 500), query).sum().backward()
    assert all(parameter.grad is not None for parameter in separator.parameters())
