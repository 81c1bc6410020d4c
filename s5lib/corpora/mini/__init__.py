"""The embedded corpus ``mini``: ten sound classes as physical and signal models, noise and rooms; nothing to download.

``build`` writes it in the layout of the DCASE 2026 development set, deterministic from a seed: single-channel sound
events and interference, diffuse four-channel noise, and rooms as SOFA files, with disjoint train, valid and test parts.
"""

from s5lib.corpora.mini.tree import build

__all__ = ["build"]
