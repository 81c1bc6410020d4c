"""Comparisons of runs as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s5lib.evaluation.accuracy_vs_sdr import Plane
from s5lib.evaluation.runs import Comparison
from s5lib.provenance.files import atomic_write

__all__ = ["draw_comparison", "draw_plane"]

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")  # Okabe and Ito's palette


def draw_comparison(comparisons: Sequence[Comparison], picture: Path) -> None:
    """Draw a panel for each figure: bars of the means, side by side in each set, and a dot for each run."""
    plt = _pyplot()
    panels = len(comparisons)
    canvas, axes = plt.subplots(1, panels, figsize=(4.8 * panels, 3.8), squeeze=False, layout="constrained")
    for axis, comparison in zip(axes[0], comparisons, strict=True):
        sets = list(next(iter(comparison.values.values())))
        width = 0.8 / len(comparison.values)
        for index, (name, by_set) in enumerate(comparison.values.items()):
            places = np.arange(len(sets)) + (index - (len(comparison.values) - 1) / 2) * width
            means = [np.nan if by_set[kind] is None else np.mean(by_set[kind]) for kind in sets]
            axis.bar(places, means, width * 0.92, color=_COLOURS[index % len(_COLOURS)], label=name)
            for place, kind in zip(places, sets, strict=True):
                runs = by_set[kind] or ()
                if len(runs) > 1:
                    axis.plot(np.full(len(runs), place), runs, ".", color="black", markersize=4)
        axis.set_xticks(range(len(sets)), sets)
        axis.set_ylabel(f"{comparison.figure.title} [{comparison.figure.unit}]")
        axis.grid(axis="y", alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    bars, names = axes[0][0].get_legend_handles_labels()
    fitting = max(1, 60 * panels // (max(map(len, names)) + 6))  # side by side, in characters
    canvas.legend(bars, names, loc="outside upper center", ncols=min(len(names), fitting), frameon=False)
    _save(canvas, picture)


def draw_plane(planes: Sequence[Plane], picture: Path) -> None:
    """Draw a panel for each set of scenes: a disc for each system, as large and as bright as its CA-PI-SDRi is high."""
    plt = _pyplot()
    values = np.array([point.value for plane in planes for point in plane.points])
    low, high = values.min(), max(values.max(), values.min() + 1e-9)
    canvas, axes = plt.subplots(1, len(planes), figsize=(4.6 * len(planes), 3.8), squeeze=False, layout="constrained")
    for axis, plane in zip(axes[0], planes, strict=True):
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
        axis.set_axisbelow(True)
    axes[0][0].set_ylabel("PI-SDRi of the separator, oracle labels [dB]")
    canvas.colorbar(discs, ax=list(axes[0]), label="CA-PI-SDRi of the system [dB]")
    _save(canvas, picture)


def _pyplot():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _save(canvas, picture: Path) -> None:
    with atomic_write(picture) as temporary:
        canvas.savefig(temporary, dpi=120, format="png")
    _pyplot().close(canvas)
