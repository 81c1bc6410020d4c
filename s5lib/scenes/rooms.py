"""Rooms opened once, and the spectra of their impulse responses, under a memory limit."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from s5lib.audio.memory import MemoryLimitedCache
from s5lib.audio.store import decoded_file
from s5lib.scenes.convolution import block_length, energy_kernel, response_spectra
from s5lib.scenes.sofa import Room, open_room, read_responses

__all__ = ["ResponseSpectra", "RoomStore", "direct_path"]


def direct_path(response: np.ndarray, before: int, after: int, signed_peak: bool = False) -> np.ndarray:
    """Return ``response [N]`` with zeros outside ``[peak - before, peak + after]``, both ends included.

    ``peak`` is the first sample of the largest magnitude or, with ``signed_peak``, of the largest value.
    """
    peak = int(np.argmax(response if signed_peak else np.abs(response)))
    window = slice(max(peak - before, 0), peak + after + 1)
    direct = np.zeros_like(response)
    direct[window] = response[window]
    return direct


@dataclass(frozen=True)
class ResponseSpectra:
    """Spectra of one position's responses on blocks of ``block`` samples; see :mod:`s5lib.scenes.convolution`."""

    block: int
    length: int
    """N, samples of the response."""
    channels: np.ndarray
    """[M, block + 1] complex64."""
    direct: np.ndarray
    """[block + 1] complex64, the direct path in channel 0."""
    kernel: np.ndarray
    """[block + 1] complex64, for the energy summed over channels."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.channels.nbytes + self.direct.nbytes + self.kernel.nbytes


class RoomStore:
    """Rooms at one sample rate, each SOFA file opened once, responses and their spectra kept under a memory limit.

    Args:
        sample_rate: in Hz; responses of another rate are resampled.
        memory_limit: bytes; two thirds for responses, of which a file must be read as a whole, one third for spectra.
        folder: keep the resampled responses in memory-mapped files there, shared by all processes.
    """

    def __init__(self, sample_rate: int, memory_limit: int, folder: str | os.PathLike | None = None):
        self.sample_rate = sample_rate
        self.folder = folder
        self._rooms: dict[str, Room] = {}
        self._spectra = MemoryLimitedCache(memory_limit // 3)
        self._responses = MemoryLimitedCache(memory_limit - memory_limit // 3)

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return self._responses.nbytes + self._spectra.nbytes

    def room(self, path: str) -> Room:
        """Return the room of a SOFA file."""
        if path not in self._rooms:
            self._rooms[path] = open_room(path)
        return self._rooms[path]

    def responses(self, path: str) -> np.ndarray:
        """Return the impulse responses ``[P, M, N]`` float32."""
        folder, rate = self.folder, self.sample_rate

        def read() -> np.ndarray:
            return read_responses(path, rate)

        if folder is None:
            return self._responses.get(path, read)
        return self._responses.get(path, lambda: decoded_file(path, folder, f"responses {rate} Hz", read)).array

    def spectra(self, path: str, index: int, before: int, after: int, signed_peak: bool) -> ResponseSpectra:
        """Return the spectra of position ``index``; the other arguments are those of :func:`direct_path`."""
        key = (path, index, before, after, signed_peak)
        return self._spectra.get(key, lambda: self._transform(*key))

    def _transform(self, path: str, index: int, before: int, after: int, signed_peak: bool) -> ResponseSpectra:
        response = self.responses(path)[index]
        block = block_length(response.shape[-1])
        channels = response_spectra(response, block)
        direct = response_spectra(direct_path(response[0], before, after, signed_peak), block)
        return ResponseSpectra(block, response.shape[-1], channels, direct, energy_kernel(channels, block))
