"""The little of SVG that the charts need: escaped elements, axes with round ticks.

Colours are classes of the page's style sheet, so that a chart follows light and dark, and no ``style`` attribute is
needed, which the page's content security policy forbids.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

__all__ = ["Axis", "chart", "element", "nice_ticks"]


def element(name: str, *children: str | Markup, **attributes) -> Markup:
    """Return an element; text and values are escaped, ``class_`` and ``text_anchor`` lose and change their underscore.

    >>> print(element("text", "a < b", x=1.23456, text_anchor="end"))
    <text x="1.23" text-anchor="end">a &lt; b</text>
    """
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{name}{''.join(parts)}>{''.join(escape(child) for child in children)}</{name}>")


def _number(value) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def chart(title: str, description: str, width: float, height: float, parts: Iterable[Markup]) -> Markup:
    """Return a whole picture with a name and a description for those who do not see it."""
    return element(
        "svg",
        *parts,
        class_="chart",
        role="img",
        aria_label=f"{title}. {description}",
        viewBox=f"0 0 {_number(float(width))} {_number(float(height))}",
    )


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` round numbers that enclose ``low`` and ``high``.

    >>> nice_ticks(0.3, 9.1)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if not high > low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(position * step, 10) + 0.0 for position in range(first, last + 1)]


class Axis:
    """A scale from values to places in the picture.

    Args:
        low, high: the values to be shown; the scale goes on to the next round number.
        start, end: the places of the scale's ends.
    """

    def __init__(self, low: float, high: float, start: float, end: float, count: int = 5):
        self.ticks = nice_ticks(low, high, count)
        self.start, self.end = float(start), float(end)

    def __call__(self, value: float) -> float:
        """Return the place of ``value``."""
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return self.start + share * (self.end - self.start)

    def names(self) -> list[str]:
        """Return what stands beside the ticks."""
        step = self.ticks[1] - self.ticks[0]
        digits = next(count for count in range(12) if abs(round(step, count) - step) < 1e-9 * step)
        return [f"{tick:.{digits}f}".replace("-", "\u2212") for tick in self.ticks]

    def below(self, y: float, top: float, title: str = "") -> list[Markup]:
        """Return a horizontal axis at height ``y``, its grid reaching up to ``top``."""
        parts = []
        for tick, name in zip(self.ticks, self.names(), strict=True):
            x = self(tick)
            kind = "zero" if tick == 0 else "grid"
            parts.append(element("line", x1=x, x2=x, y1=float(top), y2=float(y), class_=kind))
            parts.append(element("text", name, x=x, y=y + 14.0, text_anchor="middle", class_="tick"))
        if title:
            middle = (self.start + self.end) / 2
            parts.append(element("text", title, x=middle, y=y + 30.0, text_anchor="middle", class_="axis"))
        return parts

    def left(self, x: float, right: float, title: str = "") -> list[Markup]:
        """Return a vertical axis at ``x``, its grid reaching to ``right``; a title stands above it."""
        parts = []
        for tick, name in zip(self.ticks, self.names(), strict=True):
            y = self(tick)
            kind = "zero" if tick == 0 else "grid"
            parts.append(element("line", x1=float(x), x2=float(right), y1=y, y2=y, class_=kind))
            parts.append(element("text", name, x=x - 6.0, y=y + 3.5, text_anchor="end", class_="tick"))
        if title:
            parts.append(element("text", title, x=2.0, y=min(self.start, self.end) - 12.0, class_="axis"))
        return parts
