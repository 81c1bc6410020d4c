"""Labels as text: a separator queried by words, so that its label set can grow.

Each label is cut into pieces by sentencepiece (Kudo and Richardson, https://arxiv.org/abs/1808.06226), and its query
vector is the mean of the pieces' embeddings.  No weight depends on the number of labels, and labels share their common
pieces ("DoorKnock" and "Doorbell"); what a new word means still has to be learned from some recordings.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from s5lib.errors import ConfigError
from s5lib.models.configs import QueryConfig

Config = TypeVar("Config", bound=QueryConfig)

__all__ = ["LabelText", "train_tokenizer", "with_labels", "words"]

_BYTE_PIECES = 259  # of sentencepiece: the 256 bytes, and marks for unknown, begin and end


def words(label: str) -> str:
    """Return a label's words in lower case.

    >>> words("CupboardOpenClose"), words("dog_bark")
    ('cupboard open close', 'dog bark')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s_\-/]+", " ", label).lower().strip()


def _sentencepiece():
    try:
        import sentencepiece
    except ModuleNotFoundError as error:
        raise ConfigError("query=text needs sentencepiece: pip install 's5lib[text]'.") from error
    return sentencepiece


def train_tokenizer(labels: Sequence[str]) -> str:
    """Return a tokenizer of the labels' pieces in base64; it also splits any other text, down to bytes if needed.

    Raises:
        ConfigError: sentencepiece is not installed.
    """
    texts = sorted({words(label) for label in labels})
    written = io.BytesIO()
    _sentencepiece().SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=written,
        model_type="unigram",
        hard_vocab_limit=False,
        vocab_size=_BYTE_PIECES + 8 * len(texts) + len(set("".join(texts))),
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return base64.b64encode(written.getvalue()).decode()


class LabelText(nn.Module):
    """Maps one-hot rows to query vectors through the labels' pieces."""

    shares: Tensor
    places: Tensor

    def __init__(self, config: QueryConfig):
        super().__init__()
        self.tokenizer = _as_base64(config.tokenizer) or train_tokenizer(config.labels)
        self.processor = _sentencepiece().SentencePieceProcessor(model_proto=base64.b64decode(self.tokenizer))
        self.embedding = nn.Linear(self.processor.get_piece_size(), config.text_size, bias=False)
        nn.init.normal_(self.embedding.weight)
        self.set_labels(config.labels)

    def set_labels(self, labels: Sequence[str]) -> None:
        """Let the classes of queries be ``labels``, in this order."""
        shares = torch.zeros(len(labels), self.embedding.in_features)
        for row, label in zip(shares, labels, strict=True):
            pieces = torch.tensor(self.processor.encode(words(label)), dtype=torch.long)
            row.index_add_(0, pieces, torch.full((len(pieces),), 1 / max(1, len(pieces))))
        device = self.embedding.weight.device
        self.register_buffer("shares", shares.to(device), persistent=False)
        # Of each label in the alphabet: labels that are added leave the order of those that were known.
        places = torch.tensor([sorted(labels).index(label) for label in labels])
        self.register_buffer("places", places.to(device), persistent=False)

    def forward(self, query: Tensor) -> Tensor:
        """Map ``query [B, K, C]`` to ``[B, K, text_size]``, zeros for a silent slot."""
        return self.embedding(query @ self.shares)


def _as_base64(tokenizer: str) -> str:
    """Return the option's value, or the content of the file that it names, as base64."""
    if not tokenizer or not tokenizer.endswith(".model"):
        try:
            base64.b64decode(tokenizer, validate=True)
        except binascii.Error:
            raise ConfigError(
                f"tokenizer {tokenizer[:40]!r}: expected the name of a sentencepiece file, *.model."
            ) from None
        return tokenizer
    try:
        return base64.b64encode(Path(tokenizer).read_bytes()).decode()
    except OSError as error:
        raise ConfigError(f"tokenizer {tokenizer} cannot be read: {error.strerror}.") from error


def with_labels(config: Config, labels: Sequence[str]) -> Config:
    """Return ``config`` for other labels.

    Raises:
        ConfigError: its queries are one-hot, and bound to the labels that it was trained on.
    """
    if config.query != "text":
        raise ConfigError(
            f"this separator has a fixed set of {config.num_classes} labels; train one with query=text to add labels."
        )
    return dataclasses.replace(config, labels=tuple(labels), num_classes=len(labels))
