"""Long recordings window by window, each source followed from one window to the next, in memory that does not grow.

A system knows recordings of some seconds, with a few sources.  So it hears a longer one in overlapping windows, and what
it finds in one is joined to what it found in the one before: sources of the same label are matched by what they have in
common in the overlap, and one window fades into the next by weights that add up to 1.  A source that is not found again
fades out; a new one fades in.  After a pause nothing tells who is back, so the first source of that label goes on.

Works with any system.  Not for recordings of one window: these go through as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from s5lib.align import ClassAwarePermutationInvariant
from s5lib.systems.source import Source

__all__ = ["Block", "concat", "stream"]


@dataclass(frozen=True)
class Block:
    """The next samples of all sources that have been found so far."""

    num_samples: int
    sources: list[Source]
    """``waveform [num_samples]`` each; the order stays, and later blocks may have more at the end.  ``probability``: the
    highest so far"""


@dataclass
class _Track:
    """A source as it goes through the windows."""

    label: str
    probability: float
    tail: np.ndarray
    """what the last window had of it over the overlap"""


def stream(
    find: Callable[[np.ndarray], Sequence[Source]],
    read: Callable[[int, int], np.ndarray],
    num_samples: int,
    window: int,
    overlap: int,
) -> Iterator[Block]:
    """Find the sources of a recording of any length.

    Args:
        find: gives the sources of ``[M, T]``, each ``[T]``.
        read: gives ``[M, stop - start]`` of the recording; called as ``read(start, stop)``, with ever later windows.
        num_samples: of the recording, at least 1.
        window: samples that ``find`` gets, where the recording has so many.
        overlap: samples that neighbouring windows share; less than ``window``.

    Yields:
        The result block by block; all blocks together have ``num_samples``.
    """
    tracks: list[_Track] = []
    fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)).astype(np.float32)
    start, is_last = 0, False
    while not is_last:
        stop = min(start + window, num_samples)
        is_last = stop == num_samples
        begin = max(0, stop - window)  # the last window reaches back, so as to be as long as the others
        found = [(s.label, s.probability, s.waveform[start - begin :]) for s in find(read(begin, stop))]
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


def _continued(tracks: list[_Track], found, overlap: int, length: int) -> list[tuple[_Track, np.ndarray]]:
    """Return each track with its waveform in this window, silence where it was not found; ``tracks`` gets new ones."""
    pairs = {}
    if tracks and found:
        tails, heads = (np.stack(rows) for rows in ([t.tail for t in tracks], [w[:overlap] for _, _, w in found]))
        # The squared error, as far as it depends on the pairing: it also tells which source goes on being silent.
        error = (tails**2).sum(1, dtype=float)[:, None] + (heads**2).sum(1, dtype=float) - 2 * (tails @ heads.T)
        labels = [track.label for track in tracks], [label for label, _, _ in found]
        pairs = {e: t for t, e in ClassAwarePermutationInvariant().align(-error, *labels).pairs}
    waveforms: dict[int, np.ndarray] = {}
    for index, (label, probability, waveform) in enumerate(found):
        if index not in pairs:
            pairs[index] = len(tracks)
            tracks.append(_Track(label, probability, np.zeros(overlap, np.float32)))
        track = tracks[pairs[index]]
        track.probability = max(track.probability, probability)
        waveforms[pairs[index]] = waveform
    silence = np.zeros(length, np.float32)
    return [(track, waveforms.get(index, silence)) for index, track in enumerate(tracks)]


def concat(blocks: Iterator[Block]) -> list[Source]:
    """Return the sources of all blocks in one piece each, silent before they were found.

    >>> one = Block(2, [Source("Dog", 0.5, np.ones(2))])
    >>> two = Block(1, [Source("Dog", 0.7, np.zeros(1)), Source("Rain", 0.9, np.ones(1))])
    >>> [(s.label, s.probability, s.waveform.tolist()) for s in concat(iter([one, two]))]
    [('Dog', 0.7, [1.0, 1.0, 0.0]), ('Rain', 0.9, [0.0, 0.0, 1.0])]
    """
    parts: list[list[np.ndarray]] = []
    last, so_far = [], 0
    for block in blocks:
        for index, source in enumerate(block.sources):
            if index == len(parts):
                parts.append([np.zeros(so_far, np.float32)] if so_far else [])
            parts[index].append(source.waveform)
        last, so_far = block.sources, so_far + block.num_samples
    whole = (pieces[0] if len(pieces) == 1 else np.concatenate(pieces) for pieces in parts)
    return [Source(source.label, source.probability, waveform) for source, waveform in zip(last, whole, strict=True)]
