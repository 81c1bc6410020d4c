"""Room impulse responses of any reverberation time: image sources for the early part, decaying noise for the tail.

Image sources grow with the cube of the time, so that they are used for the first 50 ms only.  Behind, echoes are so
dense that their sum is noise.  In a room of volume V, images at distance ct have the density 4 pi c^3 t^2 / V per
second, each with the energy 1 / (ct)^2 and what n = ct / l reflections leave of it, l = 4 V / S being the mean free
path.  So the tail's power in W is 4 pi c / V (1 - a)^n per second, with the walls' absorption a, and a third of it in
each of Y, Z and X.  See H. Kuttruff, "Room Acoustics", chapters 4 and 5; the reverberation time is Eyring's.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import fft

from s5lib.corpora.simulation.rooms import SPEED_OF_SOUND, Room, impulse_response, treble_share
from s5lib.corpora.simulation.signals import SAMPLE_RATE, edges, samples

__all__ = ["absorption_for", "reverberant_response", "reverberation_time"]

EARLY_SECONDS = 0.05
CROSSFADE_SECONDS = 0.02  # at the end of the early part, by rooms.impulse_response


def absorption_for(size: np.ndarray, reverberation: float) -> float:
    """Return the walls' absorption, 0 to 1, that gives a room of ``size [3]`` metres a reverberation time in seconds.

    >>> round(absorption_for(np.array([5.0, 4.0, 2.5]), 0.4), 3)
    0.211
    """
    volume, surface = _volume_and_surface(size)
    return float(1 - np.exp(-24 * np.log(10) * volume / (SPEED_OF_SOUND * surface * reverberation)))


def reverberation_time(room: Room) -> float:
    """Return the time in seconds in which sound decays by 60 dB (Eyring): the inverse of :func:`absorption_for`."""
    volume, surface = _volume_and_surface(room.size)
    return float(24 * np.log(10) * volume / (-SPEED_OF_SOUND * surface * np.log(1 - room.absorption)))


def reverberant_response(room: Room, position: np.ndarray, seconds: float, generator: Generator) -> np.ndarray:
    """Return the room impulse response ``[4, N]`` (W, Y, Z, X) of a source at ``position [3]``, ``seconds`` long.

    Args:
        room: its absorption and damping decide how the tail decays.
        position: metres from the microphone.
        seconds: of the response, faded out over the last 20 ms.
        generator: of the tail's noise.
    """
    length, early = samples(seconds), impulse_response(room, position, min(EARLY_SECONDS, seconds))
    out = np.zeros((4, length))
    out[:, : early.shape[1]] = early
    begin = samples(EARLY_SECONDS - CROSSFADE_SECONDS)
    if length <= samples(EARLY_SECONDS):
        return out
    tail = _tail(room, length, generator)
    tail[:, :begin] = 0
    fade = edges(np.ones(samples(EARLY_SECONDS)), 0.0, CROSSFADE_SECONDS)[begin:]
    tail[:, begin : begin + len(fade)] *= np.sqrt(1 - fade**2)
    return out + np.stack([edges(channel, 0.0, CROSSFADE_SECONDS) for channel in tail])


def _tail(room: Room, length: int, generator: Generator) -> np.ndarray:
    volume, surface = _volume_and_surface(room.size)
    time = np.arange(length) / SAMPLE_RATE
    reflections = SPEED_OF_SOUND * time * surface / (4 * volume)
    level = np.sqrt(4 * np.pi * SPEED_OF_SOUND / (volume * SAMPLE_RATE)) * (1 - room.absorption) ** (reflections / 2)
    noise = generator.standard_normal((4, length)) * np.array([1, *3 * [3**-0.5]])[:, None]
    treble, taper = treble_share(fft.rfftfreq(length, 1 / SAMPLE_RATE))
    spectra = fft.rfft(noise) * taper
    low, high = fft.irfft(spectra * (1 - treble), length), fft.irfft(spectra * treble, length)
    return level * (low + room.damping**reflections * high)


def _volume_and_surface(size: np.ndarray) -> tuple[float, float]:
    x, y, z = map(float, size)
    return x * y * z, 2 * (x * y + y * z + z * x)
