"""The paper's separator (section 3.2): a residual U-Net queried by all labels at once.

Slots with the same class give its sources in any order, which the loss must allow
(:class:`s5lib.losses.AlignedSDRLoss`).

The network sees the slots sorted by class (:mod:`s5lib.models.slots`), which takes far less training; for numbers see
doc/experiments.md.
"""

from __future__ import annotations

from torch import Tensor

from s5lib.models.checks import check_query
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.mixture import prepare_mixture
from s5lib.models.queried import QueriedUNet
from s5lib.models.slots import unsort_slots

__all__ = ["ResUNetK"]


class ResUNetK(QueriedUNet):
    """Extracts all sources of a query in one pass; parameter names are those of the official checkpoint."""

    config: ResUNetKConfig

    def __init__(self, config: ResUNetKConfig):
        super().__init__(config, slots=config.num_sources)

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``; silent slots are exactly zero.

        Raises:
            DataError: the mixture's or the query's shape is not the configuration's; outside of training also where a
                query's row is neither one-hot nor zero.
        """
        mixture, level = prepare_mixture(mixture, self.config, self.training)
        check_query(query, len(mixture), self.config, values=not self.training)
        if self.config.slot_order == "given":
            waveforms = self.separate_slots(mixture, self.query_vectors(query))
        else:
            by_class, order = self.by_class(query)
            waveforms = unsort_slots(self.separate_slots(mixture, self.query_vectors(by_class)), order)
        return (waveforms * level).masked_fill((query == 0).all(-1, keepdim=True), 0.0)
