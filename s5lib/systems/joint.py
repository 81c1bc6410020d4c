"""One model for both: it separates without being asked, and names what it has found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from s5lib.errors import ConfigError
from s5lib.interfaces import JointModel
from s5lib.systems.base import System, check_output
from s5lib.systems.calibration import Calibration, choose
from s5lib.systems.source import Source

__all__ = ["Joint"]


class Joint(System):
    """From a recording to its labelled sources, with a joint model; labels cannot be given to it.

    ``calibration`` decides which slots are sources; without one, the likeliest of each is taken.
    """

    def __init__(
        self,
        joint_model: JointModel,
        labels: Sequence[str],
        device: str = "cpu",
        *,
        calibration: Calibration | None = None,
    ):
        super().__init__([joint_model.config], labels, device)
        self.joint_model = joint_model.eval().to(self.device)
        self.calibration = calibration

    @torch.inference_mode()
    def find_sources(self, mixture: np.ndarray, labels: Sequence[str] | None) -> list[Source]:
        """Return the slots of ``mixture [M, T]`` whose label is not silence, in the order of the labels.

        Nothing is found in a recording of digital silence.

        Raises:
            ConfigError: labels are given.
        """
        if labels is not None:
            raise ConfigError("a joint model predicts the labels itself: leave them out, or use a separator.")
        if not mixture.any():
            return []
        logits, waveforms = (
            output[0].float() for output in self.joint_model(torch.from_numpy(mixture)[None].to(self.device))
        )
        probabilities = check_output("joint model", logits.softmax(-1).cpu().numpy())
        classes = choose(probabilities, self.labels, self.calibration).tolist()
        waveforms = check_output("joint model", waveforms.cpu().numpy())
        slots = sorted(range(len(classes)), key=classes.__getitem__)
        return [
            Source(self.labels[classes[k]], float(probabilities[k, classes[k]]), waveforms[k])
            for k in slots
            if classes[k] < len(self.labels)
        ]
