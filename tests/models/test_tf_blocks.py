"""TF-Locoformer's blocks against plain loops, and its published sizes."""

import cmath

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from s5lib.models.tf_blocks import BANDS, FRAMES, Attention, ConvSwiGLU, RMSGroupNorm, TFBlock, rotary_table, rotate


def naive_conv_swiglu(layer: ConvSwiGLU, sequence):
    """One position after the other, ``sequence [length, width]``."""
    widen = layer.widen.weight.flatten(2).double()  # [2 hidden, width, kernel]
    narrow = layer.narrow.weight.flatten(2).double()  # [hidden, width, kernel]
    kernel, length, hidden = widen.shape[2], len(sequence), len(narrow)
    output = layer.narrow.bias.double().repeat(length, 1)
    for middle in range(length + kernel - 1):
        both = layer.widen.bias.double().clone()
        for tap in range(kernel):
            position = middle + tap - (kernel - 1)
            if 0 <= position < length:
                both += widen[:, :, tap] @ sequence[position].double()
        gate = both[hidden:]
        gated = both[:hidden] * gate / (1 + torch.exp(-gate))
        for tap in range(kernel):
            position = middle + tap - (kernel - 1)
            if 0 <= position < length:
                output[position] += gated @ narrow[:, :, tap]
    return output


@pytest.mark.parametrize("along", [FRAMES, BANDS])
@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_conv_swiglu_against_loops(along, kernel):
    layer, x = ConvSwiGLU(6, 5, kernel, along), torch.randn(2, 4, 7, 6)
    wanted = torch.empty_like(x)
    for item in range(2):
        for other in range(7 if along == FRAMES else 4):
            where = (item, slice(None), other) if along == FRAMES else (item, other)
            wanted[where] = naive_conv_swiglu(layer, x[where]).float()
    with torch.no_grad():
        assert torch.allclose(layer(x), wanted, atol=1e-5)


def naive_attention(layer: Attention, sequence):
    """Heads, queries and keys one by one, positions as complex rotations; ``sequence [length, width]``."""
    query, key, value = layer.qkv(sequence).double().unflatten(-1, (3, layer.heads, -1)).unbind(1)
    length, _, size = query.shape
    attended = torch.zeros(length, layer.heads, size, dtype=torch.float64)
    for head in range(layer.heads):
        for i in range(length):
            scores = []
            for j in range(length):
                score = 0.0
                for pair in range(size // 2):
                    a = complex(query[i, head, pair], query[i, head, pair + size // 2])
                    b = complex(key[j, head, pair], key[j, head, pair + size // 2])
                    score += (a * b.conjugate() * cmath.exp(1j * (i - j) * 10000 ** (-2 * pair / size))).real
                scores.append(score / size**0.5)
            attended[i, head] = torch.softmax(torch.tensor(scores, dtype=torch.float64), 0) @ value[:, head]
    return layer.output(attended.flatten(1).float())


@pytest.mark.parametrize("along", [FRAMES, BANDS])
def test_attention_against_loops(along):
    layer, x = Attention(6, 8, 2, along), torch.randn(2, 3, 5, 6)
    with torch.no_grad():
        found = layer(x)
        for item in range(2):
            for other in range(5 if along == FRAMES else 3):
                where = (item, slice(None), other) if along == FRAMES else (item, other)
                assert torch.allclose(found[where], naive_attention(layer, x[where]), atol=1e-5)


def test_rotation_keeps_lengths_and_depends_on_distance():
    query, key = torch.randn(2, 1, 1, 8).expand(-1, 20, -1, -1)
    table = rotary_table(20, 8, query)
    a, b = rotate(query, table)[:, 0], rotate(key, table)[:, 0]
    assert torch.allclose(a.norm(dim=-1), query[:, 0].norm(dim=-1))
    products = a @ b.T
    for distance in range(-19, 20):
        diagonal = products.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4)
    assert not torch.allclose(products[0, 0], products[0, 1])


def test_group_norm():
    x = torch.randn(3, 12) * 7
    found = RMSGroupNorm(12, 4)(x)
    for row, wanted in zip(found, x, strict=True):
        for group in range(0, 12, 3):
            part = wanted[group : group + 3]
            assert torch.allclose(row[group : group + 3], part / part.square().mean().sqrt(), atol=1e-4)


class PlainTFLocoformer(nn.Module):
    """The published network around the blocks: every bin is a band, there are no prompts."""

    def __init__(self, blocks, width, hidden, kernel, sources=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(2, width, 3, padding=1), nn.GroupNorm(1, width))
        self.blocks = nn.Sequential(*(TFBlock(width, width, 4, hidden, kernel) for _ in range(blocks)))
        self.decoder = nn.ConvTranspose2d(width, 2 * sources, 3, padding=1)

    def forward(self, spectrum):
        return self.decoder(self.blocks(self.encoder(spectrum).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("sizes", "millions"), [((4, 96, 128, 8), 5.0), ((6, 128, 384, 4), 15.0)], ids=["small", "medium"]
)
def test_published_number_of_parameters(sizes, millions):
    blocks, width, hidden, kernel = sizes
    with torch.device("meta"):
        network = PlainTFLocoformer(*sizes)
    feed_forward = 3 * width * hidden * kernel + 2 * hidden + width
    path = 2 * feed_forward + 4 * width**2 + 3 * width
    wanted = blocks * 2 * path + (18 * width + width) + 2 * width + (36 * width + 4)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == wanted
    assert round(found / 1e6, 1) == millions


def test_published_number_of_operations():
    """497.24 GFLOP for a second at 16 kHz (https://arxiv.org/abs/2408.03440), without products inside attention."""
    with torch.device("meta"):
        network = PlainTFLocoformer(6, 128, 384, 4, sources=1)
        spectrum = torch.empty(1, 2, 63, 257)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(spectrum)
    counts = counter.get_flop_counts()["Global"]
    with_weights = counts[torch.ops.aten.convolution] + counts[torch.ops.aten.mm]
    assert with_weights / 1e9 == pytest.approx(497.24, rel=1e-3)
