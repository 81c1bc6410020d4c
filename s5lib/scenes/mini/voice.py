"""Speech-like syllables by a source-filter model: a glottal pulse train, moving formants, fricatives and bursts.

See Fant, "Acoustic theory of speech production" (1960) and Klatt, "Software for a cascade/parallel formant
synthesizer", JASA 67 (1980).  No words: syllables are drawn at random, as in babble.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import signal

from s5lib.scenes.mini.signals import SAMPLE_RATE, curve, edges, log_uniform, noise, place, samples

__all__ = ["speech"]

# the first three formants in Hz of vowels of a male voice, after Peterson and Barney, JASA 24 (1952)
VOWELS = np.array([
    (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440), (570, 840, 2410),
    (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
])  # fmt: skip
UPPER_FORMANTS = (3500.0, 4500.0)
BANDWIDTHS = (80.0, 100.0, 140.0, 220.0, 300.0)
FRICATIVES = ((4500.0, 10000.0), (2200.0, 6500.0), (1500.0, 9000.0))  # as in s, sh, f
BLOCK = 160  # 5 ms, in which the formants stand still


def _glottis(pitch: np.ndarray, open_part: float, tilt: float) -> np.ndarray:
    """Return the glottal flow's derivative ``[T]`` (Rosenberg's pulse) for ``pitch [T]`` in Hz."""
    position = np.cumsum(pitch) / SAMPLE_RATE % 1.0
    opening, closing = 0.66 * open_part, open_part
    flow = np.where(position < opening, 0.5 - 0.5 * np.cos(np.pi * position / opening), 0.0)
    falls = (position >= opening) & (position < closing)
    flow = np.where(falls, np.cos(0.5 * np.pi * (position - opening) / (closing - opening)), flow)
    return signal.lfilter([1 - tilt], [1, -tilt], np.diff(flow, prepend=flow[0]))


def _vocal_tract(sound: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Filter ``sound [T]`` by a cascade of resonances that move along ``formants [T, F]`` in Hz."""
    for number, bandwidth in enumerate(BANDWIDTHS):
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        out, state = np.empty_like(sound), np.zeros(2)
        for start in range(0, len(sound), BLOCK):
            block = slice(start, start + BLOCK)
            denominator = [1.0, -2 * radius * np.cos(2 * np.pi * formants[start, number] / SAMPLE_RATE), radius**2]
            out[block], state = signal.lfilter([sum(denominator)], denominator, sound[block], zi=state)
        sound = out
    return sound


def speech(source: Generator, take: Generator) -> np.ndarray:
    """Return a phrase of random syllables ``[T]`` by one speaker: own pitch, vocal tract, pace, breath and accent."""
    median = log_uniform(source, 85.0, 270.0)
    # higher voices have shorter tracts, but not in step
    tract = (median / 120.0) ** 0.18 * source.uniform(0.93, 1.12)
    pace = source.uniform(3.2, 6.0)
    open_part, tilt = source.uniform(0.5, 0.8), source.uniform(0.2, 0.75)
    breath, lively = source.uniform(0.01, 0.06), source.uniform(0.05, 0.16)
    hiss = source.uniform(0.5, 1.1)

    count = max(4, int(round(take.uniform(1.2, 2.3) * pace)))
    lengths = take.uniform(0.75, 1.25, count) / pace
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    length = samples(starts[-1] + 0.1)
    time = np.arange(length) / SAMPLE_RATE

    fall = 2.0 ** (-0.35 * time / time[-1] + lively * curve(take, length, pace) + 0.006 * curve(take, length, 30.0))
    loudness, knots, targets, frication = np.zeros(length), [0.0], [VOWELS[take.integers(len(VOWELS))]], np.zeros(length)
    for start, seconds in zip(starts[:-1], lengths, strict=True):
        consonant = take.random()
        onset = 0.06 if consonant < 0.75 else 0.03
        voiced = _swell(seconds, onset, take)
        place(loudness, voiced, start, take.uniform(0.55, 1.0))
        if consonant < 0.35:
            low, high = FRICATIVES[int(take.integers(len(FRICATIVES)))]
            rub = edges(noise(take, samples(0.09), low * tract, min(high * tract, 12000.0)), 0.03, 0.03)
            place(frication, rub, start, hiss * take.uniform(0.08, 0.2))
        elif consonant < 0.6:
            burst = edges(noise(take, samples(0.02), 1000.0, 6000.0), 0.001, 0.015)
            place(frication, burst, start + 0.03, hiss * take.uniform(0.15, 0.35))
        vowel, glide = VOWELS[take.integers(len(VOWELS))], VOWELS[take.integers(len(VOWELS))]
        knots += [start + 0.35 * seconds, start + 0.85 * seconds]
        targets += [vowel, 0.7 * vowel + 0.3 * glide]
    formants = np.stack([np.interp(time, knots, track) for track in np.array(targets).T], axis=1)
    formants = np.column_stack([formants, *(np.full(length, f) for f in UPPER_FORMANTS)]) * tract

    voice = _glottis(median * fall, open_part, tilt)
    voice = voice / np.std(voice) + breath * take.standard_normal(length)
    spoken = _vocal_tract(voice * loudness, formants)
    return edges(spoken / np.max(np.abs(spoken)) + frication, 0.005, 0.05)


def _swell(seconds: float, onset: float, take: Generator) -> np.ndarray:
    """Return a syllable's loudness ``[t]``: quiet while the consonant sounds, a swell, a decay."""
    out = np.zeros(samples(seconds))
    quiet = samples(onset * take.uniform(0.7, 1.3))
    out[quiet:] = edges(np.linspace(1.0, 0.6, len(out) - quiet), 0.03, 0.05)
    return out
