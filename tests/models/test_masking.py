import torch

from s5lib.models.masking import _mask, apply_masks


def inputs(dtype=torch.float32):
    outputs = torch.randn(2, 3, 4, 3, 5, 6, dtype=dtype, requires_grad=True)
    spectrum = torch.randn(2, 4, 5, 6, 2, dtype=dtype)
    return outputs, spectrum, torch.randn(4, dtype=dtype, requires_grad=True)


def test_masks_scale_and_turn():
    outputs, spectrum, weight = inputs()
    found = torch.view_as_complex(apply_masks(outputs, spectrum, weight))
    mask = outputs[:, :, :, 0].sigmoid()
    angle = torch.atan2(outputs[:, :, :, 2].tanh(), outputs[:, :, :, 1].tanh())
    mixture = torch.view_as_complex(spectrum)[:, None]
    expected = (torch.polar(mask, angle) * mixture * weight[:, None, None]).sum(2)
    assert torch.allclose(found, expected, atol=1e-5)


def test_gradient_against_finite_differences():
    outputs, spectrum, weight = inputs(torch.float64)
    assert torch.autograd.gradcheck(lambda o, w: apply_masks(o, spectrum, w), (outputs, weight))


def test_gradient_against_automatic_differentiation():
    outputs, spectrum, weight = inputs()
    seed = torch.randn(2, 3, 5, 6, 2)
    found = torch.autograd.grad(apply_masks(outputs, spectrum, weight), (outputs, weight), seed)
    x, y = (part[:, None] for part in spectrum.unbind(-1))
    expected = torch.autograd.grad(_mask(outputs, x, y, weight[:, None, None]), (outputs, weight), seed)
    assert all(torch.allclose(one, two, rtol=1e-4, atol=1e-5) for one, two in zip(found, expected, strict=True))


def test_no_direction_gives_nothing_and_finite_gradients():
    outputs, spectrum, weight = inputs()
    zero = torch.zeros_like(outputs, requires_grad=True)
    found = apply_masks(zero, spectrum, weight)
    found.sum().backward()
    assert (found == 0).all()
    assert zero.grad.isfinite().all()


def test_gradient_of_the_mixture():
    outputs, spectrum, weight = inputs()
    spectrum.requires_grad_()
    apply_masks(outputs, spectrum, weight).square().sum().backward()
    assert spectrum.grad.abs().sum() > 0
