"""Training losses: SDR under any aligner, and the tagger's permutation-invariant cross-entropy."""

from s5lib.losses.cross_entropy import PITCrossEntropy
from s5lib.losses.sdr import AlignedSDRLoss

__all__ = ["AlignedSDRLoss", "PITCrossEntropy"]
