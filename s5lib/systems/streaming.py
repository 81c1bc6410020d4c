"""Long recordings window by window, each source followed from one window to the next, in memory that does not grow.

Models know recordings of some seconds with a few sources.  A longer one is cut into overlapping windows, and what is
found in one is joined to what was found in the one before: sources of the same label are matched by the squared error
over the overlap, and one window fades into the next by weights that add up to 1.  A source that is not found again
fades out; a new one fades in.  After a pause nothing shows who is back, so the first source of that label goes on.

:func:`stream` takes any function from a window to its sources, such as a whole system; :func:`separate_long` takes a
separator, whose labels are given.  Not for recordings of one window: these go through as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from s5lib.align import ClassAwarePermutationInvariant
from s5lib.errors import ConfigError
from s5lib.systems.source import Source

if TYPE_CHECKING:
    import torch

    from s5lib.interfaces import Separator

__all__ = ["Block", "concat", "separate_chunks", "separate_long", "stream"]

Signal = TypeVar("Signal")
"""What is read and what sources are found in: an array, or a tensor."""


@dataclass(frozen=True)
class Block:
    """The next samples of all sources found so far."""

    num_samples: int
    sources: list[Source]
    """``waveform [num_samples]`` each; the order stays, and later blocks may have more at the end.  ``probability`` is
    the highest so far"""


@dataclass
class _Track:
    """A source as it goes through the windows."""

    label: str
    probability: float
    tail: np.ndarray
    """its samples in the overlap, from the last window"""


def stream(
    find: Callable[[Signal], Sequence[Source]],
    read: Callable[[int, int], Signal],
    num_samples: int,
    window: int,
    overlap: int,
    grid: int = 1,
) -> Iterator[Block]:
    """Find the sources of a recording of any length.

    Args:
        find: gives the sources of ``[..., T]``, each ``[T]``.
        read: gives ``[..., stop - start]`` of the recording; called as ``read(start, stop)``, with ever later windows.
        num_samples: of the recording, at least 1.
        window: samples that ``find`` gets, where the recording has so many.
        overlap: samples that neighbouring windows share; less than ``window``.
        grid: windows begin at its multiples, of which ``window`` and ``overlap`` must be, too.

    Yields:
        The result block by block; all blocks together have ``num_samples``.
    """
    tracks: list[_Track] = []
    fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)).astype(np.float32)
    start, is_last = 0, False
    while not is_last:
        stop = min(start + window, num_samples)
        is_last = stop == num_samples
        # The last window reaches back, so as to be as long as the others.
        earlier = min(start, max(0, start + window - num_samples) // grid * grid)
        found = [
            Source(source.label, source.probability, source.waveform[earlier:])
            for source in find(read(start - earlier, stop))
        ]
        final = stop - start if is_last else stop - start - overlap
        sources = []
        for track, waveform in _continued(tracks, found, overlap, stop - start):
            if start:
                waveform = waveform.copy()
                waveform[:overlap] = track.tail + fade * (waveform[:overlap] - track.tail)
            track.tail = waveform[final:]
            sources.append(Source(track.label, track.probability, waveform[:final]))
        yield Block(final, sources)
        start += final


def _continued(
    tracks: list[_Track], found: Sequence[Source], overlap: int, length: int
) -> list[tuple[_Track, np.ndarray]]:
    """Return each track with its waveform in this window, silence where it was not found; ``tracks`` gets new ones."""
    track_of = _match(tracks, found, overlap)
    waveforms: dict[int, np.ndarray] = {}
    for index, source in enumerate(found):
        number = track_of.get(index, len(tracks))
        if number == len(tracks):
            tracks.append(_Track(source.label, source.probability, np.zeros(overlap, np.float32)))
        tracks[number].probability = max(tracks[number].probability, source.probability)
        waveforms[number] = source.waveform
    silence = np.zeros(length, np.float32)
    return [(track, waveforms.get(number, silence)) for number, track in enumerate(tracks)]


def _match(tracks: Sequence[_Track], found: Sequence[Source], overlap: int) -> dict[int, int]:
    """Return for each source found that continues a track, the number of that track."""
    if not tracks or not found:
        return {}
    tails = np.stack([track.tail for track in tracks])
    heads = np.stack([source.waveform[:overlap] for source in found])
    # Unlike a correlation, the squared error also shows which source goes on being silent.
    error = (tails**2).sum(1, dtype=float)[:, None] + (heads**2).sum(1, dtype=float) - 2 * (tails @ heads.T)
    labels = [track.label for track in tracks], [source.label for source in found]
    return {e: t for t, e in ClassAwarePermutationInvariant().align(-error, *labels).pairs}


def concat(blocks: Iterable[Block]) -> list[Source]:
    """Return the sources of all blocks in one piece each, silent before they were found.

    >>> one = Block(2, [Source("Dog", 0.5, np.ones(2))])
    >>> two = Block(1, [Source("Dog", 0.7, np.zeros(1)), Source("Rain", 0.9, np.ones(1))])
    >>> [(s.label, s.probability, s.waveform.tolist()) for s in concat([one, two])]
    [('Dog', 0.7, [1.0, 1.0, 0.0]), ('Rain', 0.9, [0.0, 0.0, 1.0])]
    """
    parts: list[list[np.ndarray]] = []
    last: list[Source] = []
    so_far = 0
    for block in blocks:
        for index, source in enumerate(block.sources):
            if index == len(parts):
                parts.append([np.zeros(so_far, np.float32)] if so_far else [])
            parts[index].append(source.waveform)
        last, so_far = block.sources, so_far + block.num_samples
    whole = (pieces[0] if len(pieces) == 1 else np.concatenate(pieces) for pieces in parts)
    return [Source(source.label, source.probability, waveform) for source, waveform in zip(last, whole, strict=True)]


def separate_long(
    separator: Separator,
    mixture: torch.Tensor | np.ndarray,
    query: torch.Tensor,
    chunk_seconds: float = 10.0,
    overlap_seconds: float = 2.0,
) -> torch.Tensor:
    """Separate a recording of any length.

    Windows begin on the separator's own time grid, so that away from the seams the result is that of the whole
    recording.

    Args:
        separator: in eval mode; it gets windows on its own device.
        mixture: ``[B, M, T]``, a tensor or an array, which may be mapped from a file.
        query: ``[B, K, C]``, for the whole recording.
        chunk_seconds: what the separator sees at once.
        overlap_seconds: what neighbouring windows share; at most half of one.

    Returns:
        ``[B, K, T]`` float32 on the host.

    Raises:
        ConfigError: the lengths do not fit together.
        DataError: the separator refuses the mixture or the query.
    """
    import torch

    waveforms = torch.empty(mixture.shape[0], query.shape[1], mixture.shape[-1])
    start = 0
    for block in separate_chunks(separator, mixture, query, chunk_seconds, overlap_seconds):
        waveforms[..., start : start + block.shape[-1]] = block
        start += block.shape[-1]
    return waveforms


def separate_chunks(
    separator: Separator,
    mixture: torch.Tensor | np.ndarray,
    query: torch.Tensor,
    chunk_seconds: float = 10.0,
    overlap_seconds: float = 2.0,
) -> Iterator[torch.Tensor]:
    """Yield the result of :func:`separate_long` block by block ``[B, K, n]``, as they become final."""
    import torch

    if not 0 < overlap_seconds <= chunk_seconds / 2:
        raise ConfigError(
            f"chunks of {chunk_seconds:g} s cannot overlap by {overlap_seconds:g} s; expected more than 0 and at most "
            f"half of a chunk ({chunk_seconds / 2:g} s)."
        )
    rate, grid = separator.config.sample_rate, getattr(separator, "time_grid", 1)
    chunk, overlap = (grid * math.ceil(seconds * rate / grid) for seconds in (chunk_seconds, overlap_seconds))
    device = next(separator.parameters(), torch.empty(0)).device
    query = query.to(device)
    labels = [
        # Sources of different items are never matched, nor is a silent slot with any but itself.
        f"item {item}, {f'class {label}' if label >= 0 else f'silent slot {slot}'}"
        for item, row in enumerate(torch.where((query != 0).any(-1), query.argmax(-1), -1).tolist())
        for slot, label in enumerate(row)
    ]

    def find(part: torch.Tensor | np.ndarray) -> list[Source]:
        with torch.no_grad():
            waveforms = separator(torch.as_tensor(part).to(device), query).flatten(0, 1).float().cpu().numpy()
        return [Source(label, 1.0, waveform) for label, waveform in zip(labels, waveforms, strict=True)]

    def read(start: int, stop: int) -> torch.Tensor | np.ndarray:
        return mixture[..., start:stop]

    for block in stream(find, read, mixture.shape[-1], max(chunk, 2 * overlap), overlap, grid):
        yield torch.from_numpy(np.stack([source.waveform for source in block.sources])).unflatten(0, query.shape[:2])
