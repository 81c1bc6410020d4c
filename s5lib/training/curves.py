"""Training curves as a picture."""

from __future__ import annotations

from pathlib import Path

from s5lib.training.history import read_history

__all__ = ["draw_history"]


def draw_history(history: Path, picture: Path) -> None:
    """Draw ``history.jsonl`` of a training run: the losses, and each figure of the validation, over the steps."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = read_history(history)
    figures = [
        k for k in rows[-1] if k not in ("step", "loss", "valid_loss", "mixtures_per_second", "waiting_for_data")
    ]
    panels = [("loss", ["loss", "valid_loss"]), *[(name, [name]) for name in figures]]
    canvas, axes = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 3.5), squeeze=False)
    for axis, (title, names) in zip(axes[0], panels, strict=True):
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            axis.plot(*zip(*points, strict=True), marker=".", label=name.replace("_", " "))
        axis.set_title(title.replace("_", " "))
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend()
    canvas.tight_layout()
    canvas.savefig(picture, dpi=110)
    plt.close(canvas)
