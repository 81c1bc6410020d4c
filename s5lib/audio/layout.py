"""From the channels of a recording to those that models have: selection, Ambisonics conventions, up- and downmix.

All of it is linear and acts on each sample by itself, so it is one matrix.

First-order Ambisonics comes in several conventions.  The models have AmbiX: the order W, Y, Z, X (ACN) with SN3D
normalisation [1].  N3D has Y, Z and X sqrt(3) times as large; FuMa has W smaller by sqrt(2) and, as a rule, the order
W, X, Y, Z [2].

What is no Ambisonics has no directions that models for Ambisonics know.  One or two channels become W, as their mean,
and Y, Z and X are silent.  Models for one channel hear W of four channels, or the mean of two.  Anything else is an
error: the mean of an array's microphones is a comb filter, and which of them to take is not for a program to guess.

[1] C. Nachbar, F. Zotter, E. Deleflie, A. Sontacchi: "ambiX: a suggested Ambisonics format",
    Ambisonics Symposium, 2011.
[2] D. G. Malham: "Higher order Ambisonic systems", 2003 (from "Space in music, music in space", University of York).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from s5lib.errors import ConfigError, DataError, nearest

__all__ = ["CHANNEL_ORDERS", "NORMALISATIONS", "ChannelLayout", "used_channels"]

CHANNEL_ORDERS = ("WYZX", "WXYZ")
"""Orders of first-order Ambisonics: that of ACN, which the models have, and that of FuMa."""
NORMALISATIONS = {"sn3d": (1, 1, 1, 1), "n3d": (1, 3**-0.5, 3**-0.5, 3**-0.5), "fuma": (2**0.5, 1, 1, 1)}
"""Factors of W, Y, Z, X that lead to SN3D."""


@dataclass(frozen=True)
class ChannelLayout:
    """How the channels of recordings become ``wanted`` channels.

    Args:
        wanted: channels of the models; None: as many as there are.
        channels: ``"all"``; ``"mean"``, one channel; ``"first"``, as many as wanted; or the numbers of those to take,
            from 0.
        order: one of :data:`CHANNEL_ORDERS`, of recordings that have (or of which are taken) four channels.
        normalisation: one of :data:`NORMALISATIONS`, of the same.
        fewest: the fewest channels that the models accept: 1, of those that W, or W and Y, are enough for; None: all.

    Raises:
        ConfigError: an option has another value.
    """

    wanted: int | None = None
    channels: str | tuple[int, ...] = "all"
    order: str = "WYZX"
    normalisation: str = "sn3d"
    fewest: int | None = None

    def __post_init__(self) -> None:
        if self.order not in CHANNEL_ORDERS:
            raise ConfigError(f"--channel_order {self.order!r} is unknown. {nearest(self.order, CHANNEL_ORDERS)}")
        if self.normalisation not in NORMALISATIONS:
            raise ConfigError(
                f"--normalisation {self.normalisation!r} is unknown. {nearest(self.normalisation, NORMALISATIONS)}"
            )
        if isinstance(self.channels, str):
            if self.channels not in ("all", "first", "mean"):
                raise ConfigError(f"--channels is {self.channels!r}; expected 'all', 'mean' or numbers from 0.")
        elif not self.channels or min(self.channels) < 0:
            raise ConfigError(f"--channels is {self.channels}; expected numbers from 0.")

    def matrix(self, num_channels: int) -> tuple[np.ndarray | None, str]:
        """Return ``[wanted, num_channels]`` and what it loses, in words; None where all channels stay as they are.

        It has fewer rows where that is all that there is and ``fewest`` allows it.

        Raises:
            DataError: a channel is asked for that there is not, or the numbers of channels do not fit together.
        """
        taken, note = self._taken(num_channels), ""
        if len(taken) == 4:
            taken = np.array(NORMALISATIONS[self.normalisation])[:, None] * taken[[self.order.index(c) for c in "WYZX"]]
        given, wanted = len(taken), self.wanted or len(taken)
        if given != wanted:
            mean = "" if given == 1 else f"the mean of {given} channels is "
            if wanted == 1 and given == 4:
                taken, note = taken[:1], "only the first channel, W of Ambisonics, is heard"
            elif wanted == 1 and given == 2:
                taken, note = taken.mean(0, keepdims=True), f"{mean}heard"
            elif wanted == 4 and given in (1, 2):
                taken, note = self._front(taken), f"{mean or 'the recording is '}heard as W, without directions"
                if given == 2 and self.fewest == 1:
                    note = "the mean of 2 channels is heard as W, half of their difference as Y"
            elif given == self.fewest == 1:
                note = "the recording is heard as the first channel"
            else:
                raise DataError(_misfit(given, wanted))
        matrix = None if np.array_equal(taken, np.eye(num_channels)) else taken.astype(np.float32)
        return matrix, note

    def _front(self, taken: np.ndarray) -> np.ndarray:
        """Return W, and Y of a stereo recording: two cardioids to the left and to the right give both exactly."""
        mid = taken.mean(0, keepdims=True)
        if self.fewest == 1:
            return mid if len(taken) == 1 else np.concatenate([mid, (taken[:1] - taken[1:]) / 2])
        return np.concatenate([mid, np.zeros((3, taken.shape[1]))])

    def apply(self, waveform: ArrayLike) -> np.ndarray:
        """Return ``[wanted, T]`` float32 from ``[M, T]``, or from ``[T]`` of one channel; raises as :meth:`matrix`.

        >>> ChannelLayout(wanted=4).apply([0.5, -0.5]).tolist()
        [[0.5, -0.5], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
        """
        samples = np.atleast_2d(np.asarray(waveform, np.float32))
        matrix, _ = self.matrix(len(samples))
        if matrix is None:
            return samples
        used = used_channels(matrix)
        mixed: np.ndarray = matrix[:, used] @ samples[used]
        return mixed

    def _taken(self, num_channels: int) -> np.ndarray:
        if self.channels == "mean":
            return np.full((1, num_channels), 1 / num_channels)
        everything = np.eye(num_channels)
        if self.channels in ("all", "first"):
            return everything[: self.wanted] if self.channels == "first" else everything
        numbers = [int(channel) for channel in self.channels]
        if max(numbers) >= num_channels:
            raise DataError(
                f"--channels asks for channel {max(numbers)}, but the recording has {num_channels}, counted from 0."
            )
        return everything[numbers]


def used_channels(matrix: np.ndarray) -> np.ndarray:
    """Return the columns of ``matrix`` that are not zero: what else a recording has, NaN included, has no effect."""
    return np.flatnonzero(matrix.any(0))


def _misfit(given: int, wanted: int) -> str:
    some = ",".join(map(str, range(wanted)))
    options = [f"--channels {some} takes these channels"] if given > wanted > 1 else []
    if given > 1 and wanted in (1, 4):
        options += ["--channels N takes one, counted from 0", "--channels mean takes the mean of all"]
    needed = {
        1: "1 (mono), 2 (stereo) or 4 (first-order Ambisonics)",
        4: "4 (first-order Ambisonics), 2 (stereo) or 1 (mono)",
    }
    advice = f" {'; '.join(options)}." if options else " Use other models or another recording."
    return (
        f"the recording has {given} channel{'s' * (given != 1)}, the system needs {needed.get(wanted, wanted)}.{advice}"
        " See also --channel_order and --normalisation."
    )
