"""Rooms by the image-source method, heard by a first-order Ambisonics microphone.

pyroomacoustics finds the image sources of a shoebox room; as the four microphones (an omni and three figures-of-eight)
stand at one point, an image's four contributions differ by their gains alone, which are exact here.  The delays go on
a grid sixteen times as fine as the sampling, which is then band-limited: no filter bank, no ringing beyond the taper.
See Allen and Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65 (1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import fft, signal

from s5lib.corpora.simulation.ambience import ambisonic_gains
from s5lib.corpora.simulation.signals import SAMPLE_RATE, edges, samples

__all__ = ["SPEED_OF_SOUND", "Room", "draw_room", "image_sources", "impulse_response", "treble_share"]

SPEED_OF_SOUND = 343.0
MAX_ORDER = 14
POSITIONS = 36
_FINE = 16
# a sum of echoes that are all positive has a rumble that no room has
_HIGH_PASS = signal.butter(2, 40.0, "highpass", fs=SAMPLE_RATE, output="sos")


@dataclass(frozen=True)
class Room:
    """A shoebox room with a microphone in it and places around it where a source may stand."""

    size: np.ndarray
    """``[3]``, metres."""
    microphone: np.ndarray
    """``[3]``, metres from the room's corner."""
    absorption: float
    """The part of the energy that a wall swallows, 0 to 1."""
    damping: float
    """What is left of the amplitude above 4 kHz at each reflection, over that at low frequencies, 0 to 1."""
    positions: np.ndarray
    """``[P, 3]``, metres from the microphone: x to the front, y to the left, z up."""


def draw_room(generator: Generator) -> Room:
    """Draw a room of 4 to 8 m, mildly reverberant, with 36 positions all around at 0.75 to 1.5 m."""
    size = np.array([generator.uniform(4, 8), generator.uniform(4, 7), generator.uniform(2.6, 3.6)])
    microphone = size * np.array([generator.uniform(0.42, 0.58), generator.uniform(0.42, 0.58), 0.5])
    azimuth = 2 * np.pi * (np.arange(POSITIONS) + generator.uniform(-0.3, 0.3, POSITIONS)) / POSITIONS
    elevation = np.radians(generator.uniform(-20, 20, POSITIONS))
    distance = generator.uniform(0.75, 1.5, POSITIONS)
    unit = np.stack([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)], 1)
    return Room(size, microphone, generator.uniform(0.3, 0.6), generator.uniform(0.7, 0.95), distance[:, None] * unit)


def treble_share(frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of a reflection is damped as treble is, at ``frequency [F]`` in Hz, and the band limit's gain."""
    treble = 1 / (1 + (1500.0 / np.maximum(frequency, 1.0)) ** 2)
    taper = np.cos(0.5 * np.pi * np.clip((frequency - 14500.0) / 1500.0, 0, 1)) ** 2
    return treble, taper


def image_sources(room: Room, position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the images of a source at ``position [3]`` (metres from the microphone), the source itself among them.

    Returns:
        Their vectors ``[I, 3]`` from the microphone in metres, what the walls leave of their amplitudes ``[I]``, and
        the numbers of reflections ``[I]``.
    """
    import pyroomacoustics as pra

    box = pra.ShoeBox(room.size, fs=SAMPLE_RATE, materials=pra.Material(room.absorption), max_order=MAX_ORDER)
    box.add_microphone(room.microphone)
    box.add_source(room.microphone + position)
    box.image_source_model()
    source = box.sources[0]
    return source.images.T - room.microphone, source.damping[0], source.orders


def impulse_response(room: Room, position: np.ndarray, seconds: float) -> np.ndarray:
    """Return the room impulse response ``[4, N]`` (W, Y, Z, X) of a source at ``position [3]``, ``seconds`` long.

    A direct sound over 1 m has the amplitude 1 in W.
    """
    vectors, walls, orders = image_sources(room, position)
    distance = np.linalg.norm(vectors, axis=1)
    length = samples(seconds)
    padded = fft.next_fast_len(length + 256, real=True)
    delay = np.round(distance / SPEED_OF_SOUND * SAMPLE_RATE * _FINE).astype(int)
    heard = delay < length * _FINE
    gains = ambisonic_gains(vectors[heard]) * (walls / distance)[heard]

    # reflections lose more above 4 kHz than below: two sums, blended over the frequency
    frequency = fft.rfftfreq(padded, 1 / SAMPLE_RATE)
    treble, taper = treble_share(frequency)
    out = np.zeros((4, padded))
    for channel in range(4):
        spectrum = 0.0
        for damped, blend in ((1.0, 1 - treble), (room.damping ** orders[heard], treble)):
            fine = np.bincount(delay[heard], gains[channel] * damped, minlength=padded * _FINE)
            spectrum = spectrum + fft.rfft(fine)[: len(frequency)] * blend
        out[channel] = fft.irfft(spectrum * taper, padded)
    out = signal.sosfilt(_HIGH_PASS, out, axis=1)[:, :length]
    return np.stack([edges(channel, 0.0, 0.02) for channel in out])
