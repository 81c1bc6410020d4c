"""A plugin with a separator of one layer and no batch normalisation."""

import torch

from s5lib.interfaces import Separator
from s5lib.plugins import ComponentSpec


class Plain(Separator):
    def __init__(self, config):
        super().__init__(config)
        self.filters = torch.nn.Conv1d(config.num_channels, config.num_classes, 9, padding=4)

    def forward(self, mixture, query):
        return query @ self.filters(mixture)


def s5lib_separators():
    return [ComponentSpec(name="plain", target="plain_separator:Plain", summary="one layer")]
