"""Waveforms as pictures inside the page.

The spectrogram has a mel axis and 32 shades, as a PNG with a palette: about 12 kB.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from s5lib.report.svg import element

__all__ = ["AUDIO_FORMATS", "mel_picture", "spectrogram_chart"]

AUDIO_FORMATS = ("mp3", "flac", "none")
_SHADES, _RANGE_DB = 32, 70.0
_FREQUENCIES = ((250, "0.25"), (1000, "1"), (4000, "4"), (16000, "16"))


def mel_picture(waveform: np.ndarray, sample_rate: int, width: int = 300, height: int = 96) -> np.ndarray:
    """Return mean powers ``[height, width]``, low frequencies first, evenly spaced in time and in mel.

    Mel is ``2595 log10(1 + f / 700)`` (D. O'Shaughnessy, Speech Communication, 1987).
    """
    size = 1 << max(6, int(np.log2(sample_rate * 0.032)))
    hop = max(1, len(waveform) // width)
    window = np.hanning(size + 1)[:-1]
    padded = np.pad(np.asarray(waveform, np.float64), (size // 2, size + hop))
    count = max(width, 1 + (len(waveform) - 1) // hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:count]
    power = np.abs(np.fft.rfft(frames * window)).T ** 2 / np.sum(window) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + sample_rate / 2 / 700), height + 1)
    edges = 700 * (10 ** (mels / 2595) - 1) * size / sample_rate
    sums = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, 0)])
    edges = np.clip(edges, 0, power.shape[0] - 1)
    at_edge = np.stack([np.interp(edges, np.arange(len(sums)), column) for column in sums.T], 1)
    rows = np.diff(at_edge, axis=0) / np.diff(edges)[:, None]
    index = np.minimum(np.arange(width) * rows.shape[1] // width, rows.shape[1] - 1)
    return rows[:, index]


def _png(levels: np.ndarray) -> bytes:
    """Return ``levels [H, W]``, 0 to 31, as a PNG with a palette."""
    from matplotlib import colormaps
    from PIL import Image  # matplotlib brings it

    image = Image.fromarray(levels.astype(np.uint8))
    palette = np.round(255 * colormaps["magma"](np.linspace(0, 1, _SHADES))[:, :3])  # dark to light for all eyes
    image.putpalette(palette.astype(np.uint8).tobytes())
    data = io.BytesIO()
    image.save(data, "png", optimize=True)
    return data.getvalue()


def spectrogram_chart(waveform: np.ndarray, sample_rate: int, peak_power: float, name: str) -> Markup:
    """Return the spectrogram of ``waveform [T]`` as SVG as wide as its place, with axes whose letters keep their size.

    Args:
        peak_power: of :func:`mel_picture`, the brightest colour; 70 dB below it all is dark.
        name: read aloud in place of the picture.
    """
    power = mel_picture(waveform, sample_rate)
    level = 10 * np.log10(np.maximum(power, 1e-20) / max(peak_power, 1e-20)) / _RANGE_DB + 1
    levels = np.clip(level * (_SHADES - 1), 0, _SHADES - 1).round()[::-1]
    uri = "data:image/png;base64," + base64.b64encode(_png(levels)).decode()
    top, bottom = 8.0, 128.0  # the letters of the axes stand outside, in the margins that the style sheet leaves
    parts = [element("image", href=uri, y=top, width="100%", height=bottom - top, preserveAspectRatio="none")]
    top_mel = np.log10(1 + sample_rate / 2 / 700)
    marks = [(hertz, text) for hertz, text in _FREQUENCIES if hertz <= sample_rate / 2]
    for hertz, text in marks:
        y = bottom - (bottom - top) * float(np.log10(1 + hertz / 700) / top_mel)
        unit = " kHz" if hertz == marks[-1][0] else ""
        parts.append(element("text", text + unit, x=-6.0, y=y + 4, text_anchor="end", class_="tick"))
        parts.append(element("line", x1=-3.0, x2=0.0, y1=y, y2=y, class_="zero"))
    duration = len(waveform) / sample_rate
    times = [
        float(time)
        for time in MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(0, duration)
        if time <= duration * 1.001
    ]
    for time in times:
        x, unit = f"{100 * time / duration:.2f}%", " s" if time == times[-1] else ""
        anchor = "start" if time == 0 else "end" if time > 0.95 * duration else "middle"
        parts.append(element("text", f"{time:.3g}{unit}", x=x, y=bottom + 16, text_anchor=anchor, class_="tick"))
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 3, class_="zero"))
    parts.append(element("line", x1="0%", x2="0%", y1=top, y2=bottom, class_="playhead"))
    return element("svg", *parts, class_="spectrogram", role="img", aria_label=name, height=bottom + 20)
