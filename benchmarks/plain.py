"""The paper's networks written down plainly, in eager float32: what ``benchmarks/models.py`` compares with.

One operation after the other, as in the papers: a Fourier transform per channel, normalisation, bias and rectifier
apart, magnitude, cosine and sine of each bin, attention by its formula.  Parameters are those of s5lib's models.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.models.m2d import M2DTagger
from s5lib.models.resunetk import ResUNetK

__all__ = ["plain_resunetk", "plain_tagger"]


def _spectra(mixture: Tensor, n_fft: int, hop: int, window: Tensor) -> list[Tensor]:
    return [
        torch.stft(mixture[:, m], n_fft, hop, window=window, return_complex=True).transpose(1, 2)
        for m in range(mixture.shape[1])
    ]


def _norm(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return F.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, norm.momentum, norm.eps
    )


def _rectified(norm: nn.BatchNorm2d, x: Tensor, beta: Tensor) -> Tensor:
    x = _norm(norm, x)
    x = x + beta
    return F.leaky_relu(x, 0.01)


def _conv_block(block: nn.Module, x: Tensor, betas: dict[str, Tensor], name: str) -> Tensor:
    hidden = block.conv1(_rectified(block.bn1, x, betas[f"{name}->beta1"]))
    hidden = block.conv2(_rectified(block.bn2, hidden, betas[f"{name}->beta2"]))
    return block.shortcut(x) + hidden


def _unet(base: nn.Module, magnitude: Tensor, betas: dict[str, Tensor]) -> Tensor:
    frames, depth = magnitude.shape[2], sum(name.startswith("encoder_block") for name, _ in base.named_children())
    x = _norm(base.bn0, magnitude.transpose(1, 3)).transpose(1, 3)
    x = F.pad(x, (0, 0, 0, -frames % base.frames_unit))[..., :-1]
    x = base.pre_conv(x)
    skips = []
    for name in [f"encoder_block{i + 1}" for i in range(depth)] + [f"conv_block{depth + 1}a"]:
        block = getattr(base, name)
        full = _conv_block(block.conv_block1, x, betas, f"{name}->conv_block1")
        skips.append(full)
        x = F.avg_pool2d(full, block.stride)
    for i in range(depth):
        name = f"decoder_block{i + 1}"
        block = getattr(base, name)
        x = block.conv1(_rectified(block.bn1, x, betas[f"{name}->beta1"]))
        x = torch.cat((x, skips[depth - 1 - i]), dim=1)
        x = _conv_block(block.conv_block2, x, betas, f"{name}->conv_block2")
    return F.pad(base.after_conv(x), (0, 1))[:, :, :frames]


def plain_resunetk(model: ResUNetK, mixture: Tensor, query: Tensor) -> Tensor:
    """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``."""
    base, fourier = model.base, model.base.fourier
    condition = model.label_embedding(query.flatten(1))
    betas = {name: layer(condition)[:, :, None, None] for name, layer in model.film.items()}
    spectrum = torch.stack(_spectra(mixture, fourier.n_fft, fourier.hop_length, fourier.window), 1)
    real, imaginary = spectrum.real, spectrum.imag
    magnitude = torch.clamp(real**2 + imaginary**2, 1e-10, float("inf")) ** 0.5
    cosine, sine = real / magnitude, imaginary / magnitude
    outputs = _unet(base, magnitude, betas).unflatten(1, (base.num_sources, -1, 3))
    mask = torch.sigmoid(outputs[:, :, :, 0])
    turn_real, turn_imaginary = torch.tanh(outputs[:, :, :, 1]), torch.tanh(outputs[:, :, :, 2])
    length = torch.clamp(turn_real**2 + turn_imaginary**2, 1e-20, float("inf")) ** 0.5
    turn_cosine, turn_sine = turn_real / length, turn_imaginary / length
    out_cosine = cosine[:, None] * turn_cosine - sine[:, None] * turn_sine
    out_sine = sine[:, None] * turn_cosine + cosine[:, None] * turn_sine
    out_magnitude = F.relu(magnitude[:, None] * mask)
    parts = [base.out_conv((out_magnitude * part).flatten(0, 1)) for part in (out_cosine, out_sine)]
    separated = torch.complex(*parts)[:, 0].transpose(1, 2)
    waveforms = torch.istft(
        separated, fourier.n_fft, fourier.hop_length, window=fourier.window, length=mixture.shape[-1]
    )
    return waveforms.unflatten(0, (len(mixture), -1)) * (query.sum(-1, keepdim=True) > 0)


def _transformer_block(block: nn.Module, x: Tensor) -> Tensor:
    attention = block.attn
    batch, length, width = x.shape
    size = width // attention.heads
    query, key, value = (
        attention.qkv(block.norm1(x)).reshape(batch, length, 3, attention.heads, size).permute(2, 0, 3, 1, 4)
    )
    weights = torch.softmax(query @ key.transpose(-2, -1) * size**-0.5, dim=-1)
    x = x + attention.proj((weights @ value).transpose(1, 2).reshape(batch, length, width))
    return x + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))


def plain_tagger(model: M2DTagger, mixture: Tensor) -> Tensor:
    """Map ``mixture [B, M, T]``, at most 10 s, to ``logits [B, K, C + 1]``."""
    backbone, fourier = model.backbone, model.log_mel.fourier
    features = []
    for spectrum in _spectra(mixture, fourier.n_fft, fourier.hop_length, fourier.window):
        energy = (spectrum.abs() ** 2) @ model.log_mel.bank
        log_mel = torch.log(energy + torch.finfo(torch.float32).eps).transpose(1, 2)
        features.append((log_mel - backbone.norm_stats[0]) / backbone.norm_stats[1])
    x = torch.stack(features, 1).flatten(0, 1)
    if (
        x.shape[-1] < backbone.frames * model.config.patch_size
    ):  # where there is no place for a last patch, it is left out
        x = F.pad(x, (0, -x.shape[-1] % model.config.patch_size))
    patches = backbone.patch_embed.proj(x[:, None]).permute(0, 2, 3, 1)
    steps = patches.shape[2]
    positions = backbone.pos_embed[:, 1:].unflatten(1, (backbone.bands, backbone.frames))[:, :, :steps]
    token = (backbone.cls_token + backbone.pos_embed[:, :1]).expand(len(x), -1, -1)
    x = torch.cat([token, (patches + positions).flatten(1, 2)], 1)
    for block in backbone.blocks:
        x = _transformer_block(block, x)
    x = backbone.norm(x)[:, 1:].unflatten(1, (backbone.bands, steps)).transpose(1, 2).flatten(2)
    return model.head(x.mean(1).unflatten(0, (len(mixture), -1)).flatten(1))
