"""A joint model: the separators' residual U-Net without a query, and a label for each of its slots.

Slots may give the sources in any order, which needs permutation-invariant training (Yu et al.,
https://arxiv.org/abs/1607.00325).  A label is predicted from the separated slot and the mixture, so that sound and
label belong together; the labels' gradient also reaches the separation and teaches slots without a source to be silent.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s5lib.interfaces import JointModel
from s5lib.models.configs import ResUNetJointConfig
from s5lib.models.frontend import mel_filter_bank
from s5lib.models.mixture import prepare_mixture
from s5lib.models.queried import MaskingUNet

__all__ = ["ResUNetJoint"]

_LEAST_POWER = 1e-8  # of a mel band, added to it: keeps the logarithm of silence finite


class ResUNetJoint(JointModel):
    """Gives K slots in one pass: for each the waveform of a source, and its label or silence."""

    config: ResUNetJointConfig

    def __init__(self, config: ResUNetJointConfig):
        super().__init__(config)
        self.base = MaskingUNet(config.unet, config.num_sources)
        self.labels = _LabelHead(config)

    @property
    def time_grid(self) -> int:
        """Samples: parts of a recording that begin at multiples of it are split into the same frames as the whole."""
        return self.base.fourier.hop_length * self.base.frames_unit

    def forward(self, mixture: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``mixture [B, M, T]`` to ``(logits [B, K, C + 1], waveforms [B, K, T])``; class C is silence.

        Raises:
            DataError: the mixture's shape is not the configuration's.
        """
        mixture, level = prepare_mixture(mixture, self.config, self.training)
        spectrum = torch.view_as_real(self.base.fourier(mixture))
        # The U-Net's blocks take biases that depend on a query; without one, those of their normalisations are enough.
        betas = dict.fromkeys(self.base.film_widths(), spectrum.new_zeros(1, 1, 1, 1))
        slots = self.base(spectrum, betas)
        waveforms = self.base.fourier.inverse(torch.view_as_complex(slots), mixture.shape[-1])
        return self.labels(slots, spectrum[:, :1]), waveforms * level


class _LabelHead(nn.Module):
    """Convolutions on the log-mel spectrogram of each slot, beside the mixture's; then mean and maximum over time."""

    bank: Tensor

    def __init__(self, config: ResUNetJointConfig):
        super().__init__()
        bank = mel_filter_bank(config.n_mels, config.n_fft, config.sample_rate, 0.0, config.sample_rate / 2)
        # Of a filter, what counts here is that it covers a band, not that its area is 1 Hz: energies then are of the
        # order of the spectrum's, and one floor suits all.
        self.register_buffer("bank", (bank / bank.sum(0).clamp(min=1e-12)).float(), persistent=False)
        self.norm = nn.BatchNorm1d(config.n_mels)  # of each band, over frames, slots and the two spectrograms
        widths = (2, *config.label_channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
            for inputs, outputs in pairwise(widths)
        )
        bands = config.n_mels >> (len(config.label_channels) - 1)
        self.classify = nn.Linear(2 * bands * widths[-1], config.num_classes + 1)

    def forward(self, slots: Tensor, mixture: Tensor) -> Tensor:
        """Map spectra ``[B, K, frames, bins, 2]`` and ``[B, 1, frames, bins, 2]`` to ``logits [B, K, C + 1]``."""
        x = torch.stack([self._log_mel(slots), self._log_mel(mixture).expand(-1, slots.shape[1], -1, -1)], 2)
        x = self.norm(x.flatten(0, 3)).view_as(x).flatten(0, 1)  # [B K, 2, frames, bands]
        for index, block in enumerate(self.blocks):
            if index:
                x = F.avg_pool2d(x, (min(2, x.shape[2]), 2))
            x = block(x)
        pooled = torch.cat([x.mean(2), x.amax(2)], -1).flatten(1)
        return self.classify(pooled).float().unflatten(0, slots.shape[:2])

    def _log_mel(self, spectrum: Tensor) -> Tensor:
        with torch.autocast(spectrum.device.type, enabled=False):
            power = spectrum[..., 0].square() + spectrum[..., 1].square()
            return torch.log(power.float() @ self.bank + _LEAST_POWER)
