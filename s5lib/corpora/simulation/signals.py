"""Building blocks of the sound models: decaying partials, shaped noise, resonances, envelopes, and the last polish.

All signals are float64 at 32 kHz.  Every sound model has the signature ``model(source, take) -> [T]``: what it draws
from the generator ``source`` belongs to the thing that sounds (the bell, the speaker) and is the same in all its takes;
what it draws from ``take`` belongs to one use of it (which notes, which syllables, how hard).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import signal

__all__ = [
    "MAXIMUM_SECONDS",
    "SAMPLE_RATE",
    "curve",
    "decaying_partials",
    "edges",
    "finish",
    "log_uniform",
    "noise",
    "phase",
    "place",
    "resonator",
    "samples",
    "silence",
]

SAMPLE_RATE = 32000
MAXIMUM_SECONDS = 3.0
PEAK = 0.9
# 40 Hz: below what any model of the package has to say, so that no DC and no rumble is left
_HIGH_PASS = signal.butter(2, 40.0, "highpass", fs=SAMPLE_RATE, output="sos")


def samples(seconds: float) -> int:
    """Return the number of samples of ``seconds``.

    >>> samples(0.5)
    16000
    """
    return round(seconds * SAMPLE_RATE)


def silence(seconds: float) -> np.ndarray:
    """Return zeros ``[T]`` to :func:`place` sounds into."""
    return np.zeros(samples(seconds))


def log_uniform(generator: Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform, as suits frequencies and tempi."""
    return float(low * (high / low) ** generator.random())


def place(track: np.ndarray, sound: np.ndarray, seconds: float, gain: float = 1.0) -> None:
    """Add ``sound [t]`` to ``track [T]`` in place, from ``seconds`` on; what does not fit is cut."""
    start = samples(seconds)
    fits = sound[: max(0, len(track) - start)]
    track[start : start + len(fits)] += gain * fits


def decaying_partials(
    frequencies: np.ndarray, amplitudes: np.ndarray, decays: np.ndarray, seconds: float
) -> np.ndarray:
    """Return a struck body's sound ``[T]``: sines that decay exponentially, the modes of a bell or a bar.

    All start at phase 0, without a click.

    Args:
        frequencies: ``[P]`` in Hz; those at or above 15 kHz are left out.
        amplitudes: ``[P]``, linear.
        decays: ``[P]``, the time constants in seconds (down to 1/e).
        seconds: the length.
    """
    time = np.arange(samples(seconds)) / SAMPLE_RATE
    out = np.zeros(len(time))
    for f, a, d in zip(frequencies, amplitudes, decays, strict=True):
        if f < 15000.0:
            heard = min(len(time), samples(9.0 * d) + 1)  # beyond nine time constants it is below -78 dB
            out[:heard] += a * np.exp(-time[:heard] / d) * np.sin(2 * np.pi * f * time[:heard])
    return out


def edges(sound: np.ndarray, attack: float, release: float) -> np.ndarray:
    """Return ``sound [T]`` with raised-cosine fades of ``attack`` and ``release`` seconds at its ends."""
    out = np.array(sound, float)
    up, down = min(samples(attack), len(out)), min(samples(release), len(out))
    if up:
        out[:up] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(up) / up)
    if down:
        out[len(out) - down :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, down + 1) / down)
    return out


def phase(frequency: np.ndarray) -> np.ndarray:
    """Integrate ``frequency [T]`` in Hz to a phase ``[T]`` in radians."""
    return 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE


def curve(generator: Generator, length: int, rate: float) -> np.ndarray:
    """Return a smooth random curve ``[length]`` of about unit variance that changes about ``rate`` times a second."""
    knots = max(4, int(np.ceil(length / SAMPLE_RATE * rate)) + 4)
    at = np.arange(length) * rate / SAMPLE_RATE + generator.random()
    # linear between knots, then smoothed over half a knot's width: no corners
    shape = np.interp(at, np.arange(knots), generator.standard_normal(knots) * 1.2)
    width = max(1, min(length, samples(0.5 / rate)))
    padded = np.pad(shape, (width // 2, width - 1 - width // 2), mode="edge")
    total = np.concatenate([[0.0], np.cumsum(padded)])
    return (total[width:] - total[:-width]) / width


def noise(generator: Generator, length: int, low: float, high: float, tilt: float = 0.0) -> np.ndarray:
    """Return Gaussian noise ``[length]`` of unit variance between ``low`` and ``high`` Hz.

    ``tilt`` is the slope in dB per octave inside the band (-3: pink, -6: brown); outside it falls by 24 dB per octave.
    """
    spectrum = np.fft.rfft(generator.standard_normal(length))
    f = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 1.0)
    gain = (f / low) ** (tilt / 6.0206) / np.sqrt((1 + (low / f) ** 8) * (1 + (f / high) ** 8))
    gain[0] = 0.0
    out = np.fft.irfft(spectrum * gain, length)
    return out / np.sqrt(np.mean(out**2))


def resonator(sound: np.ndarray, frequency: float, bandwidth: float) -> np.ndarray:
    """Filter ``sound [T]`` by a two-pole resonance at ``frequency``, ``bandwidth`` wide (Hz), of gain 1 at its peak."""
    return signal.lfilter(*signal.iirpeak(frequency, frequency / bandwidth, fs=SAMPLE_RATE), sound)


def finish(sound: np.ndarray) -> np.ndarray:
    """Return ``sound [T]`` as a clip: no DC, nothing below -50 dB around it, at most 3 s, soft ends, a peak of 0.9."""
    sound = signal.sosfilt(_HIGH_PASS, sound)
    loud = np.flatnonzero(np.abs(sound) > 3e-3 * np.max(np.abs(sound)))
    sound = sound[loud[0] : loud[-1] + 1][: samples(MAXIMUM_SECONDS)]
    sound = edges(sound, 0.001, 0.03)
    return sound * (PEAK / np.max(np.abs(sound)))
