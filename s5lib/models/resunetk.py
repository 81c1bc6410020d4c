"""The paper's separator (section 3.2): a residual U-Net that is asked for all labels at once.

Slots may ask for the same class; which of that class's sources each gives is then open, and the loss has to allow it
(:class:`s5lib.losses.AlignedSDRLoss`).

The labels are a set, but the network's inputs and outputs are numbered.  Sorted by class (``slot_order=class``), a set
is one question instead of up to K!, which takes far less training; doc/experiments.md has the numbers.
"""

from __future__ import annotations

from torch import Tensor

from s5lib.models.checks import check_mixture, check_query
from s5lib.models.configs import ResUNetKConfig
from s5lib.models.queried import QueriedUNet

__all__ = ["ResUNetK"]


class ResUNetK(QueriedUNet):
    """Gives all sources of a query in one pass; parameter names are those of the official checkpoint."""

    def __init__(self, config: ResUNetKConfig):
        super().__init__(config, slots=config.num_sources)

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``; a silent slot's is exactly zero.

        Raises:
            DataError: the mixture's or the query's shape is not the configuration's; outside of training also where a
                query's row is neither one-hot nor zero.
        """
        check_mixture(mixture, self.config.num_channels)
        check_query(query, len(mixture), self.config, values=not self.training)
        silent = (query == 0).all(-1)
        if self.config.slot_order == "given":
            waveforms = self.answer(mixture, self.query_vectors(query))
        else:
            order = self._places(query).masked_fill(silent, query.shape[-1]).argsort(dim=-1, stable=True)
            by_class = query.gather(1, order[..., None].expand_as(query))
            waveforms = self.answer(mixture, self.query_vectors(by_class))
            waveforms = waveforms.gather(1, order.argsort(-1)[..., None].expand_as(waveforms))
        return waveforms.masked_fill(silent[..., None], 0.0)

    def _places(self, query: Tensor) -> Tensor:
        """Return what slots are sorted by, ``[B, K]``: the class's number, or its text's place among the texts."""
        classes = query.argmax(-1)
        return classes if self.text is None else self.text.places[classes]
