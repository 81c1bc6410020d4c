"""A plugin with two small separators whose gradients rounding hardly changes: no kinks, no division by little."""

import torch

from s5lib.interfaces import Separator
from s5lib.plugins import ComponentSpec


class Plain(Separator):
    """One layer, no batch normalisation."""

    def __init__(self, config):
        super().__init__(config)
        self.filters = torch.nn.Conv1d(config.num_channels, config.num_classes, 9, padding=4)

    def forward(self, mixture, query):
        return query @ self.filters(mixture)


class Normalised(Separator):
    """Two layers, with batch normalisation between them."""

    def __init__(self, config):
        super().__init__(config)
        self.filters = torch.nn.Conv1d(config.num_channels, 8, 9, padding=4)
        self.norm = torch.nn.BatchNorm1d(8)
        self.mix = torch.nn.Conv1d(8, config.num_classes, 1)

    def forward(self, mixture, query):
        return query @ self.mix(torch.tanh(self.norm(self.filters(mixture))))


def s5lib_separators():
    return [
        ComponentSpec(name="plain", target="plain_separator:Plain", summary="one layer"),
        ComponentSpec(name="normalised", target="plain_separator:Normalised", summary="two layers"),
    ]
