"""The page's charts, as SVG of 360 units' width, so that their letters are as large on a phone as on a desk.

Each shows what a table beside it says in numbers; every mark carries its value as a tooltip.  Series are told apart by
colour (of Okabe and Ito's palette, which all colour vision keeps apart) and by order, dashes or marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from s5lib.evaluation import Estimate
from s5lib.report.svg import Axis, chart, element, nice_ticks

__all__ = ["SHADES", "Line", "PlanePoint", "bars", "boxes", "lines", "plane", "shade"]

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


def bars(title: str, rows: Sequence[tuple[str, Sequence[Estimate | None]]], unit: str) -> Markup:
    """Return horizontal bars with whiskers for the intervals.

    Args:
        rows: a name and the estimate of each series, None: there is none.
        unit: written below the axis.
    """
    values = [
        value
        for _, estimates in rows
        for e in estimates
        if e
        for value in (e.value, e.low, e.high)
        if value is not None
    ]
    bar = 13.0 if max((len(estimates) for _, estimates in rows), default=1) == 1 else 9.0
    axis = Axis(min(0.0, *values), max(0.0, *values), NAMES, WIDTH - 14) if values else Axis(0, 1, NAMES, WIDTH - 14)
    y, parts = 8.0, []
    for name, estimates in rows:
        height = bar * len(estimates)
        parts.append(element("text", name, x=float(NAMES - 8), y=y + height / 2 + 4, text_anchor="end", class_="name"))
        for series, estimate in enumerate(estimates):
            if estimate is not None:
                parts.append(_bar(axis, y + series * bar, bar, estimate, series, unit, name))
        y += height + 9
    bottom = y - 4
    return chart(title, _spoken(rows, unit), WIDTH, bottom + 36, axis.below(bottom, 2.0, unit) + parts)


def _bar(axis: Axis, y: float, height: float, estimate: Estimate, series: int, unit: str, name: str) -> Markup:
    zero, end, middle = axis(0), axis(estimate.value), y + height / 2
    inside = [
        element("title", f"{name}: {interval(estimate)} {unit}"),
        element(
            "rect", x=min(zero, end), y=y + 1, width=max(1.0, abs(end - zero)), height=height - 2, rx=1.5, class_="bar"
        ),
    ]
    if estimate.low is not None and estimate.high is not None:
        low, high = axis(estimate.low), axis(estimate.high)
        inside.append(
            element(
                "path",
                d=f"M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 3:.1f}v6M{high:.1f} {middle - 3:.1f}v6",
                class_="whisker",
            )
        )
    return element("g", *inside, class_=f"s{series % SERIES}")


def interval(estimate: Estimate, digits: int = 2) -> str:
    """Return value and interval in words.

    >>> interval(Estimate(1.234, 1.0, 2.0))
    '1.23 (1.00 to 2.00)'
    """
    text = f"{estimate.value:.{digits}f}"
    if estimate.low is not None and estimate.high is not None:
        text += f" ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"
    return text.replace("-", "\u2212")


def _spoken(rows, unit: str) -> str:
    told = [f"{name} {', '.join(interval(e) for e in estimates if e)}" for name, estimates in rows if any(estimates)]
    return f"In {unit}: {'; '.join(told)}"


def lines(title: str, series: Sequence[Line]) -> Markup:
    """Return lines over training steps."""
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    # losses may start far off; the axis leaves out what is beyond ten times the middle half's spread
    low, quarter, three, high = np.percentile(ys, [0, 25, 75, 100])
    spread = max(three - quarter, 1e-3)
    x = Axis(0, max(xs), 40, WIDTH - 12)
    y = Axis(max(low, quarter - 10 * spread), min(high, three + 10 * spread), 152, 10)
    top, bottom = y.ticks[-1], y.ticks[0]
    parts = y.left(40.0, WIDTH - 12.0) + x.below(152.0, 10.0, "step")
    for line in series:
        places = [(x(a), y(min(max(b, bottom), top))) for a, b in line.points]
        path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
        inside = [element("path", d=path, class_="line dashed" if line.dashed else "line")]
        if len(places) <= 60:
            for (a, b), (step, value) in zip(places, line.points, strict=True):
                mark = element("title", f"{line.name}, step {step}: {value:.4g}")
                inside.append(element("circle", mark, cx=a, cy=b, r=1.8 if line.dashed else 2.8, class_="dot"))
        parts.append(element("g", *inside, class_=f"s{line.series % SERIES}"))
    told = "; ".join(f"{line.name}: {line.points[-1][1]:.4g} at step {line.points[-1][0]}" for line in series)
    return chart(title, f"Over the steps of training; at the end {told}", WIDTH, 188, parts)


def boxes(title: str, rows: Sequence[tuple[str, Sequence[Sequence[float]]]], unit: str) -> Markup:
    """Return horizontal boxes of the quartiles, with whiskers from the 5th to the 95th percentile.

    Args:
        rows: a name and the values of each series.  Up to 40 values are all drawn, of more those beyond the whiskers;
            a diamond is the mean.
    """
    everything = [value for _, series in rows for values in series for value in values]
    if not everything:
        return Markup("")
    axis = Axis(min(everything), max(everything), NAMES, WIDTH - 10)
    y, parts, step = 6.0, [], 14.0
    for name, series in rows:
        parts.append(
            element(
                "text", name, x=float(NAMES - 8), y=y + step * len(series) / 2 + 4, text_anchor="end", class_="name"
            )
        )
        for number, values in enumerate(series):
            if len(values):
                parts.append(_box(axis, y + step * number, name, np.asarray(values, float), number))
        y += step * len(series) + 6
    told = "; ".join(
        f"{name} median {', '.join(f'{np.median(values):.1f}' for values in series if len(values))}"
        for name, series in rows
        if any(len(values) for values in series)
    )
    return chart(title, f"In {unit}: {told}", WIDTH, y + 36, axis.below(y, 2.0, unit) + parts)


def _box(axis: Axis, y: float, name: str, values: np.ndarray, series: int) -> Markup:
    p5, q1, q2, q3, p95 = np.percentile(values, [5, 25, 50, 75, 95])
    middle = y + 7
    told = f"{name}: median {q2:.1f}, half from {q1:.1f} to {q3:.1f}, mean {values.mean():.1f}, {len(values)} sources"
    shown = values if len(values) <= 40 else values[(values < p5) | (values > p95)]
    inside = [element("title", told)]
    inside += [
        # places that repeat from run to run, and that keep equal values apart
        element("circle", cx=axis(value), cy=middle + (index * 0.618 % 1 - 0.5) * 8, r=1.4, class_="speck")
        for index, value in enumerate(np.sort(shown)[:400])
    ]
    inside += [
        element(
            "path",
            d=f"M{axis(p5):.1f} {middle}H{axis(q1):.1f}M{axis(q3):.1f} {middle}H{axis(p95):.1f}",
            class_="whisker",
        ),
        element("rect", x=axis(q1), y=middle - 4.5, width=max(1.0, axis(q3) - axis(q1)), height=9.0, class_="box"),
        element("path", d=f"M{axis(q2):.1f} {middle - 4.5}v9", class_="median"),
        element("path", d=f"M{axis(values.mean()):.1f} {middle - 3}l3 3l-3 3l-3 -3z", class_="mean"),
    ]
    return element("g", *inside, class_=f"s{series % SERIES}")


def shade(value: float, low: float, high: float) -> int:
    """Return the number of the colour for ``value``, 0 to ``SHADES - 1``."""
    share = (value - low) / (high - low) if high > low else 1.0
    return int(np.clip(round(share * (SHADES - 1)), 0, SHADES - 1))


def plane(points: Sequence[PlanePoint], x_title: str, y_title: str) -> Markup:
    """Return the plane of the paper's Fig. 5: a point's size and colour tell CA-PI-SDRi, its cross the intervals."""

    def ends(estimates):
        values = [v for e in estimates for v in (e.value, e.low, e.high) if v is not None]
        return min(values), max(values)

    x = Axis(*ends([point.x for point in points]), 40, WIDTH - 14)
    y = Axis(*ends([point.y for point in points]), 250, 28)
    scale = nice_ticks(min(p.value for p in points), max(p.value for p in points))
    low, high = scale[0], scale[-1]
    parts = y.left(40.0, WIDTH - 14.0, y_title) + x.below(250.0, 28.0, x_title)
    for point in points:
        a, b = x(point.x.value), y(point.y.value)
        if None not in (point.x.low, point.y.low):
            ends_x, ends_y = (x(point.x.low), x(point.x.high)), (y(point.y.low), y(point.y.high))
            cross = f"M{ends_x[0]:.1f} {b:.1f}H{ends_x[1]:.1f}M{a:.1f} {ends_y[0]:.1f}V{ends_y[1]:.1f}"
            parts.append(element("path", d=cross, class_="cross"))
    for point in sorted(points, key=lambda point: -point.value):
        a, b, colour = x(point.x.value), y(point.y.value), shade(point.value, low, high)
        ink = "ink" if colour > 6 else "paper"  # dark letters on bright colours
        told = f"{point.name}: {interval(point.x, 1)} %, {interval(point.y)} dB, CA-PI-SDRi {point.value:.2f} dB"
        parts.append(
            element(
                "g",
                element("title", told),
                element("circle", cx=a, cy=b, r=7.5 + 0.5 * colour, class_=f"point q{colour}"),
                element("text", str(point.number), x=a, y=b + 3.8, text_anchor="middle", class_=f"number {ink}"),
            )
        )
    parts += _colour_scale(Axis(low, high, 120, WIDTH - 14), 302.0)
    told = "; ".join(f"{p.name}: {interval(p.x, 1)} %, {interval(p.y)} dB, CA-PI-SDRi {p.value:.2f} dB" for p in points)
    return chart("Accuracy of the labels against separation with oracle labels", told, WIDTH, 334, parts)


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
