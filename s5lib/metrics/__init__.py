"""Metrics of labelled source separation: CA-PI-SDRi, its variants, and label accuracy.  NumPy or torch in, numbers out.

Functions score one scene and return results that add up; :func:`s5lib.evaluation.aggregate` sums them by set, number
of sources and class.  The classes (``CAPISDRi``, ...) are torchmetrics, and the only part that needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s5lib.lazy import lazy_names
from s5lib.metrics.labels import label_accuracy
from s5lib.metrics.scene import FalsePrediction, LabelAccuracy, Pair, SceneScore, ScoreTotal
from s5lib.metrics.sdr import MAX_SDR
from s5lib.metrics.sdri import LabelledScene, aligned_sdri, ca_pi_sdri, ca_sdri, pi_sdri

__all__ = [
    "MAX_SDR",
    "CAPISDRi",
    "CASDRi",
    "FalsePrediction",
    "LabelAccuracy",
    "LabelledScene",
    "MixtureAccuracy",
    "PISDRi",
    "Pair",
    "SceneScore",
    "ScoreTotal",
    "SourceAccuracy",
    "aligned_sdri",
    "ca_pi_sdri",
    "ca_sdri",
    "label_accuracy",
    "pi_sdri",
]

if TYPE_CHECKING:
    from s5lib.metrics.modules import CAPISDRi, CASDRi, MixtureAccuracy, PISDRi, SourceAccuracy
else:
    __getattr__, __dir__ = lazy_names(__name__)
