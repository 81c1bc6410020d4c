"""How separators read a query: each slot is a class by its number, or by the words of its label."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from s5lib.interfaces import Separator
from s5lib.models.configs import QueryConfig
from s5lib.models.slots import sort_slots
from s5lib.models.text import LabelText, with_labels

__all__ = ["QueriedSeparator"]


class QueriedSeparator(Separator):
    """Base of the separators, which turns one-hot rows into a network's input."""

    config: QueryConfig

    def __init__(self, config: QueryConfig):
        super().__init__(config)
        self.text = LabelText(config) if config.query == "text" else None
        if self.text is not None:  # so that a checkpoint has what this one was trained with
            self.config = dataclasses.replace(config, tokenizer=self.text.tokenizer)

    def set_labels(self, labels: Sequence[str]) -> None:
        """Make ``labels`` the classes of queries, in order; known ones keep their meaning, new ones can be learned.

        Raises:
            ConfigError: the separator was not made with ``query=text``.
        """
        self.config = with_labels(self.config, labels)
        if self.text is not None:
            self.text.set_labels(labels)

    def by_class(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Sort the slots of ``query [B, K, C]`` by class; see :func:`s5lib.models.slots.sort_slots`."""
        return sort_slots(query, None if self.text is None else self.text.places)

    def query_vectors(self, query: Tensor) -> Tensor:
        """Map one-hot rows ``[B, K, C]`` to the network's input for each slot, ``[B, K, config.query_size]``."""
        return query if self.text is None else self.text(query)
