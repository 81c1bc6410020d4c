"""Comparisons of runs as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s5lib.evaluation.accuracy_vs_sdr import Plane
from s5lib.evaluation.runs import RunComparison
from s5lib.provenance.files import atomic_write

__all__ = ["draw_comparison", "draw_plane"]

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")  # Okabe and Ito's palette


def draw_comparison(comparisons: Sequence[RunComparison], picture: Path) -> None:
    """Draw a panel for each figure: bars of the means, side by side in each set, and a dot for each run."""
    panels = len(comparisons)
    canvas, axes = _panels(panels, 4.8)
    for axis, comparison in zip(axes, comparisons, strict=True):
        sets = list(next(iter(comparison.values.values())))
        width = 0.8 / len(comparison.values)
        for index, (name, by_set) in enumerate(comparison.values.items()):
            places = np.arange(len(sets)) + (index - (len(comparison.values) - 1) / 2) * width
            means = [float(np.mean(by_set[kind] or np.nan)) for kind in sets]
            axis.bar(places, means, width * 0.92, color=_COLOURS[index % len(_COLOURS)], label=name)
            for place, kind in zip(places, sets, strict=True):
                runs = by_set[kind] or ()
                if len(runs) > 1:
                    axis.plot(np.full(len(runs), place), runs, ".", color="black", markersize=4)
        axis.set_xticks(range(len(sets)), sets)
        axis.set_ylabel(comparison.figure.heading)
        axis.grid(axis="y", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    bars, names = axes[0].get_legend_handles_labels()
    fitting = max(1, 60 * panels // (max(map(len, names)) + 6))  # side by side, in characters
    canvas.legend(bars, names, loc="outside upper center", ncols=min(len(names), fitting), frameon=False)
    _save(canvas, picture)


def draw_plane(planes: Sequence[Plane], picture: Path) -> None:
    """Draw a panel for each set of scenes: a disc for each system, as large and as bright as its CA-PI-SDRi is high."""
    values = np.array([point.value for plane in planes for point in plane.points])
    low, high = values.min(), max(values.max(), values.min() + 1e-9)
    canvas, axes = _panels(len(planes), 4.6)
    for axis, plane in zip(axes, planes, strict=True):
        shade = np.array([point.value for point in plane.points])
        discs = axis.scatter(
            [point.accuracy for point in plane.points],
            [point.separation for point in plane.points],
            c=shade,
            s=40 + 220 * (shade - low) / (high - low),
            vmin=low,
            vmax=high,
            cmap="viridis",
            edgecolors="white",
        )
        axis.set_title(plane.kind)
        axis.set_xlabel("source accuracy of the tagger [%]")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("PI-SDRi of the separator, oracle labels [dB]")
    canvas.colorbar(discs, ax=axes, label="CA-PI-SDRi of the system [dB]")
    _save(canvas, picture)


def _panels(count: int, width: float) -> tuple[Figure, list[Axes]]:
    canvas = Figure(figsize=(width * count, 3.8), layout="constrained")
    axes = list(canvas.subplots(1, count, squeeze=False)[0])
    for axis in axes:
        axis.set_axisbelow(True)
    return canvas, axes


def _save(canvas: Figure, picture: Path) -> None:
    with atomic_write(picture) as temporary:
        canvas.savefig(temporary, dpi=120, format="png")
