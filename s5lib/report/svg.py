"""The little of SVG that the charts need: escaped elements, and axes with round ticks.

Colours are classes of the page's style sheet, so that a chart follows light and dark, and no ``style`` attribute is
needed, which the page's content security policy forbids.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

__all__ = ["Axis", "chart", "element"]


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
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


def _number(value: object) -> str:
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


class Axis:
    """A scale from values to places in the picture.

    Args:
        low, high: the values to be shown; the scale goes on to the next round number.
        start, end: the places of the scale's ends.
    """

    def __init__(self, low: float, high: float, start: float, end: float):
        if not high > low:
            low, high = low - 0.5, high + 0.5
        locator = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2)
        self.ticks = [round(float(tick), 10) + 0.0 for tick in locator.tick_values(low, high)]
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

    def horizontal(self, y: float, top: float, title: str = "") -> list[Markup]:
        """Return a horizontal axis at height ``y``, its grid reaching up to ``top``."""
        middle = (self.start + self.end) / 2
        parts = [element("text", title, x=middle, y=y + 30.0, text_anchor="middle", class_="axis")]
        for x, kind, name in self._ticks():
            parts.append(element("line", x1=x, x2=x, y1=top, y2=y, class_=kind))
            parts.append(element("text", name, x=x, y=y + 14.0, text_anchor="middle", class_="tick"))
        return parts

    def vertical(self, x: float, right: float, title: str = "") -> list[Markup]:
        """Return a vertical axis at ``x``, its grid reaching to ``right``; a title stands above it."""
        parts = [element("text", title, x=2.0, y=min(self.start, self.end) - 12.0, class_="axis")]
        for y, kind, name in self._ticks():
            parts.append(element("line", x1=x, x2=right, y1=y, y2=y, class_=kind))
            parts.append(element("text", name, x=x - 6.0, y=y + 3.5, text_anchor="end", class_="tick"))
        return parts

    def _ticks(self) -> list[tuple[float, str, str]]:
        """Return place, class and name of each tick."""
        names = zip(self.ticks, self.names(), strict=True)
        return [(self(tick), "grid" if tick else "zero", name) for tick, name in names]
