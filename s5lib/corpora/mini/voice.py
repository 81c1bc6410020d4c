"""Speech-like syllables by a source-filter model: a glottal pulse train, moving formants, fricatives and bursts.

See Fant, "Acoustic theory of speech production" (1960) and Klatt, "Software for a cascade/parallel formant
synthesizer", JASA 67 (1980).  No words: syllables are drawn at random, as in babble.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import signal

from s5lib.corpora.simulation.signals import SAMPLE_RATE, curve, edges, log_uniform, noise, place, samples

__all__ = ["speech"]

# the first three formants in Hz of vowels of a male voice, after Peterson and Barney, JASA 24 (1952)
VOWELS = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (570, 840, 2410),
        (440, 1020, 2240),
        (300, 870, 2240),
        (640, 1190, 2390),
        (490, 1350, 1690),
    ]
)
BANDWIDTHS = (80.0, 100.0, 140.0)
# the others lie where a tube of 17 cm has them, whatever the tongue does; without them a voice is muffled above 4 kHz
UPPER_FORMANTS = np.array([3500.0, 4500.0, 5500.0, 6500.0])
FRICATIVES = ((4500.0, 10000.0), (2200.0, 6500.0), (1500.0, 9000.0))  # as in s, sh, f
BLOCK = 160  # 5 ms, in which the formants stand still


def _glottis(pitch: np.ndarray, open_part: float, tilt: float) -> np.ndarray:
    """Return the glottal flow's derivative ``[T]`` (Rosenberg's pulse) for ``pitch [T]`` in Hz.

    ``open_part`` of a period the glottis is open; ``tilt`` (0 to 1) is a one-pole low-pass, a softer voice.
    """
    position = np.cumsum(pitch) / SAMPLE_RATE % 1.0
    opening, closing = 0.66 * open_part, open_part
    flow = np.where(position < opening, 0.5 - 0.5 * np.cos(np.pi * position / opening), 0.0)
    falls = (position >= opening) & (position < closing)
    flow = np.where(falls, np.cos(0.5 * np.pi * (position - opening) / (closing - opening)), flow)
    return signal.lfilter([1 - tilt], [1, -tilt], np.diff(flow, prepend=flow[0]))


def _resonance(frequency: float, bandwidth: float) -> tuple[list[float], list[float]]:
    """Return numerator and denominator of a formant: a pair of poles, gain 1 at 0 Hz."""
    radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
    denominator = [1.0, -2 * radius * np.cos(2 * np.pi * frequency / SAMPLE_RATE), radius**2]
    return [sum(denominator)], denominator


def _vocal_tract(sound: np.ndarray, formants: np.ndarray, tract: float) -> np.ndarray:
    """Filter ``sound [T]`` by a cascade of formants: three that move along ``formants [T, 3]`` in Hz, and upper ones.

    ``tract`` scales the upper formants: above 1 for a short vocal tract.
    """
    for number, bandwidth in enumerate(BANDWIDTHS):
        out, state = np.empty_like(sound), np.zeros(2)
        for start in range(0, len(sound), BLOCK):
            block = slice(start, start + BLOCK)
            out[block], state = signal.lfilter(*_resonance(formants[start, number], bandwidth), sound[block], zi=state)
        sound = out
    for frequency in UPPER_FORMANTS * tract:
        sound = signal.lfilter(*_resonance(frequency, 0.07 * frequency), sound)
    return sound


def _swell(seconds: float, stopped: bool, take: Generator) -> np.ndarray:
    """Return a syllable's loudness ``[t]``: low or nothing while the consonant sounds, a swell, a decay."""
    length, shut = samples(seconds), samples((0.06 if stopped else 0.03) * take.uniform(0.7, 1.3))
    out = np.full(length, 0.0 if stopped else 0.25)
    out[shut:] += edges(np.linspace(1.0, 0.6, length - shut) - out[0], 0.03, 0.05)
    return edges(out, 0.01, 0.01)


def speech(source: Generator, take: Generator) -> np.ndarray:
    """Return a phrase of random syllables ``[T]`` by one speaker: own pitch, vocal tract, pace, breath and accent."""
    median = log_uniform(source, 85.0, 270.0)
    # higher voices have shorter tracts, but not in step
    tract = (median / 120.0) ** 0.18 * source.uniform(0.93, 1.12)
    pace = source.uniform(3.2, 6.0)
    open_part, tilt = source.uniform(0.45, 0.75), source.uniform(0.2, 0.6)
    breath, lively = source.uniform(0.01, 0.08), source.uniform(0.05, 0.16)
    hiss = source.uniform(0.5, 1.1)

    count = max(4, round(take.uniform(1.2, 2.3) * pace))
    lengths = take.uniform(0.75, 1.25, count) / pace
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    length = samples(starts[-1] + 0.1)
    time = np.arange(length) / SAMPLE_RATE

    fall = 2.0 ** (-0.35 * time / time[-1] + lively * curve(take, length, pace) + 0.006 * curve(take, length, 30.0))
    loudness, frication = np.zeros(length), np.zeros(length)
    knots, targets = [0.0], [VOWELS[take.integers(len(VOWELS))]]
    for start, seconds in zip(starts[:-1], lengths, strict=True):
        consonant = take.random()
        stopped = consonant < 0.6  # by a fricative or a burst; else a nasal or a glide, which is voiced all along
        place(loudness, _swell(seconds, stopped, take), start, take.uniform(0.55, 1.0))
        if consonant < 0.35:
            low, high = FRICATIVES[int(take.integers(len(FRICATIVES)))]
            rub = edges(noise(take, samples(0.09), low * tract, min(high * tract, 12000.0)), 0.03, 0.03)
            place(frication, rub, start, hiss * take.uniform(0.08, 0.2))
        elif stopped:
            burst = edges(noise(take, samples(0.02), 1000.0, 6000.0), 0.001, 0.015)
            place(frication, burst, start + 0.03, hiss * take.uniform(0.15, 0.35))
        vowel, glide = VOWELS[take.integers(len(VOWELS))], VOWELS[take.integers(len(VOWELS))]
        knots += [start + 0.35 * seconds, start + 0.85 * seconds]
        targets += [vowel, 0.7 * vowel + 0.3 * glide]
    formants = np.stack([np.interp(time, knots, track) for track in np.array(targets).T], axis=1)

    voice = _glottis(median * fall, open_part, tilt)
    voice = voice / np.std(voice) + breath * take.standard_normal(length)
    spoken = _vocal_tract(voice * loudness, formants * tract, tract)
    return edges(spoken / np.max(np.abs(spoken)) + frication, 0.005, 0.05)
