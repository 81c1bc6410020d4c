"""A few validation scenes to hear and see in TensorBoard, the same ones at every validation."""

from __future__ import annotations

from collections.abc import Sequence

import lightning
import numpy as np
import torch

__all__ = ["ValidationScenes", "draw_spectrograms"]


class ValidationScenes(lightning.Callback):
    """Writes the first scenes of the validation set: spectrograms and audio, or a table of labels for a tagger.

    Of each scene: the mixture's channel 0 and the references (the sound once, at the first validation), and what the
    model makes of it.  A scene of 10 s at 32 kHz with 3 sources takes about 2 MB at each validation.

    Args:
        count: how many scenes.
        labels: of the classes.
    """

    def __init__(self, count: int, labels: Sequence[str]):
        self.count, self.labels = count, tuple(labels)
        self._shown, self._references_written = 0, False
        self._rows: list[tuple[str, str, str]] = []

    def state_dict(self):
        return {"references_written": self._references_written}

    def load_state_dict(self, state):
        self._references_written = state["references_written"]

    def on_validation_start(self, trainer, pl_module):
        self._shown, self._rows = 0, []

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        missing = self.count - self._shown
        if missing <= 0 or not trainer.is_global_zero:
            return
        found, waveforms = pl_module.estimates(outputs["outputs"], batch)
        names = batch["id"][:missing]
        for index, name in enumerate(names):
            reference = [self.labels[label] for label in batch["labels"][index].tolist() if label >= 0]
            estimated = [self.labels[c] if 0 <= c < len(self.labels) else None for c in found[index].tolist()]
            self._rows.append((name, ", ".join(sorted(reference)), ", ".join(sorted(e for e in estimated if e))))
            if waveforms is not None:
                self._write_scene(trainer, batch, index, name, reference, estimated, waveforms[index])
        self._shown += len(names)

    def _write_scene(self, trainer, batch, index, name, reference, estimated, waveforms):
        board, step = trainer.logger.experiment, trainer.global_step  # of TensorBoard, the first of the loggers
        rate = trainer.lightning_module.model.config.sample_rate
        mixture = batch["mixture"][index, :1].float().cpu().numpy()
        sources = batch["sources"][index, : len(reference)].float().cpu().numpy()
        estimates = [(label, w) for label, w in zip(estimated, waveforms.float().cpu().numpy(), strict=True) if label]
        rows = [("mixture", mixture[0])]
        rows += [(f"reference {label}", source) for label, source in zip(reference, sources, strict=True)]
        rows += [(f"estimate {label}", estimate) for label, estimate in estimates]
        picture = draw_spectrograms(rows, rate)
        board.add_image(f"scenes/{name}", picture, step, dataformats="HWC")
        for number, (title, samples) in enumerate(rows):
            if number > len(reference) or not self._references_written:
                peak = max(1e-9, float(np.abs(samples).max()))  # heard, not measured: quiet sounds are made loud
                board.add_audio(f"{name}/{number} {title}", torch.from_numpy(0.9 * samples / peak)[None], step, rate)

    def on_validation_end(self, trainer, pl_module):
        if not self._rows or not trainer.is_global_zero:
            return
        self._references_written = True
        if "source_accuracy" in pl_module.measured:  # a separator is given the labels
            lines = ["| scene | reference | predicted |", "|---|---|---|"]
            lines += [f"| {name} | {reference or '-'} | {found or '-'} |" for name, reference, found in self._rows]
            trainer.logger.experiment.add_text("labels", "\n".join(lines), trainer.global_step)


def draw_spectrograms(rows: Sequence[tuple[str, np.ndarray]], sample_rate: int) -> np.ndarray:
    """Return a picture ``[height, width, 3]`` uint8 with one spectrogram per row, all under one colour scale.

    Args:
        rows: title and samples ``[T]`` of each; the loudest point of all is 0 dB, what is below -70 dB is black.
        sample_rate: in Hz.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from scipy.signal import stft

    window = 1 << max(6, int(sample_rate * 0.032).bit_length() - 1)
    powers = []
    for _, samples in rows:
        padded = np.pad(samples, (0, max(0, window - len(samples))))
        powers.append(np.abs(stft(padded, sample_rate, nperseg=window)[2]) ** 2)
    loudest = max(1e-20, max(float(power.max()) for power in powers))
    figure = Figure(figsize=(7, 1.5 * len(rows)), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(len(rows), sharex=True))
    for axis, (title, samples), power in zip(axes, rows, powers, strict=True):
        axis.imshow(
            10 * np.log10(power / loudest + 1e-10),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=-70,
            vmax=0,
            extent=(0, len(samples) / sample_rate, 0, sample_rate / 2000),
        )
        axis.set_title(title, fontsize=8, loc="left", pad=2)
        axis.set_ylabel("kHz", fontsize=7)
        axis.tick_params(labelsize=7)
    axis.set_xlabel("s", fontsize=7)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
