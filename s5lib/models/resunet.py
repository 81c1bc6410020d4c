"""ResUNet: the residual U-Net queried by one label at a time (Kong et al., https://arxiv.org/abs/2305.07447).

Slots of the same class get the same waveform, because nothing distinguishes them; :mod:`s5lib.models.resunetk`, which
sees the whole query, solves this.  For comparison, and for data where no two sources share a class.
"""

from __future__ import annotations

from torch import Tensor

from s5lib.models.checks import check_query
from s5lib.models.configs import ResUNetConfig
from s5lib.models.mixture import prepare_mixture
from s5lib.models.queried import QueriedUNet

__all__ = ["ResUNet"]


class ResUNet(QueriedUNet):
    """Extracts each slot's source in its own pass, all passes in one batch."""

    def __init__(self, config: ResUNetConfig):
        super().__init__(config, slots=1)

    def forward(self, mixture: Tensor, query: Tensor) -> Tensor:
        """Map ``mixture [B, M, T]`` and ``query [B, K, C]`` to ``waveforms [B, K, T]``; silent slots are exactly zero.

        Outside of training, silent slots cost nothing.

        Raises:
            DataError: see :meth:`s5lib.models.resunetk.ResUNetK.forward`.
        """
        mixture, level = prepare_mixture(mixture, self.config, self.training)
        check_query(query, len(mixture), self.config, values=not self.training)
        active = (query != 0).any(-1)
        # In training, every process of a distributed run needs the gradients of all parameters, whatever its query.
        item, slot = (active | self.training).nonzero(as_tuple=True)
        waveforms = mixture.new_zeros(*active.shape, mixture.shape[-1], dtype=self.base.pre_conv.weight.dtype)
        if len(item):
            found = self.separate_slots(mixture[item], self.query_vectors(query)[item, slot, None])
            waveforms = waveforms.index_put((item, slot), found[:, 0])
        return (waveforms * level).masked_fill(~active[..., None], 0.0)
