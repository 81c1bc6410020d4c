"""What was found in a recording, in plain words."""

from __future__ import annotations

from typing import Any

__all__ = ["format_summary"]

_MOST_SEGMENTS = 3
_MOST_IN_A_LINE = 3


def format_summary(file: str, record: dict[str, Any]) -> str:
    """Return a line about a recording, and one more for each source where there are many.

    Args:
        file: its name, as the user knows it.
        record: the content of its JSON; see :mod:`s5lib.systems.outputs`.

    >>> source = {"label": "Speech", "active": [(0.4, 12.0), (13.0, 14.5)], "probability": 0.91}
    >>> format_summary("street.wav", {"duration": 180.0, "labels": "predicted", "sources": [source]})
    'street.wav, 3 min: Speech (91 %) from 0.4 s to 12 s and from 13 s to 14.5 s'
    >>> format_summary("a.wav", {"duration": 0.4, "labels": "predicted", "sources": []})
    'a.wav, 0.4 s: no source found'
    """
    parts = []
    for source in record["sources"]:
        sure = "" if record["labels"] == "given" else f" ({100 * source['probability']:.0f} %)"
        parts.append(f"{source['label']}{sure} {_when(source['active'])}")
    found = ", ".join(parts) or "no source found"
    if len(parts) > _MOST_IN_A_LINE:
        found = "\n  ".join([f"{len(parts)} sources", *parts])
    softer = f"; {record['gain']:.3g} times as loud as found, so as not to clip" if record.get("gain", 1.0) != 1 else ""
    gain = record.get("heard_with_gain_db")
    matched = f"; heard {gain:+.1f} dB, at the level of the training mixtures" if gain else ""
    return f"{file}, {_length(record['duration'])}: {found}{softer}{matched}"


def _when(segments) -> str:
    if not segments:
        return "without a sound"
    if len(segments) <= _MOST_SEGMENTS:
        return " and ".join(f"from {_clock(begin)} to {_clock(end)}" for begin, end in segments)
    total = sum(end - begin for begin, end in segments)
    return f"{len(segments)} times from {_clock(segments[0][0])} to {_clock(segments[-1][1])}, {_length(total)} in all"


def _clock(seconds: float) -> str:
    """Return a point in time: seconds, from a minute on minutes and seconds.

    >>> _clock(0.4), _clock(75.26)
    ('0.4 s', '1:15.3')
    """
    tenths = round(10 * seconds)
    if tenths < 600:
        return f"{tenths / 10:g} s"
    return f"{tenths // 600}:{tenths % 600 // 10:02}" + (f".{tenths % 10}" if tenths % 10 else "")


def _length(seconds: float) -> str:
    """Return a duration.

    >>> _length(0.4), _length(180), _length(95)
    ('0.4 s', '3 min', '1 min 35 s')
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min" + (f" {rest} s" if rest else "")
