"""The residual U-Net of the separators: from magnitudes and a query's embedding to the raw values of masks.

Kong et al., "Universal source separation with weakly labelled data", https://arxiv.org/abs/2305.07447, and "Decoupling
magnitude and phase estimation with deep ResUNet", https://arxiv.org/abs/2109.05418.  Module names are those of the
official checkpoints.

Where no gradient is asked for and the statistics are fixed, each batch normalisation becomes part of the convolution
before it or a single multiply-add, which gives the same values in about half of the passes over memory.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.models.winograd import convolve_3x3, is_supported

__all__ = ["ConvBlock", "DecoderBlock", "EncoderBlock", "FiLM", "FilmedNorm", "UNet"]

_SLOPE = 0.01  # of the leaky rectifiers
_MOMENTUM = 0.01  # of the batch normalisations' running statistics


class FilmedNorm(nn.BatchNorm2d):
    """Batch normalisation, FiLM's bias and a leaky rectifier, which come together in all blocks."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int):
        super().__init__(width, momentum=_MOMENTUM)

    @property
    def is_fixed(self) -> bool:
        """Whether it may be computed as a multiplication and an addition; torch.compile finds that by itself."""
        return not (self.training or torch.is_grad_enabled() or torch.compiler.is_compiling())

    def as_affine(self) -> tuple[Tensor, Tensor]:
        """Return the scale and the shift ``[width]`` that it amounts to when its statistics are fixed."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def forward(self, x: Tensor, beta: Tensor) -> Tensor:  # type: ignore[override]  # only blocks call it
        """Map ``x [B, width, frames, bins]`` with ``beta [B, width, 1, 1]`` to ``x``'s shape."""
        if not self.is_fixed:
            return F.leaky_relu(super().forward(x) + beta, _SLOPE, inplace=True)
        scale, shift = (value[:, None, None].to(x.dtype) for value in self.as_affine())
        return F.leaky_relu_(torch.addcmul(shift + beta.to(x.dtype), x, scale), _SLOPE)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions around a residual path."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.bn1, self.bn2 = FilmedNorm(inputs), FilmedNorm(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def film_widths(self) -> dict[str, int]:
        """Return the widths of the biases that the block takes."""
        return {"beta1": self.bn1.num_features, "beta2": self.bn2.num_features}

    def forward(self, x: Tensor, beta1: Tensor, beta2: Tensor) -> Tensor:
        """Map ``[B, inputs, frames, bins]`` to ``[B, outputs, frames, bins]``; betas are ``[B, width, 1, 1]``."""
        if not self.bn2.is_fixed:
            hidden = self.bn2(self.conv1(self.bn1(x, beta1)), beta2)
            return self.shortcut(x) + self.conv2(hidden)
        hidden = self._conv1_with_bn2(self.bn1(x, beta1), beta2)
        if is_supported(hidden, self.conv2.weight):
            onto = x.clone() if isinstance(self.shortcut, nn.Identity) else self.shortcut(x)
            return convolve_3x3(hidden, self.conv2.weight, onto=onto.contiguous(memory_format=torch.channels_last))
        return self.conv2(hidden).add_(self.shortcut(x))

    def _conv1_with_bn2(self, x: Tensor, beta: Tensor) -> Tensor:
        scale, shift = self.bn2.as_affine()
        weight, shift = self.conv1.weight * scale[:, None, None, None], shift[:, None, None] + beta
        if is_supported(x, weight):
            return convolve_3x3(x, weight, shift.flatten(1), _SLOPE)
        if len(beta) == 1:  # one recording has one bias, which a convolution adds for nothing
            hidden = F.conv2d(x, weight, shift.flatten().to(weight.dtype), padding=1)
        else:
            hidden = F.conv2d(x, weight, padding=1)
            hidden += shift
        return F.leaky_relu_(hidden, _SLOPE)


class EncoderBlock(nn.Module):
    """A convolutional block and average pooling."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]):
        super().__init__()
        self.conv_block1 = ConvBlock(inputs, outputs)
        self.stride = stride

    def film_widths(self) -> dict[str, int]:
        """Return the widths of the biases that the block takes."""
        return {f"conv_block1->{name}": width for name, width in self.conv_block1.film_widths().items()}

    def forward(self, x: Tensor, beta1: Tensor, beta2: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``[B, inputs, frames, bins]`` to the pooled and the full output (what the decoder gets directly)."""
        full = self.conv_block1(x, beta1, beta2)
        return (F.avg_pool2d(full, self.stride) if self.stride != (1, 1) else full), full


class DecoderBlock(nn.Module):
    """A transposed convolution that undoes one pooling, and a convolutional block on it beside the encoder's output."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]):
        super().__init__()
        self.bn1 = FilmedNorm(inputs)
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, stride, stride=stride, bias=False)
        self.conv_block2 = ConvBlock(2 * outputs, outputs)

    def film_widths(self) -> dict[str, int]:
        """Return the widths of the biases that the block takes."""
        inner = {f"conv_block2->{name}": width for name, width in self.conv_block2.film_widths().items()}
        return {"beta1": self.bn1.num_features, **inner}

    def forward(self, x: Tensor, skips: list[Tensor], beta1: Tensor, inner1: Tensor, inner2: Tensor) -> Tensor:
        """Map ``x`` from below and the last of ``skips``, ``[B, outputs, frames, bins]``, to that skip's shape.

        It is taken off the list, so that its memory is free again as soon as it is copied.
        """
        together = torch.cat([self.conv1(self.bn1(x, beta1)), skips.pop()], 1)
        return self.conv_block2(together, inner1, inner2)


class FiLM(nn.ModuleDict):
    """Biases for all blocks from one query embedding: feature-wise modulation without the scale.

    Perez et al., "FiLM: visual reasoning with a general conditioning layer", https://arxiv.org/abs/1709.07871.
    """

    def __init__(self, condition_size: int, widths: dict[str, int]):
        super().__init__({name: nn.Linear(condition_size, width) for name, width in widths.items()})
        self.apply(_initialise)

    def forward(self, condition: Tensor) -> dict[str, Tensor]:
        """Map ``[B, condition_size]`` to a bias ``[B, width, 1, 1]`` per name."""
        return {name: layer(condition)[:, :, None, None] for name, layer in self.items()}


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class UNet(nn.Module):
    """Encoder blocks, one between, and as many decoder blocks.

    Each encoder block halves frames and bins, the last one bins alone; each decoder block doubles them again.
    """

    def __init__(self, inputs: int, outputs: int, bins: int, channels: tuple[int, ...]):
        super().__init__()
        depth = len(channels)
        self.frames_unit = 2 ** (depth - 1)
        strides = [(2, 2)] * (depth - 1) + [(1, 2)]
        self.bn0 = nn.BatchNorm1d(bins, momentum=_MOMENTUM)  # of each bin, over frames and channels
        self.pre_conv = nn.Conv2d(inputs, channels[0], 1)
        self._encoders = [f"encoder_block{i + 1}" for i in range(depth)] + [f"conv_block{depth + 1}a"]
        self._decoders = [f"decoder_block{i + 1}" for i in range(depth)]
        widths = [channels[0], *channels, channels[-1]]
        for index, stride in enumerate([*strides, (1, 1)]):
            self.add_module(self._encoders[index], EncoderBlock(widths[index], widths[index + 1], stride))
        for index, stride in enumerate(reversed(strides)):
            below = channels[-1] if index == 0 else channels[-index]
            self.add_module(self._decoders[index], DecoderBlock(below, channels[-1 - index], stride))
        self.after_conv = nn.Conv2d(channels[0], outputs, 1)
        self.apply(_initialise)

    def film_widths(self) -> dict[str, int]:
        """Return the name and width of each bias that :meth:`forward` takes."""
        blocks = {name: getattr(self, name) for name in [*self._encoders, *self._decoders]}
        return {f"{b}->{name}": width for b, block in blocks.items() for name, width in block.film_widths().items()}

    def forward(self, magnitude: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map ``magnitude [B, inputs, frames, bins]`` to ``[B, outputs, frames, bins - 1]``; the highest bin goes."""
        frames = magnitude.shape[2]
        x = self.bn0(magnitude.flatten(0, 2)).view_as(magnitude)[..., :-1]
        x = self.pre_conv(F.pad(x, (0, 0, 0, -frames % self.frames_unit)))
        x = x.contiguous(memory_format=torch.channels_last)  # as convolutions want it, on CPUs and on tensor cores
        waiting = []
        for name in self._encoders:
            x, full = getattr(self, name)(x, *self._biases(name, betas))
            waiting.append(full)
        waiting.pop()  # the block between has no decoder of its own
        for name in self._decoders:
            x = getattr(self, name)(x, waiting, *self._biases(name, betas))
        return self._outputs(x, frames)

    def _outputs(self, x: Tensor, frames: int) -> Tensor:
        """Map the last block's output to that of :meth:`forward`, without the frames that were padded."""
        if torch.is_grad_enabled() or not x.is_contiguous(memory_format=torch.channels_last) or x.device.type != "cpu":
            return self.after_conv(x)[:, :, :frames]
        # As a product, with the outputs one after the other in memory: that is how the masks are used.
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2).transpose(1, 2)
        weight, bias = self.after_conv.weight.flatten(1), cast("Tensor", self.after_conv.bias)[:, None]
        return torch.baddbmm(bias, weight.expand(len(x), -1, -1), pixels).unflatten(2, x.shape[2:])[:, :, :frames]

    def _biases(self, block: str, betas: dict[str, Tensor]) -> list[Tensor]:
        return [betas[f"{block}->{name}"] for name in getattr(self, block).film_widths()]
