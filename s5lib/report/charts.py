"""The page's charts, as SVG of 360 units' width, so that their letters are as large on a phone as on a desk.

Each shows what a table beside it says in numbers; every mark carries its value as a tooltip.  Series differ in colour
(of Okabe and Ito's palette, which all colour vision keeps apart) and in order, dashes or marks.

Not matplotlib: its SVG has colours and sizes in ``style`` attributes, which the page's content security policy forbids
and which do not follow light and dark, and no tooltips.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from s5lib.evaluation import Estimate
from s5lib.report.svg import Axis, chart, element

__all__ = [
    "Line",
    "PlanePoint",
    "bars",
    "boxes",
    "lines",
    "minus",
    "plane",
    "rounded",
    "shade",
    "shown",
    "signed",
    "strip",
]

WIDTH, NAMES = 360, 104
SHADES = 11
SERIES = 8  # colours of the style sheet


@dataclass(frozen=True)
class Line:
    """One line of a :func:`lines` chart."""

    name: str
    points: Sequence[tuple[float, float]]
    series: int
    dashed: bool = False


@dataclass(frozen=True)
class PlanePoint:
    """A system in the plane of Fig. 5."""

    number: int
    name: str
    x: Estimate
    """Accuracy, in %."""
    y: Estimate
    """Separation with oracle labels, in dB."""
    value: float
    """CA-PI-SDRi, in dB."""

    @property
    def description(self) -> str:
        """The system and its figures."""
        return f"{self.name}: {shown(self.x, 1)} %, {shown(self.y)} dB, CA-PI-SDRi {minus(f'{self.value:.2f}')} dB"


def minus(text: str) -> str:
    """Return numbers with a minus sign in place of a hyphen."""
    return text.replace("-", "\u2212")


def rounded(value: object) -> str:
    """Return a setting as text: numbers with four digits, wherever they stand in it.

    >>> rounded(0.30000000000000004), rounded([10.0, 2]), rounded({"silence": -1.250001})
    ('0.3', '10, 2', 'silence -1.25')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {rounded(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(rounded, value))
    return str(value)


def shown(estimate: Estimate, digits: int = 2) -> str:
    """Return value and interval as the page shows them."""
    return minus(estimate.format(digits))


def signed(estimate: Estimate) -> str:
    """Return a difference and its interval as the page shows them."""
    return minus(estimate.format(sign="+"))


def _ends(estimates: Sequence[Estimate | None]) -> list[float]:
    return [end for e in estimates if e for end in (e.value, e.low, e.high) if end is not None]


Rows = Sequence[tuple[str, Sequence[Any]]]
"""A name, and an item of each series."""


def _rows(
    title: str,
    rows: Rows,
    axis: Axis,
    unit: str,
    heights: tuple[float, float],
    mark: Callable[[Any, float], tuple[str, list[Markup]]],
    floors: Sequence[float | None] = (),
) -> Markup:
    """Return rows of marks above a common axis.

    Args:
        heights: of one series in a row, and of the gap between rows.
        mark: returns description and picture of an item at a height.
        floors: of each row, drawn as a line across it.
    """
    y, parts, descriptions = 8.0, [], []
    for (name, items), floor in itertools.zip_longest(rows, floors):
        middle = y + heights[0] * len(items) / 2 + 4
        parts.append(element("text", name, x=float(NAMES - 8), y=middle, text_anchor="end", class_="name"))
        described = []
        for series, item in enumerate(items):
            if item is not None and np.size(item):
                description, picture = mark(item, y + series * heights[0])
                tooltip = element("title", f"{name}: {description}")
                parts.append(element("g", tooltip, *picture, class_=f"s{series % SERIES}"))
                described.append(description)
        if floor is not None:
            described.append(f"best-gain floor {minus(f'{floor:.2f}')}")
            across = f"M{axis(floor):.1f} {y - 3:.1f}v{heights[0] * len(items) + 6:.1f}"
            parts.append(element("path", element("title", f"{name}: {described[-1]}"), d=across, class_="floor"))
        if described:
            descriptions.append(f"{name} {', '.join(described)}")
        y += heights[0] * len(items) + heights[1]
    return chart(title, f"{unit}: {'; '.join(descriptions)}", WIDTH, y + 36, axis.horizontal(y, 2.0, unit) + parts)


def bars(
    title: str,
    rows: Sequence[tuple[str, Sequence[Estimate | None]]],
    unit: str,
    floors: Sequence[float | None] = (),
) -> Markup:
    """Return horizontal bars with whiskers for the intervals.

    Args:
        rows: a name and the estimate of each series, None: there is none.
        unit: written below the axis.
        floors: of each row, drawn as a line across its bars.
    """
    values = [0.0, *(f for f in floors if f is not None), *(end for _, items in rows for end in _ends(items))]
    axis = Axis(min(values), max(values), NAMES, WIDTH - 14)
    height = 9.0 if any(len(estimates) > 1 for _, estimates in rows) else 13.0

    def bar(estimate: Estimate, y: float) -> tuple[str, list[Markup]]:
        zero, end, middle = axis(0), axis(estimate.value), y + height / 2
        width = max(1.0, abs(end - zero))
        picture = [element("rect", x=min(zero, end), y=y + 1, width=width, height=height - 2, rx=1.5, class_="bar")]
        if estimate.low is not None and estimate.high is not None:
            picture.append(_whisker(axis(estimate.low), axis(estimate.high), middle))
        return f"{shown(estimate)} {unit}", picture

    return _rows(title, rows, axis, unit, (height, 9.0), bar, floors)


def _whisker(low: float, high: float, y: float) -> Markup:
    ends = f"M{low:.1f} {y - 3:.1f}v6M{high:.1f} {y - 3:.1f}v6"
    return element("path", d=f"M{low:.1f} {y:.1f}H{high:.1f}{ends}", class_="whisker")


def strip(title: str, rows: Sequence[tuple[str, Estimate]], unit: str) -> Markup:
    """Return differences as points with their intervals, beside the line of no difference.

    Args:
        rows: a name and the difference.
        unit: written below the axis.
    """
    ends = _ends([estimate for _, estimate in rows])
    axis = Axis(min(0.0, *ends), max(0.0, *ends), NAMES, WIDTH - 14)

    def point(estimate: Estimate, y: float) -> tuple[str, list[Markup]]:
        picture = [element("circle", cx=axis(estimate.value), cy=y + 7, r=4.0, class_="difference")]
        if estimate.low is not None and estimate.high is not None:
            picture.insert(0, _whisker(axis(estimate.low), axis(estimate.high), y + 7))
        return f"{signed(estimate)} {unit}", picture

    return _rows(title, [(name, [estimate]) for name, estimate in rows], axis, unit, (14.0, 8.0), point)


def boxes(title: str, rows: Sequence[tuple[str, Sequence[Sequence[float]]]], unit: str) -> Markup:
    """Return horizontal boxes of the quartiles, with whiskers from the 5th to the 95th percentile.

    Args:
        rows: a name and the values of each series.  Up to 40 values are all drawn, of more those beyond the whiskers;
            a diamond is the mean.
        unit: written below the axis.
    """
    everything = [value for _, series in rows for values in series for value in values]
    if not everything:
        return Markup("")
    axis = Axis(min(everything), max(everything), NAMES, WIDTH - 10)

    def box(item: Sequence[float], y: float) -> tuple[str, list[Markup]]:
        values, middle = np.asarray(item, float), y + 7
        p5, q1, q2, q3, p95 = np.percentile(values, [5, 25, 50, 75, 95])
        dots = values if len(values) <= 40 else values[(values < p5) | (values > p95)]
        picture = [
            # places that repeat from run to run, and that keep equal values apart
            element("circle", cx=axis(value), cy=middle + (index * 0.618 % 1 - 0.5) * 8, r=1.4, class_="speck")
            for index, value in enumerate(np.sort(dots)[:400])
        ]
        whiskers = f"M{axis(p5):.1f} {middle}H{axis(q1):.1f}M{axis(q3):.1f} {middle}H{axis(p95):.1f}"
        width = max(1.0, axis(q3) - axis(q1))
        picture += [
            element("path", d=whiskers, class_="whisker"),
            element("rect", x=axis(q1), y=middle - 4.5, width=width, height=9.0, class_="box"),
            element("path", d=f"M{axis(q2):.1f} {middle - 4.5}v9", class_="median"),
            element("path", d=f"M{axis(values.mean()):.1f} {middle - 3}l3 3l-3 3l-3 -3z", class_="mean"),
        ]
        numbers = f"median {q2:.1f}, half from {q1:.1f} to {q3:.1f}, mean {values.mean():.1f}"
        return minus(f"{numbers}, {len(values)} sources"), picture

    return _rows(title, rows, axis, unit, (14.0, 6.0), box)


def lines(title: str, series: Sequence[Line], digits: int = 2) -> Markup:
    """Return lines over training steps; tooltips have ``digits`` decimal places."""
    steps = [step for line in series for step, _ in line.points]
    values = [value for line in series for _, value in line.points]
    # losses may start far off; the axis leaves out what is beyond ten times the middle half's spread
    low, quarter, three, high = np.percentile(values, [0, 25, 75, 100])
    spread = 10 * max(three - quarter, 1e-3)
    x = Axis(0, max(steps), 40, WIDTH - 12)
    y = Axis(max(low, quarter - spread), min(high, three + spread), 152, 10)
    parts = y.vertical(40.0, WIDTH - 12.0) + x.horizontal(152.0, 10.0, "step")
    for line in series:
        places = [(x(step), y(min(max(value, y.ticks[0]), y.ticks[-1]))) for step, value in line.points]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
        inside = [element("path", d=path, class_="line dashed" if line.dashed else "line")]
        if len(places) <= 60:
            for (a, b), (step, value) in zip(places, line.points, strict=True):
                tooltip = element("title", f"{line.name}, step {step}: {minus(f'{value:.{digits}f}')}")
                inside.append(element("circle", tooltip, cx=a, cy=b, r=1.8 if line.dashed else 2.8, class_="dot"))
        parts.append(element("g", *inside, class_=f"s{line.series % SERIES}"))
    ends = "; ".join(
        f"{line.name}: {minus(f'{line.points[-1][1]:.{digits}f}')} at step {line.points[-1][0]}" for line in series
    )
    return chart(title, f"Over the steps of training; at the end {ends}", WIDTH, 188, parts)


def shade(value: float, low: float, high: float) -> int:
    """Return the number of the colour for ``value``, 0 to ``SHADES - 1``."""
    share = (value - low) / (high - low) if high > low else 1.0
    return int(np.clip(round(share * (SHADES - 1)), 0, SHADES - 1))


def plane(points: Sequence[PlanePoint], x_title: str, y_title: str) -> Markup:
    """Return the plane of the paper's Fig. 5: a point's size and colour show CA-PI-SDRi, its cross the intervals."""
    xs, ys = (_ends([getattr(point, name) for point in points]) for name in "xy")
    x, y = Axis(min(xs), max(xs), 40, WIDTH - 14), Axis(min(ys), max(ys), 250, 28)
    scale = Axis(min(p.value for p in points), max(p.value for p in points), 120, WIDTH - 14)
    parts = y.vertical(40.0, WIDTH - 14.0, y_title) + x.horizontal(250.0, 28.0, x_title)
    for point in points:
        a, b = x(point.x.value), y(point.y.value)
        left, right, bottom, top = point.x.low, point.x.high, point.y.low, point.y.high
        if left is not None and right is not None and bottom is not None and top is not None:
            cross = f"M{x(left):.1f} {b:.1f}H{x(right):.1f}M{a:.1f} {y(bottom):.1f}V{y(top):.1f}"
            parts.append(element("path", d=cross, class_="cross"))
    for point in sorted(points, key=lambda point: -point.value):
        a, b, colour = x(point.x.value), y(point.y.value), shade(point.value, scale.ticks[0], scale.ticks[-1])
        ink = "ink" if colour > 6 else "paper"  # dark letters on bright colours
        inside = [
            element("title", point.description),
            element("circle", cx=a, cy=b, r=7.5 + 0.5 * colour, class_=f"point q{colour}"),
            element("text", str(point.number), x=a, y=b + 3.8, text_anchor="middle", class_=f"number {ink}"),
        ]
        parts.append(element("g", *inside))
    parts += _colour_scale(scale, 302.0)
    description = "; ".join(point.description for point in points)
    return chart("Accuracy of the labels against separation with oracle labels", description, WIDTH, 334, parts)


def _colour_scale(axis: Axis, y: float) -> list[Markup]:
    width = (axis.end - axis.start) / SHADES
    parts = [
        element("rect", x=axis.start + index * width, y=y, width=width + 0.3, height=9.0, class_=f"q{index}")
        for index in range(SHADES)
    ]
    parts.append(element("text", "CA-PI-SDRi [dB]", x=2.0, y=y + 9, class_="axis"))
    parts += [
        element("text", name, x=axis(tick), y=y + 23, text_anchor="middle", class_="tick")
        for tick, name in zip(axis.ticks, axis.names(), strict=True)
    ]
    return parts
