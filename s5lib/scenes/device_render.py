"""A batch of scenes to waveforms with torch, on any device: what :mod:`s5lib.scenes.render` does with numpy.

:func:`pack` lays the parts of several scenes out as tensors; :func:`render_batch` convolves, scales and adds them
where they are.  Convolution is overlap-add on one grid of blocks and a sound's level comes from autocorrelations, as in
:mod:`s5lib.scenes.convolution`; the block is as long as the batch's longest impulse response.  The host never waits for
the device, and values are added in a fixed order, so that a device gives the same bits every time.

Not for a single scene on the CPU: the renderer transforms each impulse response only once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.fft import irfft, rfft
from torch.utils.data import get_worker_info

from s5lib.scenes.convolution import block_length
from s5lib.scenes.parts import EventParts, SceneParts

__all__ = ["pack", "render_batch"]


def pack(scenes: Sequence[SceneParts], num_sources: int) -> dict:
    """Return what :func:`render_batch` needs for B scenes of equal length and number of channels.

    Args:
        scenes: with at most ``num_sources`` targets each, unless that is 0.
        num_sources: K; 0: no dry targets are rendered.

    Returns:
        A dict of tensors and numbers.  The E sounds are cut into N blocks, which come in rounds of at most one sound of
        each scene, so that what a round adds does not overlap.
    """
    channels, length = scenes[0].num_channels, scenes[0].num_samples
    events, rounds = _in_rounds(scenes)
    response = max((event.filters.shape[1] for *_, event in events), default=1)
    block = block_length(response)
    per_scene = -(-length // block)
    counts = [-(-(event.onset % block + len(event.sound)) // block) for *_, event in events]
    starts = np.cumsum([0, *counts])
    large = {
        "noise": _new_tensor(len(scenes), channels, length),
        "blocks": _new_tensor(int(starts[-1]), block),
        "filters": _new_tensor(len(events), channels + 1, response),
    }
    noise, blocks, filters = (tensor.numpy() for tensor in large.values())
    for index, parts in enumerate(scenes):
        _put_noise(parts, noise[index])
    # Blocks behind the end of their scene go to a place behind all others, which is then left out.
    wet = np.full(len(blocks), len(scenes) * per_scene)
    dry = np.full(len(blocks), len(scenes) * num_sources * per_scene)
    for number, (scene, slot, event) in enumerate(events):
        first, offset = divmod(event.onset, block)
        rows = slice(starts[number], starts[number + 1])
        inside = slice(rows.start, rows.start + max(0, min(counts[number], per_scene - first)))
        steps = first + np.arange(inside.stop - inside.start)
        samples, stop = blocks[rows].reshape(-1), offset + len(event.sound)
        samples[:offset], samples[stop:] = 0, 0
        np.divide(event.sound, event.peak, out=samples[offset:stop])
        filters[number, :, : event.filters.shape[1]], filters[number, :, event.filters.shape[1] :] = event.filters, 0
        wet[inside] = scene * per_scene + steps
        if num_sources and slot is not None:
            dry[inside] = (scene * num_sources + slot) * per_scene + steps
    heard = np.flatnonzero(dry < len(scenes) * num_sources * per_scene)
    of_sound = np.full((len(events), max(counts, default=0)), len(blocks))
    for row, start, count in zip(of_sound, starts, counts, strict=False):
        row[:count] = start + np.arange(count)
    values = [channels * (len(event.sound) + event.filters.shape[1] - 1) for *_, event in events]
    small = {
        "sound": np.repeat(np.arange(len(events)), counts),  # [N], to which sound a block belongs
        "of_sound": of_sound,  # [E, most blocks of a sound], N where it has fewer
        "levels": np.array([event.level for *_, event in events]) * np.sqrt(values),  # [E], root of the energy
        "wet_places": wet,  # [N]
        "dry_rows": heard,  # the blocks that targets have in their scenes
        "dry_places": dry[heard],
    }
    if any(scene.rotation is not None for scene in scenes):
        still = np.eye(channels, dtype=np.float32)
        turns = [still if scene.rotation is None else scene.rotation for scene in scenes]
        small["rotations"] = np.stack(turns)  # [B, M, M]
    tensors = {name: torch.from_numpy(array) for name, array in small.items()}
    return {**large, **tensors, "rounds": [0, *starts[rounds].tolist()], "num_sources": num_sources}


def _new_tensor(*shape: int) -> Tensor:
    """Return a tensor to be filled; in a loader's process, one that reaches the training process without a copy."""
    if get_worker_info() is None:
        return torch.empty(shape)
    storage = torch.empty(0).untyped_storage()._new_shared(4 * math.prod(shape))  # as torch's default_collate
    return torch.empty(0).set_(storage).view(shape)


def _put_noise(scene: SceneParts, target: np.ndarray) -> None:
    """Write a scene's noise ``[M, T]``."""
    if len(scene.noises) != 1:
        target[:] = 0
    for noise in scene.noises:
        part = target[:, noise.onset : noise.onset + noise.samples.shape[1]]
        samples, gain = noise.samples[:, : part.shape[1]], np.float32(noise.gain)
        if len(scene.noises) == 1:
            target[:, : noise.onset], target[:, noise.onset + part.shape[1] :] = 0, 0
            np.multiply(samples, gain, out=part)
        else:
            part += gain * samples


def _in_rounds(scenes: Sequence[SceneParts]) -> tuple[list[tuple[int, int | None, EventParts]], list[int]]:
    """Return (scene, slot of a target, event), the first of each scene, the second of each, ...; and rounds' ends."""
    found: list[tuple[int, int | None, EventParts]] = []
    ends = []
    for turn in range(max(len(scene.events) for scene in scenes)):
        for index, scene in enumerate(scenes):
            if turn < len(scene.events):
                found.append((index, turn if turn < scene.num_targets else None, scene.events[turn]))
        ends.append(len(found))
    return found, ends


@torch.no_grad()
def render_batch(parts: dict) -> tuple[Tensor, Tensor]:
    """Return mixtures ``[B, M, T]`` and dry targets ``[B, K, T]``, zeros in silent slots, both float32.

    Args:
        parts: from :func:`pack`, its tensors moved to a device.
    """
    mixture, blocks, sound = parts["noise"], parts["blocks"], parts["sound"]
    (scenes, channels, length), block = mixture.shape, blocks.shape[1]
    silent = mixture.new_zeros(scenes, parts["num_sources"], length)
    if not len(blocks):
        return _turned(mixture, parts), silent
    spectra = rfft(blocks, n=2 * block)
    filters = rfft(parts["filters"], n=2 * block)
    spectra *= _gains(spectra, filters[:, :channels], parts)[sound, None]
    per_scene = -(-length // block)
    wet = spectra.new_zeros(scenes * per_scene + 1, channels, block + 1)
    for start, stop in pairwise(parts["rounds"]):
        filtered = spectra[start:stop, None] * filters[sound[start:stop], :channels]
        wet.index_add_(0, parts["wet_places"][start:stop], filtered)
    mixture = mixture + _overlap_add(wet[:-1].unflatten(0, (scenes, per_scene)).transpose(1, 2), length)
    mixture = _turned(mixture, parts)
    rows = parts["dry_rows"]
    if not len(rows):
        return mixture, silent
    dry = spectra.new_zeros(scenes * parts["num_sources"] * per_scene, block + 1)
    dry.index_copy_(0, parts["dry_places"], spectra[rows] * filters[sound[rows], channels])
    return mixture, _overlap_add(dry.view(scenes, parts["num_sources"], per_scene, block + 1), length)


def _turned(mixture: Tensor, parts: dict) -> Tensor:
    """Return mixtures ``[B, M, T]`` as their scenes turn them."""
    return parts["rotations"] @ mixture if "rotations" in parts else mixture


def _gains(spectra: Tensor, filters: Tensor, parts: dict) -> Tensor:
    """Return ``[E]`` float32: what scales a sound so that, convolved, it has the energy that it is to have."""
    block = parts["blocks"].shape[1]
    # The responses' side: r_h(0), 2 r_h(1), ..., 2 r_h(block - 1), as in convolution.energy_kernel.
    lags = irfft(torch.view_as_real(filters).square().sum((1, -1)), n=2 * block)[:, :block]
    lags[:, 1:] *= 2
    kernel = rfft(lags, n=2 * block) / block
    kernel[:, 0] /= 2
    kernel[:, -1] /= 2
    # The sounds' side: each block with itself and the next one of the same sound.
    sound = parts["sound"]
    followed = torch.zeros_like(spectra)
    followed[:-1] = spectra[1:] * (sound[1:] == sound[:-1])[:, None]
    followed[:, 1::2] *= -1
    products = (followed + spectra) * spectra.conj()
    energy = (torch.view_as_real(products) * torch.view_as_real(kernel)[sound]).sum((1, 2), dtype=torch.float64)
    energy = torch.cat([energy, energy.new_zeros(1)])[parts["of_sound"]].sum(1)
    return (parts["levels"] / energy.sqrt()).to(torch.float32)


def _overlap_add(spectra: Tensor, length: int) -> Tensor:
    """Turn spectra of blocks ``[..., blocks, block + 1]`` into samples ``[..., length]``."""
    block = spectra.shape[-1] - 1
    halves = irfft(spectra, n=2 * block)
    samples = halves[..., :block].contiguous()
    samples[..., 1:, :] += halves[..., :-1, block:]
    return samples.flatten(-2)[..., :length]
