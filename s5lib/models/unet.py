"""The residual U-Net of the separators: from magnitudes and a query's embedding to complex masks.

Kong et al., "Universal source separation with weakly labelled data", https://arxiv.org/abs/2305.07447, and "Decoupling
magnitude and phase estimation with deep ResUNet", https://arxiv.org/abs/2109.05418.  Module names are those of the
official checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ConvBlock", "DecoderBlock", "EncoderBlock", "FiLM", "UNet"]

_SLOPE = 0.01  # of the leaky rectifiers
_MOMENTUM = 0.01  # of the batch normalisations' running statistics


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, momentum=_MOMENTUM)


def _activate(norm: nn.BatchNorm2d, x: Tensor, beta: Tensor) -> Tensor:
    """Normalise, add FiLM's bias and rectify, as in all blocks."""
    return F.leaky_relu(norm(x) + beta, _SLOPE, inplace=True)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions around a residual path."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.bn1, self.bn2 = _norm(inputs), _norm(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def film_widths(self) -> dict[str, int]:
        """Return the widths of the biases that the block takes."""
        return {"beta1": self.bn1.num_features, "beta2": self.bn2.num_features}

    def forward(self, x: Tensor, beta1: Tensor, beta2: Tensor) -> Tensor:
        """Map ``[B, inputs, frames, bins]`` to ``[B, outputs, frames, bins]``; betas are ``[B, width, 1, 1]``."""
        hidden = self.conv1(_activate(self.bn1, x, beta1))
        return self.shortcut(x) + self.conv2(_activate(self.bn2, hidden, beta2))


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
        self.bn1 = _norm(inputs)
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, stride, stride=stride, bias=False)
        self.conv_block2 = ConvBlock(2 * outputs, outputs)

    def film_widths(self) -> dict[str, int]:
        """Return the widths of the biases that the block takes."""
        inner = {f"conv_block2->{name}": width for name, width in self.conv_block2.film_widths().items()}
        return {"beta1": self.bn1.num_features, **inner}

    def forward(self, x: Tensor, skip: Tensor, beta1: Tensor, inner1: Tensor, inner2: Tensor) -> Tensor:
        """Map ``x`` of the layer below and ``skip [B, outputs, frames, bins]`` to ``skip``'s shape."""
        upsampled = self.conv1(_activate(self.bn1, x, beta1))
        return self.conv_block2(torch.cat([upsampled, skip], 1), inner1, inner2)


class FiLM(nn.ModuleDict):
    """Biases for all blocks from one query embedding: feature-wise modulation without the scale.

    Perez et al., "FiLM: visual reasoning with a general conditioning layer", https://arxiv.org/abs/1709.07871.
    """

    def __init__(self, condition_size: int, widths: dict[str, int]):
        super().__init__({name: nn.Linear(condition_size, width) for name, width in widths.items()})

    def forward(self, condition: Tensor) -> dict[str, Tensor]:
        """Map ``[B, condition_size]`` to a bias ``[B, width, 1, 1]`` per name."""
        return {name: layer(condition)[:, :, None, None] for name, layer in self.items()}


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class UNet(nn.Module):
    """Encoder blocks, one between, and as many decoder blocks.

    Each encoder block halves frames and bins, the last one bins alone; each decoder block doubles them again.
    """

    def __init__(self, inputs: int, outputs: int, bins: int, channels: tuple[int, ...]):
        super().__init__()
        self.depth = len(channels)
        self.frames_unit = 2 ** (self.depth - 1)
        strides = [(2, 2)] * (self.depth - 1) + [(1, 2)]
        self.bn0 = nn.BatchNorm1d(bins, momentum=_MOMENTUM)  # of each bin, over frames and channels
        self.pre_conv = nn.Conv2d(inputs, channels[0], 1)
        widths = [channels[0], *channels]
        for index, stride in enumerate(strides):
            self.add_module(f"encoder_block{index + 1}", EncoderBlock(widths[index], widths[index + 1], stride))
        self.add_module(f"conv_block{self.depth + 1}a", EncoderBlock(channels[-1], channels[-1], (1, 1)))
        for index, stride in enumerate(reversed(strides)):
            below = channels[-1] if index == 0 else channels[-index]
            self.add_module(f"decoder_block{index + 1}", DecoderBlock(below, channels[-1 - index], stride))
        self.after_conv = nn.Conv2d(channels[0], outputs, 1)
        self.apply(_initialise)

    def _named_blocks(self) -> list[tuple[str, nn.Module]]:
        """The blocks in the order in which data flows through them."""
        steps = range(1, self.depth + 1)
        names = [f"encoder_block{i}" for i in steps] + [f"conv_block{self.depth + 1}a"] + [f"decoder_block{i}" for i in steps]
        return [(name, getattr(self, name)) for name in names]

    def film_widths(self) -> dict[str, int]:
        """Return the name and width of each bias that :meth:`forward` takes."""
        return {
            f"{block_name}->{name}": width
            for block_name, block in self._named_blocks()
            for name, width in block.film_widths().items()
        }

    def forward(self, magnitude: Tensor, betas: dict[str, Tensor]) -> Tensor:
        """Map ``magnitude [B, inputs, frames, bins]`` to ``[B, outputs, frames, bins - 1]``: all bins but the highest."""
        frames = magnitude.shape[2]
        x = self.bn0(magnitude.flatten(0, 2)).view_as(magnitude)[..., :-1]
        x = self.pre_conv(F.pad(x, (0, 0, 0, -frames % self.frames_unit)))
        waiting = []
        for block_name, block in self._named_blocks():
            biases = [betas[f"{block_name}->{name}"] for name in block.film_widths()]
            if isinstance(block, DecoderBlock):
                x = block(x, waiting.pop(), *biases)
            else:
                x, full = block(x, *biases)
                if block.stride != (1, 1):
                    waiting.append(full)
        return self.after_conv(x)[:, :, :frames]
